"""The lake: reading with SQL, and writing a table's days in one transaction.

The tables are declared in ``lake.schemas``. Labels are read by ``lake.readers.point_in_time`` only.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from quant_assets.core.errors import LakeError
from quant_assets.core.typing import AnyArray
from quant_assets.lake.schemas.table import Table, to_arrow
from quant_assets.lake.store.access import LakeAccess, newest_snapshot
from quant_assets.lake.store.connection import FILES
from quant_assets.lake.store.maintenance import maintain
from quant_assets.lake.store.writing import is_stored, replace_rows

__all__ = ["Lake", "WriteResult", "to_arrow"]

T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]
"""Values of a statement's parameters, by position or by name."""


@dataclass(frozen=True)
class WriteResult:
    """The result of a write: the number of written rows, and a snapshot that holds them."""

    rows: int
    snapshot: int


class Lake:
    """One process's access to the lake below a folder, opened on first use. Threads may share it.

    Args:
        root: folder of the lake; it is created if it is missing, unless ``read_only``.
        read_only: refuse writes, and never create a lake.
        snapshot: id of the snapshot to show, for reading only; None shows the newest.
        patience: seconds that a write waits for other writers.
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
        self._patience = patience
        self._access = LakeAccess(root, read_only=read_only, snapshot=snapshot, patience=patience)
        self._ready: set[Table] = set()
        self._known: set[str] = set()
        self._computed: dict[str, tuple[Hashable, Any]] = {}

    @property
    def exists(self) -> bool:
        """Whether the folder of the lake exists. A read creates it too, unless ``read_only``."""
        return self._root.exists()

    def close(self) -> None:
        """Release the lake's files."""
        self._access.close()

    def __enter__(self) -> "Lake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at_once(self) -> AbstractContextManager[int]:
        """Let all reads of this thread within the context show one snapshot; yield its id.

        Within another such context, its snapshot stays.

        Raises:
            LakeError: the lake cannot be opened.
        """
        return self._access.at_once()

    def once_a_snapshot(self, name: str, compute: Callable[[], T], *dependencies: Hashable) -> T:
        """Compute a value from one snapshot of the lake, once for each snapshot.

        The newest value is kept in memory, so that sensors, which ask again and again, do not
        compute it again until something is written.

        Args:
            name: name of the value.
            compute: computes the value from the lake, and must not change the lake.
            dependencies: everything that the value depends on besides the lake.
        """
        with self.at_once() as snapshot:
            inputs = (snapshot, *dependencies)
            known = self._computed.get(name)
            if known is None or known[0] != inputs:
                known = self._computed[name] = inputs, compute()
        value: T = known[1]
        return value

    def as_of(self, snapshot: int) -> "Lake":
        """Return the lake as it was at a snapshot, for reading only."""
        return Lake(self._root, snapshot=snapshot, patience=self._patience)

    def query(self, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Return the rows of a SELECT as a frame; NULL numbers become NaN.

        Raises:
            LakeError: the lake cannot be opened, or DuckDB refuses the statement.
        """
        return self._access.read(lambda cursor: cursor.execute(sql, parameters).df(), sql)

    def arrow(
        self, sql: str, parameters: Parameters = (), *, needs: Table | None = None
    ) -> pa.Table:
        """Return the rows of a SELECT as an Arrow table.

        Args:
            sql: the statement.
            parameters: values of its parameters.
            needs: a table that the statement reads.

        Raises:
            LakeError: the table ``needs`` was never written, the lake cannot be opened, or DuckDB
                refuses the statement.
        """
        if needs is not None and not self.has(needs):
            raise LakeError(
                "a table has no rows yet",
                where=needs.name,
                hint=f"materialise the asset {needs.name.replace('.', '/')} first",
            )
        return self._access.read(
            lambda cursor: cursor.execute(sql, parameters).to_arrow_table(), sql
        )

    def columns(
        self, sql: str, parameters: Parameters = (), *, needs: Table | None = None
    ) -> dict[str, AnyArray]:
        """Return the rows of a SELECT as an array for each column; NULL numbers become NaN.

        Arguments and errors are as for :meth:`arrow`.
        """
        rows = self.arrow(sql, parameters, needs=needs)
        return {name: rows.column(name).to_numpy() for name in rows.column_names}

    def snapshot_id(self) -> int:
        """Return the id of the newest snapshot."""
        return self._access.read(newest_snapshot, "newest snapshot")

    def has(self, table: Table) -> bool:
        """Return whether the table was ever written."""
        if table.name not in self._known and self._access.read(
            lambda cursor: is_stored(cursor, table), table.name
        ):
            self._known.add(table.name)
        return table.name in self._known

    def replace_days(
        self, table: Table, start: date, end: date, data: Mapping[str, Any]
    ) -> WriteResult:
        """Replace a table's rows from ``start`` to ``end``, both included, in one transaction.

        At any moment, and after a crash at any moment, readers see either the old rows or the new
        rows. Columns that the stored table lacks are added to it. Stored columns that ``table`` no
        longer declares get NULL.

        Args:
            table: the table.
            start: first day, by the table's day column.
            end: last day.
            data: all rows of these days, as one array for each column; NaN is stored as NULL.

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

    def replace_all(self, table: Table, data: Mapping[str, Any]) -> WriteResult:
        """Replace all rows of a table by ``data``, as in :meth:`replace_days`."""
        return self._replace(table, to_arrow(table, data), "", [])

    def replace_matching(self, table: Table, column: str, data: Mapping[str, Any]) -> WriteResult:
        """Replace the rows that share a value of a column with new rows; all other rows stay.

        Args:
            table: the table.
            column: name of the column. Stored rows whose value is among the new values are deleted.
            data: the new rows, as in :meth:`replace_days`.

        Raises:
            LakeError: the columns do not fit, or the write did not come through.
        """
        rows = to_arrow(table, data)
        values = rows.column(column).unique().to_pylist()
        return self._replace(table, rows, f'WHERE list_contains(?, "{column}")', [values])

    def maintain(self, retention_days: int) -> None:
        """Merge small files, expire snapshots older than the retention, and delete unused files.

        Other processes may read and write meanwhile. A file is deleted days after its last
        snapshot expired, or at once if the retention is 0. A file that a dead writer left behind
        is deleted after a day.

        Raises:
            LakeError: a step did not come through. Maintenance can run again at any time.
        """
        maintain(self._access, retention_days)

    def _replace(
        self, table: Table, rows: pa.Table, condition: str, values: list[Any]
    ) -> WriteResult:
        folder = self._root.joinpath(FILES, *table.name.split("."))

        def attempt(cursor: duckdb.DuckDBPyConnection) -> WriteResult:
            replace_rows(
                cursor,
                table,
                rows,
                where=(condition, values),
                folder=folder,
                prepared=table in self._ready,
            )
            self._ready.add(table)
            return WriteResult(rows.num_rows, newest_snapshot(cursor))

        try:
            return self._access.alone(table.name, attempt)
        except LakeError:
            self._ready.discard(table)
            raise
