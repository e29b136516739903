"""The weekly job that keeps the data directory small: files, snapshots, and Dagster's records."""

from datetime import timedelta

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution.run_history import forget_old_runs


@dg.op(
    description="Merges small files, expires snapshots past their retention, and deletes unused "
    "files."
)
def maintain(lake: dg.ResourceParam[Lake], settings: dg.ResourceParam[Settings]) -> None:
    """Maintain the lake, while readers and writers continue."""
    lake.maintain(settings.retention_days)


@dg.op(
    description="Deletes old runs that no record rests on, and the logs of the others. "
    "QUANT_RUNS_KEPT_DAYS sets which are old."
)
def forget_runs(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> None:
    """Delete what Dagster's records no longer need."""
    before = clock.now() - timedelta(days=settings.runs_kept_days)
    context.log.info(str(forget_old_runs(context.instance, before)))


@dg.job(
    description="Merges the small files of the lake, expires snapshots older than the retention, "
    "and deletes old runs from Dagster's records."
)
def maintain_lake() -> None:
    """Maintain the data directory."""
    maintain()
    forget_runs()


def build(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """Build the schedule of the lake's maintenance."""
    return dg.ScheduleDefinition(
        name="weekly_maintenance",
        job=maintain_lake,
        cron_schedule="0 4 * * 6",
        execution_timezone="UTC",
        default_status=status,
        description="Requests the maintenance of lake and records every Saturday at 04:00 UTC.",
    )
