"""The comparison of the source with the lake, for the steps that store what the source gives."""

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.jobs.names import LOAD, PRICE_JOBS
from quant_assets.revisions.comparison import Comparison, compare_with_source
from quant_assets.revisions.refusals import refuse_many_withdrawn, refuse_renamed_targets
from quant_assets.revisions.storing import require_order
from quant_assets.sources.protocol import Source


def compare_for_run(
    context: dg.AssetExecutionContext, lake: Lake, source: Source, settings: Settings
) -> Comparison:
    """Compare the source with the lake; refuse a source or a run that does not fit what is stored.

    Args:
        context: of the step that runs.
        lake: the lake.
        source: the source of the market.
        settings: say how many days the source may take back.

    Raises:
        SourceError: the source cannot be read, has changed what the run does not do again, or lacks
            many days; or the run leaves out days.
    """
    comparison, job = compare_with_source(lake, source), context.run.job_name
    refuse_many_withdrawn(comparison, settings.withdrawn_days)
    if comparison.other_targets:
        refuse_renamed_targets(lake, source)
    require_order(comparison, *run_day_range(context), redo=job in PRICE_JOBS, replace=job == LOAD)
    return comparison
