"""Layer monitoring: quality of the data, and regimes of the markets.

Unusual prices are found in ``orchestration.assets.anomalies``, drift of features in
``orchestration.assets.drift``.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

import dagster as dg
import numpy as np
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.lake.readers.prices import find_history_start, read_raw
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, GROUP_VOLATILITY, REGIMES
from quant_assets.lake.schemas.price_tables import RAW_PRICES, UNIVERSE, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.data.cells import read_cells
from quant_assets.monitoring.data.daily_returns import read_daily_returns
from quant_assets.monitoring.data.data_quality import HISTORY_DAYS, data_quality_rows
from quant_assets.monitoring.data.disagreement import disagreement_rows
from quant_assets.monitoring.data.group_volatility import group_volatility_rows
from quant_assets.monitoring.data.regimes import regime_rows
from quant_assets.monitoring.plots import SHOWN_DAYS, plot_limits, plot_regimes
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range, stored_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    describe_asset,
    draw_pictures,
    make_check_result,
    record_result,
    show_last,
    table_asset,
    to_columns,
    to_markdown,
)
from quant_assets.sources.protocol import Source

_WITHIN = "within_limits"
_YEAR = 250


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of this module, whatever the families."""
    return [_build_data_quality(partitions), _build_regimes(partitions)]


def _build_data_quality(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @table_asset(
        DATA_QUALITY,
        kinds={"numpy", "matplotlib"},
        deps=[RAW_PRICES, VALIDATED_PRICES, UNIVERSE],
        partitions=partitions,
        checks=[
            check_spec(
                DATA_QUALITY,
                _WITHIN,
                "On the last day each market is within its limits. Missing closes are no more than "
                "a rate of 1 % explains by chance; jumps and rejected cells, no more than a rate "
                "of 0.5 % does. No cell is wrong, no market has been without prices for over 5 "
                "trading days, no series is stale or has ended, and cells that were delivered "
                "twice agree.",
                blocking=False,
            )
        ],
    )
    def data_quality_asset(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = stored_day_range(context, lake, VALIDATED_PRICES)
        first = find_history_start(lake, VALIDATED_PRICES, start, HISTORY_DAYS + SHOWN_DAYS)
        cells = read_cells(lake, first, end)
        new_days = int((cells.days >= np.datetime64(start)).sum())
        recent = data_quality_rows(cells, min(len(cells.days), max(new_days, SHOWN_DAYS)))
        rows = recent[recent["trading_day"] >= np.datetime64(start)]
        second = source.second_prices(start, end)
        if second is not None and len(second.days):
            disagreements = disagreement_rows(read_raw(lake, start, end), second)
            rows = pd.concat([rows, disagreements], ignore_index=True)
        written = lake.replace_days(DATA_QUALITY, start, end, to_columns(rows))
        newest = rows[rows["trading_day"] == rows["trading_day"].max()]
        broken = newest[~newest["within"]].drop(columns=["trading_day", "date_id", "within"])
        if len(rows):
            pictures = draw_pictures(settings, limits=partial(plot_limits, recent))
            show_last(context, DATA_QUALITY, pictures)
        return record_result(
            DATA_QUALITY,
            written,
            {"limits_broken": int(broken["series"].isna().sum())},
            checks=[
                make_check_result(
                    DATA_QUALITY,
                    _WITHIN,
                    broken.empty,
                    blocking=False,
                    day=str(end),
                    broken=to_markdown(broken),
                )
            ],
        )

    return data_quality_asset


def _build_regimes(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Build regimes and volatilities as one step, because both read the same returns."""

    @dg.multi_asset(
        name="monitoring__regimes",
        specs=[
            describe_asset(
                REGIMES,
                kinds={"statsmodels", "matplotlib"},
                deps=[INSTRUMENT_FEATURES],
                about="The parameters of the regimes are fitted as of the walk-forward days "
                "(Hamilton 1989).",
            ),
            describe_asset(GROUP_VOLATILITY, kinds={"numpy"}, deps=[INSTRUMENT_FEATURES]),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def regimes(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        start, end = run_day_range(context)
        returns = read_daily_returns(lake, end)
        volatility = group_volatility_rows(returns, start)
        # A day counts as watched once it has regimes: its volatilities are written before.
        written = lake.replace_days(GROUP_VOLATILITY, start, end, to_columns(volatility))
        yield record_result(GROUP_VOLATILITY, written, _newest_volatilities(volatility))
        rows = regime_rows(lake, settings, returns, start, settings.artifacts_dir)
        written = lake.replace_days(REGIMES, start, end, to_columns(rows))
        pictures = draw_pictures(settings, states=partial(_draw_regimes, lake, end))
        show_last(context, REGIMES, pictures)
        newest = rows.drop(columns=["trading_day", "date_id", "fit_as_of"]).tail(1).dropna(axis=1)
        yield record_result(
            REGIMES, written, {str(name): float(x.iloc[0]) for name, x in newest.items()}
        )

    return regimes


def _newest_volatilities(rows: pd.DataFrame) -> dict[str, float]:
    """Return the volatility of each group on the newest day, by the name of its figure."""
    newest = rows[rows["trading_day"] == rows["trading_day"].max()]
    names = "volatility_" + newest["instrument_group"].astype(str)
    return dict(zip(names.tolist(), newest["volatility"].tolist(), strict=True))


def _draw_regimes(lake: Lake, end: date) -> bytes | None:
    """Draw the regimes of the year that ends with a day; None if there are none."""
    recent = lake.query(
        f"FROM {REGIMES.quoted} WHERE trading_day <= ? ORDER BY trading_day DESC LIMIT ?",
        [end, _YEAR],
    )
    if recent.empty:
        return None
    volatility = lake.query(
        f"FROM {GROUP_VOLATILITY.quoted} WHERE trading_day BETWEEN ? AND ?",
        [recent["trading_day"].min(), end],
    )
    return plot_regimes(recent, volatility)
