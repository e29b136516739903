"""Knowledge times: which snapshot holds what the lake knew at a moment.

Reading at a snapshot is ``Lake(root, snapshot=...)``; how long snapshots stay is maintenance.
"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.table import ACCESS
from quant_assets.lake.store.connection import connect
from quant_assets.lake.store.lake import Lake


def find_snapshot(root: Path, moment: datetime) -> int:
    """Return the id of the newest snapshot that was stored at or before a moment.

    Args:
        root: folder of the lake.
        moment: the knowledge time, with a time zone; a moment to come finds the newest snapshot.

    Raises:
        LakeError: no snapshot of that time is kept, or the lake cannot be opened.
    """
    connection = connect(root, read_only=True)
    try:
        # The catalogue has moments as text: they are compared as numbers, whatever their offsets.
        stored = connection.execute(
            "SELECT snapshot_id, epoch_us(snapshot_time) FROM ducklake_snapshots('lake')"
        ).fetchall()
    except duckdb.Error as error:
        raise LakeError(
            "the snapshots of the lake cannot be read", where=str(root), found=str(error)
        ) from error
    finally:
        connection.close()
    asked = round(moment.timestamp() * 1e6)
    known = [snapshot for snapshot, stored_at in stored if stored_at <= asked]
    if not known:
        first = datetime.fromtimestamp(min(at for _, at in stored) / 1e6, UTC)
        raise LakeError(
            "what was known then cannot be read",
            where=str(root),
            expected=f"{first.isoformat()} or later: the first moment that is kept",
            found=moment.astimezone(UTC).isoformat(),
            hint="a higher QUANT_RETENTION_DAYS keeps snapshots longer from now on; those that have"
            " expired do not come back",
        )
    return int(max(known))


def read_newest_change(lake: Lake) -> int:
    """Return the id of the newest snapshot that changed more than tables about callers.

    If all such snapshots have expired, it is the oldest one that is kept.

    Raises:
        LakeError: the lake cannot be read.
    """
    rows = lake.arrow(
        "SELECT coalesce(max(snapshot_id) FILTER (commit_message IS DISTINCT FROM ?),"
        " min(snapshot_id)) AS newest FROM ducklake_snapshots('lake')",
        [ACCESS],
    )
    return int(rows["newest"][0].as_py())
