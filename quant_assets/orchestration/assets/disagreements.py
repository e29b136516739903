"""Prices in which the sources of a market disagree; only where a market has several sources.

What a disagreement is belongs in ``monitoring.data.source_agreement``.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.arrays import day_blocks
from quant_assets.lake.readers.prices import find_history_start, read_numbered_days
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.source_tables import DISAGREEMENTS
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.data.source_agreement import (
    SourceComparison,
    compare_sources,
    join_comparisons,
)
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    make_check_result,
    record_result,
    table_asset,
    to_columns,
    to_markdown,
)
from quant_assets.sources.protocol import JoinsSources, Source

_AGREE = "sources_agree"
_DIFFERING_SHARE = 0.01
_DAYS_BEFORE = 4
"""Trading days before a run that are compared again, as a source may deliver late."""
_SHOWN = 20


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the asset of disagreements; the families do not matter."""

    @table_asset(
        DISAGREEMENTS,
        kinds={"numpy"},
        partitions=partitions,
        deps=[RAW_PRICES],
        checks=[
            check_spec(
                DISAGREEMENTS,
                _AGREE,
                "On the days of the run and the four before, at most 1 % of the cells that two "
                "sources have differ by more than the tolerance, and no price by more than 10 %.",
                blocking=False,
            )
        ],
    )
    def raw_disagreements(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        first = find_history_start(lake, RAW_PRICES, start, _DAYS_BEFORE)
        days, _ = read_numbered_days(lake, RAW_PRICES, first, end)
        comparison = join_comparisons(_compare(lake, source, days))
        compared, rows = comparison.compared, comparison.rows
        written = lake.replace_days(DISAGREEMENTS, first, end, to_columns(rows))
        check = make_check_result(
            DISAGREEMENTS,
            _AGREE,
            len(rows) <= _DIFFERING_SHARE * compared and not comparison.large,
            blocking=False,
            compared=compared,
            differing=len(rows),
            large=comparison.large,
            largest=to_markdown(rows.sort_values("difference", ascending=False).head(_SHOWN)),
        )
        return record_result(DISAGREEMENTS, written, {"compared": compared}, checks=[check])

    return [raw_disagreements]


def _compare(lake: Lake, source: Source, days: DayArray) -> Iterator[SourceComparison]:
    """Compare the sources on stored days, some days at a time."""
    if not isinstance(source, JoinsSources):
        raise SourceError("the market has one source", where=source.name)
    for part in day_blocks(len(days), len(read_series(lake))):
        some = days[part]
        yield compare_sources(*source.deliveries(some[0].item(), some[-1].item()))
