"""The lake: reading with SQL, and writing a table's days in one transaction.

What the tables are is said in ``lake.tables``; who may see which labels, in ``lake.point_in_time``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock, local
from typing import Any, TypeVar

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from filelock import FileLock
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from quant_assets.errors import LakeError
from quant_assets.lake.connection import FILES, connect
from quant_assets.lake.schema import Table, to_arrow
from quant_assets.lake.writing import COLUMNS, replace_rows
from quant_assets.typing import AnyArray

__all__ = ["Lake", "Written", "to_arrow"]

_CONFLICTS = ("database is locked", "conflict", "already exists")
_TABLES = (
    "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'lake' ORDER BY ALL"
)
T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]
"""Of a statement, by place or by name."""


@dataclass(frozen=True)
class Written:
    """What a write did: rows now in the days written, and a snapshot that holds them."""

    rows: int
    snapshot: int


class Lake:
    """One process's access to the lake below a folder, opened on first use. Threads may share it.

    Args:
        root: folder of the lake; made if there is none, unless ``read_only``.
        read_only: refuse writes, and never make a lake.
        snapshot: show the lake as it was then, for reading only.
        patience: seconds a write waits for other writers.
    """

    def __init__(
        self,
        root: Path,
        *,
        read_only: bool = False,
        snapshot: int | None = None,
        patience: float = 300.0,
    ) -> None:
        self._root = root
        self._read_only = read_only or snapshot is not None
        self._snapshot = snapshot
        self._opening = Lock()
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._of_thread = local()
        self._patience = patience
        self._ready: set[Table] = set()
        self._known: set[str] = set()

    @property
    def exists(self) -> bool:
        """Whether anything was ever written. Reading makes a lake where there is none."""
        return self._root.exists()

    def close(self) -> None:
        """Release the lake's files."""
        with self._opening:
            if self._opened is not None:
                self._of_thread = local()
                self._opened.close()
                self._opened = None

    def __enter__(self) -> "Lake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def at_once(self) -> Iterator[int]:
        """Let all reads of this thread meanwhile show one snapshot, an outer one's if any; its id.

        Raises:
            LakeError: the lake cannot be opened.
        """
        outer: int | None = getattr(self._of_thread, "snapshot", None)
        if outer is not None:
            yield outer
            return
        self._of_thread.snapshot = snapshot = self._read(_begun, "newest snapshot")
        try:
            yield snapshot
        finally:
            self._of_thread.snapshot = None
            self._cursor().rollback()

    def as_of(self, snapshot: int) -> "Lake":
        """The same lake as it was at a snapshot, for reading only."""
        return Lake(self._root, snapshot=snapshot, patience=self._patience)

    def query(self, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Rows of a SELECT as a frame; NULL numbers become NaN.

        Raises:
            LakeError: the lake cannot be opened, or DuckDB refuses the statement.
        """
        return self._read(lambda cursor: cursor.execute(sql, parameters).df(), sql)

    def arrow(
        self, sql: str, parameters: Parameters = (), *, needs: Table | None = None
    ) -> pa.Table:
        """Rows of a SELECT as an Arrow table.

        Raises:
            LakeError: the table it ``needs`` was never written, or as :meth:`query`.
        """
        if needs is not None and not self.has(needs):
            raise LakeError(
                "a table has no rows yet",
                where=needs.name,
                hint=f"materialise the asset {needs.name.replace('.', '/')} first",
            )
        return self._read(lambda cursor: cursor.execute(sql, parameters).to_arrow_table(), sql)

    def columns(
        self, sql: str, parameters: Parameters = (), *, needs: Table | None = None
    ) -> dict[str, AnyArray]:
        """Rows of a SELECT as one array per column; NULL numbers become NaN."""
        rows = self.arrow(sql, parameters, needs=needs)
        return {name: rows.column(name).to_numpy() for name in rows.column_names}

    def snapshot_id(self) -> int:
        """Id of the newest snapshot."""
        return self._read(_newest_snapshot, "newest snapshot")

    def has(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        if table.name not in self._known and len(self.query(COLUMNS, [table.name])):
            self._known.add(table.name)
        return table.name in self._known

    def replace_days(
        self, table: Table, start: date, end: date, data: Mapping[str, Any]
    ) -> Written:
        """Make ``data`` the table's whole content from ``start`` to ``end``, both included.

        One transaction: at any moment, and after a crash at any moment, readers see the old days
        or the new ones. Columns go by name; a NaN is stored as NULL. Columns that the stored table
        lacks are added to it; those it has and ``table`` no longer declares get NULL.

        Raises:
            LakeError: a row has no day or one outside the range, the columns do not fit, or the
                write did not come through.
        """
        rows = to_arrow(table, data)
        days = rows.column(table.day_column).to_numpy()
        inside = (days >= np.datetime64(start)) & (days <= np.datetime64(end))
        if not inside.all():
            raise LakeError(
                "rows outside the days to be written",
                where=table.name,
                expected=f"{start} to {end}",
                found=str(days[~inside][0]),
            )
        condition = f'WHERE "{table.day_column}" BETWEEN ? AND ?'
        return self._replace(table, rows, condition, [start, end])

    def replace_all(self, table: Table, data: Mapping[str, Any]) -> Written:
        """Make ``data`` the table's whole content, in one transaction."""
        return self._replace(table, to_arrow(table, data), "", [])

    def replace_matching(self, table: Table, column: str, data: Mapping[str, Any]) -> Written:
        """Put ``data`` in the place of the rows that have one of its values in ``column``.

        One transaction, as in :meth:`replace_days`; all other rows stay.
        """
        rows = to_arrow(table, data)
        values = rows.column(column).unique().to_pylist()
        return self._replace(table, rows, f'WHERE list_contains(?, "{column}")', [values])

    def maintain(self, retention_days: int) -> None:
        """Merge small files, forget snapshots older than the retention, delete unused files.

        Others may read and write meanwhile. A file is deleted an hour after its last snapshot went,
        and a day after a writer that died left it behind.

        Raises:
            LakeError: a step did not come through; it can be run again at any time.
        """
        expire = "CALL ducklake_expire_snapshots('lake', older_than => now() - to_days(?::INTEGER))"
        self._change([(expire, [retention_days])], "lake")
        for schema, name in self._read(lambda cursor: cursor.execute(_TABLES).fetchall(), _TABLES):
            self._change(
                [
                    (f"CALL ducklake_{step}('lake', ?, schema => ?)", [name, schema])
                    for step in ("rewrite_data_files", "merge_adjacent_files")
                ],
                f"{schema}.{name}",
            )
        cleanup = ["cleanup_old_files('lake', older_than => now() - INTERVAL 1 HOUR)"]
        # DuckLake finds orphans with a glob: in a folder named like a pattern, those of others too.
        if not set("*?[") & set(str(self._root)):
            cleanup.append("delete_orphaned_files('lake', older_than => now() - INTERVAL 1 DAY)")
        self._change([(f"CALL ducklake_{step}", []) for step in cleanup], "lake")

    def _replace(self, table: Table, rows: pa.Table, condition: str, values: list[Any]) -> Written:
        folder = self._root.joinpath(FILES, *table.name.split("."))

        def attempt(cursor: duckdb.DuckDBPyConnection) -> Written:
            replace_rows(
                cursor,
                table,
                rows,
                where=(condition, values),
                folder=folder,
                prepared=table in self._ready,
            )
            self._ready.add(table)
            return Written(rows.num_rows, _newest_snapshot(cursor))

        try:
            return self._alone(table.name, attempt)
        except LakeError:
            self._ready.discard(table)
            raise

    def _change(self, statements: Sequence[tuple[str, Sequence[Any]]], name: str) -> None:
        def attempt(cursor: duckdb.DuckDBPyConnection) -> None:
            for statement, values in statements:
                cursor.execute(statement, values)

        self._alone(name, attempt)

    def _alone(self, name: str, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Do the work while no other process writes; readers go on. The lock ends with its process.

        A SQLite catalogue refuses a commit if any other came since its transaction began, whichever
        the table: without a lock, short writes would make a long one start again for ever.
        """
        if self._read_only:
            raise LakeError("the lake is open for reading only", where=name)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with FileLock(self._root / "write.lock", self._patience, poll_interval=0.005):
                return self._retrying(work)
        except (duckdb.Error, OSError) as error:
            raise LakeError(
                "the write did not come through; what was stored is unchanged",
                where=f"{name} in {self._root}",
                found=str(error).splitlines()[0],
                hint="check free disk space, permissions and other writers, then try again",
            ) from error

    def _read(self, fetch: Callable[[duckdb.DuckDBPyConnection], T], what: str) -> T:
        try:
            return self._retrying(fetch)
        except duckdb.Error as error:
            raise LakeError("the lake cannot be read", where=what, found=str(error)) from error

    def _retrying(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        return Retrying(
            retry=retry_if_exception(_is_conflict),
            wait=wait_random_exponential(multiplier=0.02, max=1.0),
            stop=stop_after_delay(self._patience),
            reraise=True,
        )(lambda: work(self._cursor()))

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """The thread's connection, kept: opening one costs more than most reads."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._of_thread, "cursor", None)
        if cursor is None:
            with self._opening:
                if self._opened is None:
                    self._opened = connect(
                        self._root, read_only=self._read_only, snapshot=self._snapshot
                    )
                    # Most statements take milliseconds, of which waking a thread is a third.
                    self._opened.execute("SET threads = 1")
                cursor = self._opened.cursor()
            cursor.execute("USE lake")
            self._of_thread.cursor = cursor
        return cursor


def _begun(cursor: duckdb.DuckDBPyConnection) -> int:
    """Begin a transaction; the snapshot that it shows."""
    cursor.begin()
    try:
        return _newest_snapshot(cursor)
    except duckdb.Error:
        cursor.rollback()
        raise


def _newest_snapshot(cursor: duckdb.DuckDBPyConnection) -> int:
    row = cursor.execute("FROM ducklake_current_snapshot('lake')").fetchone()
    return int(row[0]) if row else 0


def _is_conflict(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, duckdb.Error) and any(mark in text for mark in _CONFLICTS)
