"""A lake with the small market's features and with drawn forecasts, to be monitored."""

from pathlib import Path

import numpy as np

from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.tables import forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.protocol import PriceTable
from quant_assets_tests.support import synthetic

FAMILIES = ("ridge", "rank_prior")
ALTERED_AFTER = 330
FIT_ROWS = np.array([200, 300, 400])


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
