"""The targets of the market, as the source names them. They are checked before they are stored."""

from collections.abc import Sequence

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings, hold_market
from quant_assets.lake.readers.prices import pairs_rows
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.schemas.revision_tables import REJECTED_PAIRS
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.orchestration.assets.rejections import mark_rejected, report_rejected
from quant_assets.orchestration.assets.source_comparison import compare_for_run
from quant_assets.orchestration.assets.table_assets import (
    record_result,
    run_suite,
    suite_spec,
    table_asset,
)
from quant_assets.quality.suites import TARGET_PAIRS_SUITE
from quant_assets.revisions.changes import list_pair_changes
from quant_assets.sources.protocol import Source


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the asset of this module; the families do not matter."""

    @table_asset(
        RAW_TARGET_PAIRS,
        kinds={"csv"},
        partitions=partitions,
        checks=[suite_spec(RAW_TARGET_PAIRS, TARGET_PAIRS_SUITE, blocking=True)],
    )
    def target_pairs(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        comparison = compare_for_run(context, lake, source, settings)
        rows = pairs_rows(source.pairs())
        check = run_suite(RAW_TARGET_PAIRS, TARGET_PAIRS_SUITE, rows, blocking=True)
        hold_market(settings)
        if not check.passed:
            rejected = mark_rejected(rows, len(rows["target"]), context, clock)
            lake.replace_all(REJECTED_PAIRS, rejected)
            return report_rejected(RAW_TARGET_PAIRS, REJECTED_PAIRS, [check])
        written = WriteResult(len(rows["target"]), lake.snapshot_id())
        if comparison.other_targets or not lake.has(RAW_TARGET_PAIRS):
            changes = list_pair_changes(lake, comparison, rows, clock.now())
            written = lake.change(*changes)[0]
        return record_result(RAW_TARGET_PAIRS, written, checks=[check])

    return [target_pairs]
