"""Keeping the lake small: merging files and forgetting old snapshots, weekly."""

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake


@dg.op(description="Merge small files, expire snapshots past their retention, delete unused files.")
def maintain(lake: dg.ResourceParam[Lake], settings: dg.ResourceParam[Settings]) -> None:
    """Maintain the lake; readers and writers go on meanwhile."""
    lake.maintain(settings.retention_days)


@dg.job(description="Merge the lake's small files and forget snapshots older than the retention.")
def maintain_lake() -> None:
    """One run of the lake's maintenance."""
    maintain()


def build(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """The schedule of the lake's maintenance."""
    return dg.ScheduleDefinition(
        name="weekly_maintenance",
        job=maintain_lake,
        cron_schedule="0 4 * * 6",
        execution_timezone="UTC",
        default_status=status,
        description="Every Saturday at 04:00 UTC.",
    )
