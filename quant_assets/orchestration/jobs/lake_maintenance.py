"""The weekly job that keeps the lake small: it merges files and expires old snapshots."""

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake


@dg.op(
    description="Merges small files, expires snapshots past their retention, and deletes unused "
    "files."
)
def maintain(lake: dg.ResourceParam[Lake], settings: dg.ResourceParam[Settings]) -> None:
    """Maintain the lake, while readers and writers continue."""
    lake.maintain(settings.retention_days)


@dg.job(
    description="Merges the small files of the lake and expires snapshots older than the retention."
)
def maintain_lake() -> None:
    """Maintain the lake."""
    maintain()


def build(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """Build the schedule of the lake's maintenance."""
    return dg.ScheduleDefinition(
        name="weekly_maintenance",
        job=maintain_lake,
        cron_schedule="0 4 * * 6",
        execution_timezone="UTC",
        default_status=status,
        description="Requests the maintenance of the lake every Saturday at 04:00 UTC.",
    )
