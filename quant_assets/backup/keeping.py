"""Which backups are kept, and deleting the others with the pieces that only they name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from quant_assets.backup.manifest import Manifest
from quant_assets.backup.store import BackupStore

_PERIODS: tuple[Callable[[datetime], tuple[int, ...]], ...] = (
    lambda moment: (moment.year, moment.month, moment.day),
    lambda moment: moment.isocalendar()[:2],
    lambda moment: (moment.year, moment.month),
)


@dataclass(frozen=True)
class Pruned:
    """What was deleted: ids of backups, and number and bytes of pieces."""

    backups: tuple[str, ...]
    pieces: int
    bytes: int

    def __str__(self) -> str:
        return (
            f"deleted: {len(self.backups)} backups, {self.pieces} pieces, {self.bytes / 1e6:.1f} MB"
        )


def choose_kept(moments: Iterable[datetime], counts: tuple[int, int, int]) -> set[datetime]:
    """Choose the backups to keep: the newest of each of the last days, weeks and months.

    Only periods with a backup count. All backups of the newest day are kept.

    >>> days = [datetime(2024, 1, day) for day in (1, 2, 3)]
    >>> sorted(moment.day for moment in choose_kept(days, (2, 1, 1)))
    [2, 3]

    Args:
        moments: moments of the backups.
        counts: number of days, of weeks and of months; at least 1 day.
    """
    newest_first = sorted(moments, reverse=True)
    kept = {moment for moment in newest_first if moment.date() == newest_first[0].date()}
    for period_of, count in zip(_PERIODS, counts, strict=True):
        newest_of: dict[tuple[int, ...], datetime] = {}
        for moment in newest_first:
            newest_of.setdefault(period_of(moment), moment)
        kept |= set(list(newest_of.values())[:count])
    return kept


def prune_backups(store: BackupStore, counts: tuple[int, int, int]) -> Pruned:
    """Delete the backups that are not kept, and all pieces that no manifest names.

    The backups of each data directory are chosen apart. No other process changes the folder.

    Args:
        store: the folder of backups.
        counts: number of days, of weeks and of months, as in :func:`choose_kept`.

    Raises:
        BackupError: a manifest is damaged, so that its pieces are unknown; nothing is deleted.
    """
    manifests = {backup: store.read_manifest(backup) for backup in store.list_backups()}
    kept = _choose_manifests(manifests.values(), counts)
    dropped = tuple(backup for backup in manifests if backup not in kept)
    named = {piece for backup in kept for file in manifests[backup].files for piece in file.pieces}
    for backup in dropped:
        store.delete_manifest(backup)
    sizes = [store.delete_piece(name) for name in list(store.list_pieces()) if name not in named]
    return Pruned(dropped, len(sizes), sum(sizes))


def moment_of(backup: str) -> datetime:
    """Return the moment, UTC without a time zone, that the id of a backup names."""
    return datetime.strptime(backup, "%Y%m%dT%H%M%S-%f")  # noqa: DTZ007 - ids are UTC


def _choose_manifests(manifests: Iterable[Manifest], counts: tuple[int, int, int]) -> set[str]:
    ids: dict[str, dict[datetime, str]] = {}
    for manifest in manifests:
        ids.setdefault(manifest.data_dir, {})[moment_of(manifest.id)] = manifest.id
    return {
        of_moment[moment] for of_moment in ids.values() for moment in choose_kept(of_moment, counts)
    }
