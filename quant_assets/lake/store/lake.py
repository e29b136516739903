"""The lake: reading with SQL, and writing a table's days in one transaction.

What the tables are is said in ``lake.schemas.tables``; who may see which labels, in
``lake.readers.point_in_time``.
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
"""Of a statement, by place or by name."""


@dataclass(frozen=True)
class WriteResult:
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
        self._patience = patience
        self._access = LakeAccess(root, read_only=read_only, snapshot=snapshot, patience=patience)
        self._ready: set[Table] = set()
        self._known: set[str] = set()
        self._computed: dict[str, tuple[Hashable, Any]] = {}

    @property
    def exists(self) -> bool:
        """Whether anything was ever written. Reading makes a lake where there is none."""
        return self._root.exists()

    def close(self) -> None:
        """Release the lake's files."""
        self._access.close()

    def __enter__(self) -> "Lake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at_once(self) -> AbstractContextManager[int]:
        """Let all reads of this thread meanwhile show one snapshot, an outer one's if any; its id.

        Raises:
            LakeError: the lake cannot be opened.
        """
        return self._access.at_once()

    def once_a_snapshot(self, name: str, compute: Callable[[], T], *given: Hashable) -> T:
        """Compute a value from one snapshot of the lake, once for each snapshot.

        The newest value is kept in memory: whoever looks again, as sensors do, finds it there
        while nothing was written.

        Args:
            name: of the value.
            compute: reads the lake, and must not change it.
            given: all that the value depends on besides the lake.
        """
        with self.at_once() as snapshot:
            inputs = (snapshot, *given)
            known = self._computed.get(name)
            if known is None or known[0] != inputs:
                known = self._computed[name] = inputs, compute()
        value: T = known[1]
        return value

    def as_of(self, snapshot: int) -> "Lake":
        """The same lake as it was at a snapshot, for reading only."""
        return Lake(self._root, snapshot=snapshot, patience=self._patience)

    def query(self, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
        """Rows of a SELECT as a frame; NULL numbers become NaN.

        Raises:
            LakeError: the lake cannot be opened, or DuckDB refuses the statement.
        """
        return self._access.read(lambda one: one.execute(sql, parameters).df(), sql)

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
        return self._access.read(lambda one: one.execute(sql, parameters).to_arrow_table(), sql)

    def columns(
        self, sql: str, parameters: Parameters = (), *, needs: Table | None = None
    ) -> dict[str, AnyArray]:
        """Rows of a SELECT as one array per column; NULL numbers become NaN."""
        rows = self.arrow(sql, parameters, needs=needs)
        return {name: rows.column(name).to_numpy() for name in rows.column_names}

    def snapshot_id(self) -> int:
        """Id of the newest snapshot."""
        return self._access.read(newest_snapshot, "newest snapshot")

    def has(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        if table.name not in self._known and self._access.read(
            lambda one: is_stored(one, table), table.name
        ):
            self._known.add(table.name)
        return table.name in self._known

    def replace_days(
        self, table: Table, start: date, end: date, data: Mapping[str, Any]
    ) -> WriteResult:
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

    def replace_all(self, table: Table, data: Mapping[str, Any]) -> WriteResult:
        """Make ``data`` the table's whole content, in one transaction."""
        return self._replace(table, to_arrow(table, data), "", [])

    def replace_matching(self, table: Table, column: str, data: Mapping[str, Any]) -> WriteResult:
        """Put ``data`` in the place of the rows that have one of its values in ``column``.

        One transaction, as in :meth:`replace_days`; all other rows stay.
        """
        rows = to_arrow(table, data)
        values = rows.column(column).unique().to_pylist()
        return self._replace(table, rows, f'WHERE list_contains(?, "{column}")', [values])

    def maintain(self, retention_days: int) -> None:
        """Merge small files, forget snapshots older than the retention, delete unused files.

        Others may read and write meanwhile: a file is deleted days after its last snapshot went, at
        once if nothing is to be retained; and a day after a writer that died left it behind.

        Raises:
            LakeError: a step did not come through; it can be run again at any time.
        """
        maintain(self._access, self._root, retention_days)

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
