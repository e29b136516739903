"""Keeping the lake small: merging files, forgetting snapshots, deleting files that nobody reads.

What is said of it to callers is in ``lake.store.lake``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from quant_assets.lake.store.access import LakeAccess

# DuckLake tells a table's files by its name alone: of namesakes the larger counts hold for all.
_TABLES = """
    SELECT schema_name, table_name, files, deletions FROM duckdb_tables()
    JOIN (
        SELECT table_name, max(file_count) AS files, max(delete_file_count) AS deletions
        FROM ducklake_table_info('lake') GROUP BY table_name
    ) USING (table_name)
    WHERE database_name = 'lake' ORDER BY ALL
"""


def maintain(access: LakeAccess, root: Path, retention_days: int) -> None:
    """Do what :meth:`quant_assets.lake.store.lake.Lake.maintain` says.

    Args:
        access: to the lake.
        root: folder of the lake.
        retention_days: days that a snapshot can be read back.

    Raises:
        LakeError: a step did not come through.
    """
    expire = "CALL ducklake_expire_snapshots('lake', older_than => now() - to_days(?::INTEGER))"
    _change(access, [(expire, [retention_days])], "lake")
    tables = access.read(lambda one: one.execute(_TABLES).fetchall(), _TABLES)
    for schema, name, files, deletions in tables:
        # To find that there is nothing to do takes DuckLake a third of all this.
        steps = ["rewrite_data_files"] * (deletions > 0) + ["merge_adjacent_files"] * (files > 1)
        _change(
            access,
            [(f"CALL ducklake_{step}('lake', ?, schema => ?)", [name, schema]) for step in steps],
            f"{schema}.{name}",
        )
    # In a SQLite catalogue moments are text, and those of one day compare as equal: of two days
    # at least one is whole, for readers that have just heard of a file.
    kept = 2 if retention_days else 0
    cleanup = [f"cleanup_old_files('lake', older_than => now() - to_days({kept}))"]
    # DuckLake finds orphans with a glob: in a folder named like a pattern, those of others too.
    if not set("*?[") & set(str(root)):
        cleanup.append("delete_orphaned_files('lake', older_than => now() - INTERVAL 1 DAY)")
    _change(access, [(f"CALL ducklake_{step}", []) for step in cleanup], "lake")


def _change(access: LakeAccess, statements: Sequence[tuple[str, Sequence[Any]]], name: str) -> None:
    def attempt(cursor: duckdb.DuckDBPyConnection) -> None:
        for statement, values in statements:
            cursor.execute(statement, values)

    if statements:
        access.alone(name, attempt)
