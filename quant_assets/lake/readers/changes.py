"""Rows that each snapshot inserted into a table, and a table as it was at a snapshot.

DuckLake can say so while it keeps the snapshots. It also lists deleted rows, but those of merged
files with wrong snapshots (DuckDB 1.5.5), so nothing here reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake

Rows = list[dict[str, Any]]


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
    """Read when the snapshots of a range of ids were stored, UTC, both ends included."""
    rows = lake.arrow(
        "SELECT snapshot_id, timezone('UTC', snapshot_time) AS stored_at"
        " FROM ducklake_snapshots('lake') WHERE snapshot_id BETWEEN ? AND ?",
        [first, last],
    ).to_pylist()
    return {row["snapshot_id"]: row["stored_at"] for row in rows}


def read_inserted(
    lake: Lake, table: Table, first: int, last: int, select: str = "*", grouped: str = ""
) -> dict[int, Rows]:
    """Read the rows that snapshots inserted into a table. A row that is replaced is one of them.

    Args:
        lake: the lake.
        table: the table, which may be missing.
        first: id of the first snapshot of the range.
        last: id of the last one.
        select: columns or aggregates beside the snapshot's id.
        grouped: columns by which the rows of a snapshot are grouped, for aggregates.

    Returns:
        The rows of each snapshot that inserted any, in the order of the snapshots.

    Raises:
        LakeError: the lake cannot be read, or a snapshot has expired.
    """
    if last < first or not lake.has(table):
        return {}
    first = max(first, _read_creation(lake, table))
    if last < first:
        return {}
    group = f" GROUP BY snapshot_id, {grouped}" if grouped else ""
    rows = lake.arrow(
        f"SELECT snapshot_id, {select} FROM ducklake_table_insertions('lake', '{table.schema}',"
        f" '{table.key[1]}', {first:d}, {last:d}){group} ORDER BY snapshot_id"
    ).to_pylist()
    inserted: dict[int, Rows] = {}
    for row in rows:
        inserted.setdefault(row.pop("snapshot_id"), []).append(row)
    return inserted


def read_at(
    lake: Lake,
    table: Table,
    snapshot: int,
    select: str = "*",
    condition: str = "true",
    parameters: Sequence[Any] = (),
) -> Rows:
    """Read the rows that a stored table had at a snapshot; none before it was created.

    Args:
        lake: the lake.
        table: the table.
        snapshot: id of the snapshot.
        select: columns.
        condition: SQL that the rows fulfil.
        parameters: values of the condition's parameters.

    Raises:
        LakeError: the lake cannot be read, or the snapshot has expired.
    """
    if snapshot < _read_creation(lake, table):
        return []
    rows: Rows = lake.arrow(
        f"SELECT {select} FROM {table.quoted} AT (VERSION => {snapshot:d}) WHERE {condition}",
        parameters,
    ).to_pylist()
    return rows


def _read_creation(lake: Lake, table: Table) -> int:
    """Read which snapshot created a stored table; 0 if that one has expired."""
    rows = lake.arrow(
        "SELECT coalesce(max(snapshot_id), 0) AS snapshot FROM ducklake_snapshots('lake')"
        " WHERE list_contains(changes['tables_created'], ?)",
        [table.name],
    )
    return int(rows["snapshot"][0].as_py())
