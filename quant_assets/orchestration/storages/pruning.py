"""Deleting what Dagster's SQLite event log no longer needs, and giving the space back.

Dagster's own ``delete_run`` leaves a run's file and the executions of its checks behind, and knows
no run whose log may go while its materializations stay. Which runs are old is decided in
``orchestration.execution.run_history``.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg

# The tables are Dagster's own; its public interface reads one asset's partition at a time.
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from sqlalchemy import func, or_, select
from sqlalchemy.engine import Connection

_MATERIALIZATION = dg.DagsterEventType.ASSET_MATERIALIZATION.value
_LEAST_FREE = 0.2
"""Share of a file that is free from which giving it back is worth the time."""
_SECONDS = 30.0
"""Longest wait for a database that others use."""


def read_runs_in_use(index: Connection, first_of: dg.AssetKey) -> set[str]:
    """Read the ids of the runs that some record rests on.

    These are the runs with the newest materialization of any partition, or the newest execution of
    any check; and of one asset the runs with the first materialization of a partition.

    Args:
        index: a connection to the event log's index.
        first_of: the asset.
    """
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    materialized = events.dagster_event_type == _MATERIALIZATION
    of_asset = events.asset_key == first_of.to_string()
    newest = select(func.max(events.id)).where(materialized)
    newest = newest.group_by(events.asset_key, events.partition)
    first = select(func.min(events.id)).where(materialized, of_asset).group_by(events.partition)
    checked = select(func.max(checks.id))
    checked = checked.group_by(checks.asset_key, checks.check_name, checks.partition)
    by_event = select(events.run_id).where(or_(events.id.in_(newest), events.id.in_(first)))
    by_check = select(checks.run_id).where(checks.id.in_(checked))
    return {*index.scalars(by_event.distinct()), *index.scalars(by_check.distinct())}


def delete_checks(index: Connection, run_id: str) -> None:
    """Delete the executions of a run's checks."""
    index.execute(
        AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id)
    )


def delete_file(database: Path) -> bool:
    """Delete a SQLite file and the files beside it; return whether there was one."""
    existed = database.exists()
    for file in (database, *_beside(database)):
        file.unlink(missing_ok=True)
    return existed


def give_back_space(database: Path) -> int:
    """Give the free space of a SQLite file back; return the number of bytes.

    Others may use the file meanwhile: they wait, or this gives up and returns 0.
    """
    before = _size(database)
    try:
        with closing(sqlite3.connect(database, timeout=_SECONDS)) as opened:
            pages, free = (
                opened.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count")
            )
            if free < _LEAST_FREE * pages or not _is_room_for_copy(database):
                return 0
            opened.execute("VACUUM")
            opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        # Somebody writes for long, or the disk has become full. Nothing is lost, and the next
        # maintenance tries again.
        return 0
    return max(before - _size(database), 0)


def _is_room_for_copy(database: Path) -> bool:
    """Return whether the disk has room for the copy that SQLite makes, and for its log of it."""
    disk = os.statvfs(database.parent)
    return disk.f_bavail * disk.f_frsize > 3 * database.stat().st_size


def _size(database: Path) -> int:
    return sum(file.stat().st_size for file in (database, *_beside(database)) if file.exists())


def _beside(database: Path) -> Iterator[Path]:
    return (database.with_name(database.name + end) for end in ("-wal", "-shm"))
