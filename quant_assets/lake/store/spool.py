"""Rows that are collected on disk, block by block, until one transaction writes them.

A single block stays in memory. Further blocks go to a file without a name, so that memory does not
grow with the number of blocks.
"""

import weakref
from collections.abc import Iterable, Mapping
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import pyarrow as pa

from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.table import Table, to_arrow

_ROWS_AT_ONCE = 50_000


class Spool:
    """Rows of a table, in the order in which they were added.

    Args:
        table: the table.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._first: pa.Table | None = None
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._days = np.empty(0, "datetime64[D]")

    @property
    def days(self) -> DayArray:
        """The days of all rows, ascending."""
        return self._days

    def add(self, data: Mapping[str, Any]) -> None:
        """Add rows.

        Args:
            data: one array for each column; NaN is stored as NULL.

        Raises:
            LakeError: the columns do not fit.
        """
        rows = to_arrow(self.table, data)
        days = np.unique(rows.column(self.table.day_column).to_numpy()).astype("datetime64[D]")
        self._days = np.union1d(self._days, days)
        if self._first is None and self._writer is None:
            self._first = rows
            return
        if self._writer is None and self._first is not None:
            # The file lasts as long as this object, and the system deletes it.
            self._file = TemporaryFile(prefix="quant_assets-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)
            self._writer = pa.ipc.new_stream(self._file, rows.schema)
            self._write(self._first)
            self._first = None
        self._write(rows)

    def rows(self) -> pa.Table | pa.RecordBatchReader:
        """Return all rows, as a table or as a reader, which a further call gives again.

        No rows can be added afterwards.
        """
        if self._file is None or self._writer is None:
            return self._first if self._first is not None else self._no_rows()
        self._writer.close()
        self._file.seek(0)
        return pa.ipc.open_stream(self._file)

    def _write(self, rows: pa.Table) -> None:
        if self._writer is not None:
            self._writer.write_table(rows, max_chunksize=_ROWS_AT_ONCE)

    def _no_rows(self) -> pa.Table:
        return to_arrow(self.table, {column.name: [] for column in self.table.columns})


def collect(table: Table, blocks: Iterable[Mapping[str, Any]]) -> Spool:
    """Collect blocks of rows.

    Args:
        table: the table.
        blocks: blocks of rows, each with one array for each column.

    Raises:
        LakeError: the columns of a block do not fit.
    """
    spool = Spool(table)
    for block in blocks:
        spool.add(block)
    return spool
