"""Rows that snapshots inserted into a table and deleted from it.

DuckLake can say so while it keeps the snapshots. What the changes mean belongs to the callers.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake

INSERTED, DELETED = "insert", "delete"
"""Values of ``change_type``: a row that is replaced is deleted and inserted."""


@dataclass(frozen=True)
class KeptSnapshots:
    """The snapshots that the lake keeps.

    Attributes:
        oldest: id of the oldest one; changes are known of the snapshots after it.
        newest: id of the newest one.
    """

    oldest: int
    newest: int


def read_kept_snapshots(lake: Lake) -> KeptSnapshots:
    """Read which snapshots the lake keeps.

    Raises:
        LakeError: the lake cannot be read.
    """
    row = lake.arrow(
        "SELECT min(snapshot_id) AS oldest, max(snapshot_id) AS newest"
        " FROM ducklake_snapshots('lake')"
    ).to_pylist()[0]
    return KeptSnapshots(**row)


def read_snapshot_moments(lake: Lake, first: int, last: int) -> dict[int, datetime]:
    """Read when the snapshots of a range of ids were stored, both ends included."""
    rows = lake.arrow(
        "SELECT snapshot_id, snapshot_time AT TIME ZONE 'UTC' AS stored_at"
        " FROM ducklake_snapshots('lake') WHERE snapshot_id BETWEEN ? AND ?",
        [first, last],
    ).to_pylist()
    return {row["snapshot_id"]: row["stored_at"] for row in rows}


def read_changes(
    lake: Lake, table: Table, first: int, last: int, select: str = "*", grouped: str = ""
) -> list[dict[str, Any]]:
    """Read the changed rows of a table, in the order of the snapshots.

    Args:
        lake: the lake.
        table: the table, which may be missing.
        first: id of the first snapshot whose changes are read; the one before it must be kept.
        last: id of the last one.
        select: columns or aggregates beside ``snapshot_id`` and ``change_type``.
        grouped: columns by which the rows are grouped beside these two, for aggregates.

    Returns:
        A dictionary for each row, or for each group.

    Raises:
        LakeError: the lake cannot be read, or a snapshot has expired.
    """
    if last < first or not lake.has(table):
        return []
    columns = "*" if select == "*" else f"snapshot_id, change_type, {select}"
    group = f" GROUP BY snapshot_id, change_type, {grouped}" if grouped else ""
    rows: list[dict[str, Any]] = lake.arrow(
        f"SELECT {columns} FROM ducklake_table_changes('lake', '{table.schema}',"
        f" '{table.key[1]}', {first:d}, {last:d}){group} ORDER BY snapshot_id"
    ).to_pylist()
    return rows
