"""Layer monitoring: whether forecasts are as good as they used to be.

How good they turned out belongs in ``assets.monitoring``; whether data and inputs are as they used
to be, in ``assets.surveillance``.
"""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from quant_assets.assets.partitions import day_range
from quant_assets.assets.results import (
    check,
    check_spec,
    columns_of,
    markdown,
    result,
    table_asset,
)
from quant_assets.lake.judgement_tables import PERFORMANCE, SLICES
from quant_assets.lake.lake import Lake
from quant_assets.lake.monitoring_tables import ROLLING
from quant_assets.monitoring.performance import days_of, rolling_rows, worst_level
from quant_assets.monitoring.records import daily_records, judged_family
from quant_assets.settings import Settings

_AS_EXPECTED = "as_expected"
_SHOWN = ["window", "score", "expected", "limit", "limit_critical", "shortfall", "level", "reason"]


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the module."""
    return [_rolling(partitions, families)]


def _rolling(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    @table_asset(
        ROLLING,
        kinds={"numpy", "matplotlib"},
        deps=[PERFORMANCE, SLICES],
        partitions=partitions,
        checks=[
            check_spec(
                ROLLING,
                _AS_EXPECTED,
                "On the last day what is published, else the ensemble, scores as it used to: an "
                "error if over QUANT_PERFORMANCE_CRITICAL of the expected score is lost in a "
                "window, a warning from QUANT_PERFORMANCE_WARNING on, each beyond chance. Passes "
                "where no level can be told.",
                blocking=False,
            )
        ],
    )
    def rolling_asset(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        days, numbers = days_of(lake, start, end)
        records = daily_records(lake, families, end)
        rows = rolling_rows(records, days, numbers, settings)
        written = lake.replace_days(ROLLING, start, end, columns_of(rows))
        newest = rows[rows["trading_day"] == rows["trading_day"].max()]
        outcome = _outcome(newest, judged_family(records))
        return result(ROLLING, written, {}, checks=[outcome])

    return rolling_asset


def _outcome(newest: pd.DataFrame, family: str) -> dg.AssetCheckResult:
    level = worst_level(newest, family)
    told = newest[(newest["family"] == family) & (newest["by"] == "all")]
    return check(
        ROLLING,
        _AS_EXPECTED,
        level not in ("warning", "critical"),
        blocking=level == "critical",
        family=family,
        level=level or "none can be told",
        windows=markdown(told[_SHOWN].round(3)),
    )
