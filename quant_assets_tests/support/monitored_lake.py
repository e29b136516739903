"""A lake with the small market's features and with drawn forecasts, to be monitored."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.readers.series import group_rows, read_series, series_rows
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES, MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.schemas.price_tables import RAW_GROUPS, RAW_PRICES, RAW_SERIES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import Group, InstrumentSeries, SeriesList, list_groups
from quant_assets.orchestration.assets.table_assets import to_columns
from quant_assets.sources.deliveries import PriceTable
from quant_assets_tests.support import synthetic

FAMILIES = ("ridge", "rank_prior")
ALTERED_AFTER = 330
FIT_ROWS = np.array([200, 300, 400])
ENERGY = {"FX": "coal", "JPX": "gas", "LME": "oil", "US": "solar"}
"""Other names of the groups, in the same order."""


def fill(folder: Path, table: PriceTable, altered_after: int | None = None) -> Lake:
    """Write the market, and drawn forecasts that are others after the day ``altered_after``."""
    lake = Lake(folder)
    synthetic.fill(lake, table)
    days = table.days[FIT_ROWS[0] :]
    rows = np.arange(FIT_ROWS[0], len(table.days))
    as_of = table.days[FIT_ROWS[np.searchsorted(FIT_ROWS, rows, side="right") - 1]]
    targets = synthetic.pairs().targets
    for seed, name in enumerate((*FAMILIES, "ensemble")):
        values = np.random.default_rng(seed).normal(size=(len(days), len(targets)))
        if altered_after is not None:
            values[rows > altered_after] += 1.0
        stored = Forecasts(days, values, as_of, targets)
        lake.replace_days(
            forecasts_table(name), days[0].item(), days[-1].item(), forecast_rows(lake, stored)
        )
    return lake


def renamed(instrument: str) -> str:
    """Another name of an instrument, without its market; sorting gives the same order."""
    return f"plant {sorted(synthetic.INSTRUMENTS).index(instrument):02d}"


def fill_renamed(folder: Path, watched: Lake, group_of: Callable[[str], str]) -> Lake:
    """Copy prices and features, with other names of instruments and with other groups.

    Args:
        folder: of the new lake.
        watched: the lake that is copied.
        group_of: gives the group of an instrument by its name in ``watched``.
    """
    lake = Lake(folder)
    for table in (RAW_PRICES, INSTRUMENT_FEATURES, MARKET_FEATURES):
        rows = watched.query(f"FROM {table.quoted}")
        if "instrument" in rows:
            rows["instrument"] = rows["instrument"].astype(str).map(renamed)
        lake.replace_days(table, *synthetic.ALWAYS, to_columns(rows))
    series = read_series(watched)
    names = [InstrumentSeries(renamed(s.instrument), s.field) for s in series.series]
    groups = tuple(group_of(s.instrument) for s in series.series)
    columns = tuple(f"{s.instrument}: {s.field}" for s in names)
    all_groups = tuple(map(Group, list_groups(groups)))
    named = SeriesList(columns, tuple(names), groups, all_groups)
    lake.replace_all(RAW_SERIES, series_rows(named))
    lake.replace_all(RAW_GROUPS, group_rows(all_groups))
    return lake
