"""The lake: reading with SQL, and writing a table's days in one transaction.

What the tables are is said in ``lake.tables``; who may see which labels, in ``lake.point_in_time``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from quant_assets.errors import LakeError
from quant_assets.lake.connection import connect
from quant_assets.lake.schema import Table
from quant_assets.typing import AnyArray

_CONFLICTS = ("database is locked", "conflict", "failed to commit", "already exists", "busy")


@dataclass(frozen=True)
class Written:
    """What a write did: rows now in the days written, and the lake's snapshot that holds them."""

    rows: int
    snapshot: int


class Lake:
    """One process's access to the lake below a folder, opened on first use. Threads may share it.

    Args:
        root: folder of the lake; made if there is none, unless ``read_only``.
        read_only: refuse writes, and never make a lake.
        patience: seconds a write is retried while other writers are in the way.
    """

    def __init__(self, root: Path, *, read_only: bool = False, patience: float = 60.0) -> None:
        self._root = root
        self._read_only = read_only
        self._opening = Lock()
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._patience = patience
        self._known: set[str] = set()

    def close(self) -> None:
        """Release the lake's files."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def __enter__(self) -> "Lake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Rows of a SELECT as a frame; NULL numbers become NaN."""
        with self._cursor() as cursor:
            return cursor.execute(sql, parameters).df()

    def arrow(
        self, sql: str, parameters: Sequence[Any] = (), *, needs: Table | None = None
    ) -> pa.Table:
        """Rows of a SELECT as an Arrow table.

        Raises:
            LakeError: the table it ``needs`` was never written.
        """
        if needs is not None and not self.has(needs):
            raise LakeError(
                "a table has no rows yet",
                where=needs.name,
                hint=f"materialise the asset {needs.name.replace('.', '/')} first",
            )
        with self._cursor() as cursor:
            return cursor.execute(sql, parameters).to_arrow_table()

    def columns(
        self, sql: str, parameters: Sequence[Any] = (), *, needs: Table | None = None
    ) -> dict[str, AnyArray]:
        """Rows of a SELECT as one array per column; NULL numbers become NaN."""
        rows = self.arrow(sql, parameters, needs=needs)
        return {name: rows.column(name).to_numpy() for name in rows.column_names}

    def snapshot_id(self) -> int:
        """Id of the newest snapshot."""
        with self._cursor() as cursor:
            row = cursor.execute("FROM ducklake_current_snapshot('lake')").fetchone()
        return int(row[0]) if row else 0

    def has(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        if table.name not in self._known:
            found = self.query(
                "SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake'"
                " AND schema_name = ? AND table_name = ?",
                table.name.split(".", 1),
            )
            if len(found):
                self._known.add(table.name)
        return table.name in self._known

    def replace_days(
        self, table: Table, start: date, end: date, data: Mapping[str, Any]
    ) -> Written:
        """Make ``data`` the table's whole content from ``start`` to ``end``, both included.

        One transaction: at any moment, and after a crash at any moment, readers see the old days
        or the new ones. Columns go by name; a NaN is stored as NULL.

        Raises:
            LakeError: a day lies outside the range, or the write did not come through.
        """
        rows = to_arrow(table, data)
        days = rows.column(table.day_column).to_numpy()
        outside = days[(days < np.datetime64(start)) | (days > np.datetime64(end))]
        if len(outside):
            raise LakeError(
                "rows outside the days to be written",
                where=table.name,
                expected=f"{start} to {end}",
                found=str(outside[0]),
            )
        condition = f'WHERE "{table.day_column}" BETWEEN ? AND ?'
        return self._replace(table, rows, condition, [start, end])

    def replace_all(self, table: Table, data: Mapping[str, Any]) -> Written:
        """Make ``data`` the table's whole content, in one transaction."""
        return self._replace(table, to_arrow(table, data), "", [])

    def maintain(self, retention_days: int) -> None:
        """Merge small files, forget snapshots older than the retention, delete files no longer used."""
        with self._cursor() as cursor:
            cursor.execute(
                "CALL ducklake_expire_snapshots('lake',"
                " older_than => now()::TIMESTAMP - to_days(?::INTEGER))",
                [retention_days],
            )
            cursor.execute("CALL ducklake_merge_adjacent_files('lake')")
            cursor.execute("CALL ducklake_rewrite_data_files('lake')")
            cursor.execute(
                "CALL ducklake_cleanup_old_files('lake', older_than => now() - INTERVAL 1 HOUR)"
            )

    def _replace(self, table: Table, rows: pa.Table, condition: str, values: list[Any]) -> Written:
        def attempt() -> Written:
            with self._cursor() as cursor, _transaction(cursor):
                self._create(cursor, table)
                cursor.register("incoming", rows)
                cursor.execute(f"DELETE FROM {table.quoted} {condition}", values)
                cursor.execute(f"INSERT INTO {table.quoted} BY NAME SELECT * FROM incoming")
            return Written(rows.num_rows, self.snapshot_id())

        try:
            return Retrying(
                retry=retry_if_exception(_is_conflict),
                wait=wait_random_exponential(multiplier=0.02, max=1.0),
                stop=stop_after_delay(self._patience),
                reraise=True,
            )(attempt)
        except (duckdb.Error, OSError) as error:
            self._known.discard(table.name)
            raise LakeError(
                "the write did not come through; what was stored is unchanged",
                where=table.name,
                found=str(error).splitlines()[0],
                hint="check free disk space and permissions, then materialise again",
            ) from error

    def _create(self, cursor: duckdb.DuckDBPyConnection, table: Table) -> None:
        if self.has(table):
            return
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {table.name.split('.')[0]}")
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {table.quoted} ({table.ddl()})")
        for comment in table.comments():
            cursor.execute(comment)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._opening:
            if self._opened is None:
                self._opened = connect(self._root, read_only=self._read_only)
            cursor = self._opened.cursor()
        try:
            cursor.execute("USE lake")
            yield cursor
        finally:
            cursor.close()


@contextmanager
def _transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    cursor.begin()
    try:
        yield
        cursor.commit()
    except BaseException:
        # A failed commit has already ended the transaction: there is nothing left to roll back.
        with suppress(duckdb.TransactionException):
            cursor.rollback()
        raise


def _is_conflict(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, duckdb.Error) and any(mark in text for mark in _CONFLICTS)


def to_arrow(table: Table, data: Mapping[str, Any]) -> pa.Table:
    """The table's columns from arrays, in the table's order and types; NaN becomes null.

    Raises:
        LakeError: a column is missing or unknown.
    """
    expected, found = [column.name for column in table.columns], list(data)
    if set(expected) != set(found):
        raise LakeError(
            "columns do not match the table",
            where=table.name,
            expected=", ".join(sorted(set(expected) - set(found))) or "no further column",
            found=", ".join(sorted(set(found) - set(expected))) or "nothing in their place",
        )
    return pa.table(
        {column.name: _to_arrow_column(data[column.name], column.arrow) for column in table.columns}
    )


def _to_arrow_column(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return pa.array(values, type=kind, from_pandas=True)
