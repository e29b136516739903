"""The daily job that backs the data directory up, where QUANT_BACKUP_DIR names a folder.

What a backup copies belongs in ``quant_assets.backup``.
"""

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.errors import BackupError
from quant_assets.core.settings import Settings

_UNSET = "QUANT_BACKUP_DIR is unset"


@dg.op(description="Copies the data directory into QUANT_BACKUP_DIR, and deletes old backups.")
def back_up(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> dg.Output[str]:
    """Make a backup, while readers and writers continue."""
    from quant_assets.backup.routine import back_up_and_prune
    from quant_assets.backup.store import BackupStore

    if settings.backup_dir is None:
        raise BackupError(_UNSET, hint="set it to a folder outside the data directory")
    summary, pruned = back_up_and_prune(
        settings,
        BackupStore(settings.backup_dir),
        clock.now(),
        settings.backups_kept(),
        context.log.info,
    )
    context.log.info(f"{summary}; {pruned}")
    return dg.Output(
        summary.manifest.id,
        metadata={
            "bytes": summary.manifest.size,
            "new_bytes": summary.new_bytes,
            "seconds": summary.seconds,
            "lacking_models": len(summary.lacking),
            "deleted_backups": len(pruned.backups),
        },
    )


@dg.job(description="Backs the data directory up into QUANT_BACKUP_DIR, and deletes old backups.")
def backup_daily() -> None:
    """Back the data directory up."""
    back_up()


def build(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """Build the schedule of backups, which requests nothing while QUANT_BACKUP_DIR is unset."""

    @dg.schedule(
        name="daily_backup",
        job=backup_daily,
        cron_schedule="15 3 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Requests a backup every day at 03:15 UTC, if QUANT_BACKUP_DIR is set.",
    )
    def daily_backup(settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
        return dg.RunRequest() if settings.backup_dir else dg.SkipReason(_UNSET)

    return daily_backup
