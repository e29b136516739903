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
import pandas as pd
import pyarrow as pa

from quant_assets.core.errors import LakeError
from quant_assets.core.typing import AnyArray
from quant_assets.lake.schemas.table import Table, to_arrow
from quant_assets.lake.store import changes
from quant_assets.lake.store.access import LakeAccess, newest_snapshot
from quant_assets.lake.store.changes import Change
from quant_assets.lake.store.connection import FILES
from quant_assets.lake.store.maintenance import maintain
from quant_assets.lake.store.spool import Spool
from quant_assets.lake.store.writing import carry_out, is_stored, read_stored_columns

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

    def has_column(self, table: Table, column: str) -> bool:
        """Return whether a stored table has a column, which one of an earlier version may lack."""
        key = f"{table.name}.{column}"
        if key not in self._known and self._access.read(
            lambda cursor: column in read_stored_columns(cursor, table), key
        ):
            self._known.add(key)
        return key in self._known

    def replace_days(
        self,
        table: Table,
        start: date,
        end: date,
        data: Mapping[str, Any] | Spool,
        *,
        supersede: str = "",
    ) -> WriteResult:
        """Replace a table's rows from ``start`` to ``end``, both included, in one transaction.

        At any moment, and after a crash at any moment, readers see either the old rows or the new
        rows. Columns that the stored table lacks are added to it. Stored columns that ``table`` no
        longer declares get NULL. If the table keeps live rows, days with live rows stay as they
        are, unless ``supersede`` is given.

        Args:
            table: the table.
            start: first day, by the table's day column.
            end: last day.
            data: all rows of these days, as one array for each column or collected before; NaN is
                stored as NULL.
            supersede: why a person replaces live rows, which then move to the schema superseded.

        Raises:
            LakeError: a row has no day or one outside the range, the columns do not fit, or the
                write did not come through.
        """
        return self.change(changes.replace_days(table, start, end, data, supersede))[0]

    def replace_all(self, table: Table, data: Mapping[str, Any]) -> WriteResult:
        """Replace all rows of a table by ``data``, as in :meth:`replace_days`."""
        return self.change(changes.replace_all(table, data))[0]

    def replace_matching(self, table: Table, column: str, data: Mapping[str, Any]) -> WriteResult:
        """Replace the rows that share a value of a column with new rows; all other rows stay.

        Args:
            table: the table.
            column: name of the column. Stored rows whose value is among the new values are deleted.
            data: the new rows, as in :meth:`replace_days`.

        Raises:
            LakeError: the columns do not fit, or the write did not come through.
        """
        return self.change(changes.replace_matching(table, column, data))[0]

    def change(self, *parts: Change) -> list[WriteResult]:
        """Carry out changes of one or several tables in one transaction, all or none.

        Raises:
            LakeError: the write did not come through.
        """

        def attempt(cursor: duckdb.DuckDBPyConnection) -> list[WriteResult]:
            inserted = carry_out(
                cursor, parts, files=self._root / FILES, prepared=frozenset(self._ready)
            )
            self._ready |= tables
            snapshot = newest_snapshot(cursor)
            return [WriteResult(rows, snapshot) for rows in inserted]

        tables = {part.table for part in parts}
        try:
            return self._access.alone(", ".join(sorted(table.name for table in tables)), attempt)
        except LakeError:
            self._ready -= tables
            raise

    def maintain(self, retention_days: int) -> None:
        """Merge small files, expire snapshots older than the retention, and delete unused files.

        Other processes may read and write meanwhile. A file is deleted days after its last
        snapshot expired, or at once if the retention is 0. A file that a dead writer left behind
        is deleted after a day.

        Raises:
            LakeError: a step did not come through. Maintenance can run again at any time.
        """
        maintain(self._access, retention_days)
