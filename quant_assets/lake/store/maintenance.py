"""Maintenance of the lake: merging files, expiring snapshots, and deleting unused files.

Callers use :meth:`quant_assets.lake.store.lake.Lake.maintain`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from quant_assets.core.errors import LakeError
from quant_assets.core.locks import hold_lock
from quant_assets.lake.store.access import LakeAccess

# DuckLake counts files by table name alone: tables of one name get the largest of their counts.
_TABLES = """
    SELECT schema_name, table_name, files, deletions FROM duckdb_tables()
    JOIN (
        SELECT table_name, max(file_count) AS files, max(delete_file_count) AS deletions
        FROM ducklake_table_info('lake') GROUP BY table_name
    ) USING (table_name)
    WHERE database_name = 'lake' ORDER BY ALL
"""
# A SQLite catalogue stores moments as text, of which DuckLake's own `older_than` compares the day
# only: it would expire snapshots up to a day too early.
_EXPIRED = """
    SELECT snapshot_id FROM ducklake_snapshots('lake')
    WHERE snapshot_time <= now() - to_days(?::INTEGER)
    AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshots('lake'))
"""


def maintain(access: LakeAccess, retention_days: int) -> None:
    """Maintain the lake, as :meth:`quant_assets.lake.store.lake.Lake.maintain` describes.

    Args:
        access: the access to the lake.
        retention_days: days for which a snapshot can be read.

    Raises:
        LakeError: a step did not come through.
    """
    access.alone("lake", lambda cursor: _expire_snapshots(cursor, retention_days))
    tables = access.read(lambda cursor: cursor.execute(_TABLES).fetchall(), _TABLES)
    for schema, name, files, deletions in tables:
        # DuckLake would take long to find out that a table has nothing to rewrite or merge.
        steps = ["rewrite_data_files"] * (deletions > 0) + ["merge_adjacent_files"] * (files > 1)
        _change(
            access,
            [(f"CALL ducklake_{step}('lake', ?, schema => ?)", [name, schema]) for step in steps],
            f"{schema}.{name}",
        )
    # Of two days, as DuckLake compares them, at least one whole day remains for readers that have
    # just learnt of a file.
    kept = 2 if retention_days else 0
    cleanup = [
        f"cleanup_old_files('lake', older_than => now() - to_days({kept}))",
        "delete_orphaned_files('lake', older_than => now() - INTERVAL 1 DAY)",
    ]
    try:
        with FileLock(_lock_file(access.root), 0):
            _change(access, [(f"CALL ducklake_{step}", []) for step in cleanup], "lake")
    except Timeout:
        # A backup copies the files now. The next maintenance deletes them.
        return


@contextmanager
def keep_unused_files(root: Path, patience: float) -> Iterator[None]:
    """Let no maintenance delete a file of the lake while the context lasts.

    Args:
        root: folder of the lake.
        patience: seconds to wait for a maintenance that deletes files now.

    Raises:
        LakeError: a maintenance went on deleting files, or another backup holds them.
    """
    problem = "files of the lake are being deleted, or another backup copies them"
    with hold_lock(_lock_file(root), patience, LakeError, problem):
        yield


def _lock_file(root: Path) -> Path:
    return root / "cleanup.lock"


def _expire_snapshots(cursor: duckdb.DuckDBPyConnection, retention_days: int) -> None:
    expired = [row[0] for row in cursor.execute(_EXPIRED, [retention_days]).fetchall()]
    if expired:
        cursor.execute("CALL ducklake_expire_snapshots('lake', versions => ?)", [expired])


def _change(access: LakeAccess, statements: Sequence[tuple[str, Sequence[Any]]], name: str) -> None:
    def attempt(cursor: duckdb.DuckDBPyConnection) -> None:
        for statement, values in statements:
            cursor.execute(statement, values)

    if statements:
        access.alone(name, attempt)
