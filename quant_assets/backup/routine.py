"""A backup with all that belongs to it: its folder, its lock, and deleting old backups after it."""

from collections.abc import Callable
from datetime import datetime

from quant_assets.backup.keeping import Pruned, prune_backups
from quant_assets.backup.saving import BackupSummary, make_backup, require_outside
from quant_assets.backup.store import BackupStore
from quant_assets.core.settings import Settings


def back_up_and_prune(
    settings: Settings,
    store: BackupStore,
    now: datetime,
    counts: tuple[int, int, int],
    note: Callable[[str], None],
) -> tuple[BackupSummary, Pruned]:
    """Make a backup, and then delete the backups that are not kept.

    Args:
        settings: say where the data directory is.
        store: the folder of backups, which is made if it is missing.
        now: the moment, UTC.
        counts: numbers of days, of weeks and of months whose newest backup is kept.
        note: called with a line of text about the progress.

    Raises:
        BackupError: the backup cannot be made, another process uses the folder, or a manifest in it
            is damaged; the new backup exists in that last case.
        LakeError: the lake cannot be read.
    """
    require_outside(store.root, settings.data_dir)
    store.create()
    with store.alone():
        return make_backup(settings, store, now, note), prune_backups(store, counts)
