"""The record of a revision, made when everything that depends on prices has been done again.

What a source changed is found and stored in ``revisions``, by the step that stores prices.
"""

from collections.abc import Sequence

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.feature_tables import FEATURES, LABELS
from quant_assets.lake.schemas.revision_tables import OUTDATED, REVISION_RUNS
from quant_assets.lake.schemas.scoring_tables import SCORES
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import record_result, table_asset
from quant_assets.revisions.records import RevisionRecord, finish_revision


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the asset of this module; the families do not matter."""

    @table_asset(
        REVISION_RUNS,
        kinds={"numpy"},
        deps=[LABELS, *FEATURES, *SCORES],
        about=f"It removes the mark in {OUTDATED.name}.",
        partitions=partitions,
    )
    def revision_runs(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        record = finish_revision(lake, *run_day_range(context), settings.revised_label, clock.now())
        if record is None:
            return record_result(REVISION_RUNS, WriteResult(0, lake.snapshot_id()))
        return record_result(
            REVISION_RUNS,
            WriteResult(1, lake.snapshot_id()),
            {"summary": record.summary, **_describe_moves(record)},
        )

    return [revision_runs]


def _describe_moves(record: RevisionRecord) -> dict[str, float]:
    if record.labels is None or record.worst is None:
        return {}
    return {"labels": record.labels, "worst": record.worst}
