"""Reading the cells of files that have a row per instrument and day.

Rows are streamed, so memory follows the days that are read and not the files. Wide files belong in
``wide_cells``.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import AnyArray, DayArray, IntArray
from quant_assets.market.description.values import quote
from quant_assets.sources.files.cells import Cells
from quant_assets.sources.files.history import PriceHistory
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.long_history import join_instruments
from quant_assets.sources.files.numbers import parse_cells
from quant_assets.sources.files.queries import (
    FILE,
    cell_of,
    day_column,
    fetch,
    join_days,
    open_connection,
    register_days,
    stream,
    table_of,
)

_BATCH = 131_072


def read_long(history: PriceHistory, days: DayArray) -> Cells:
    """Read the cells of some days, each with a column per series.

    Args:
        history: the history of the files.
        days: (n,) the days, ascending.

    Raises:
        SourceError: a file cannot be read, or two rows of an instrument and day differ.
    """
    reader = _LongReader(history, days)
    with open_connection() as connection:
        for group, texts in zip(history.groups, history.day_texts, strict=True):
            rows = {text: reader.row_of.get(np.datetime64(day)) for text, day in texts.items()}
            wanted = {text: row for text, row in rows.items() if row is not None}
            if wanted:
                register_days(connection, texts, wanted)
                reader.read(connection, group)
    return reader.cells


class _LongReader:
    """Writes the rows of files into cells, and refuses rows that contradict each other."""

    def __init__(self, history: PriceHistory, days: DayArray) -> None:
        self._history = history
        self._named = history.named
        self.cells = Cells.empty(days, self._named.series)
        self.row_of = {day: row for row, day in enumerate(days)}
        self._columns = _columns_of(history)
        self._count = len(self._named.instruments)
        # The number of the row that was read for each day and instrument; -1 if none was.
        self._owner: AnyArray = np.full(len(days) * self._count, -1, dtype=np.int32)
        self._read = 0

    def read(self, connection: duckdb.DuckDBPyConnection, group: FileGroup) -> None:
        """Read the rows of a group whose days are in the registered table ``days``."""
        fields = [field for field in group.fields if field in self._columns]
        columns = [f"{cell_of(group, group.fields[field])} AS {field}" for field in fields]
        join = join_instruments(connection, group, self._named)
        query = (
            f"SELECT d.place AS row, w.place AS instrument, {', '.join(columns)} "
            f"FROM {table_of(group)} {join_days(group)} {join}"
        )
        for batch in stream(connection, group, query, _BATCH):
            if batch.num_rows:
                self._write(batch, fields)

    def _write(self, batch: Any, fields: Sequence[str]) -> None:
        rows, instruments = batch.column(0).to_numpy(), batch.column(1).to_numpy()
        keys = rows * self._count + instruments
        numbers = np.arange(self._read, self._read + len(keys), dtype=np.int32)
        self._read += len(keys)
        before = self._owner[keys] >= 0
        self._owner[keys] = numbers
        repeated = before | (self._owner[keys] != numbers)
        for i, field in enumerate(fields):
            columns = self._columns[field][instruments]
            values, texts = parse_cells(batch.column(2 + i))
            known = columns >= 0
            self._write_field(rows, columns, values, texts, known & ~repeated)
            if repeated.any():
                self._compare(rows, columns, values, texts, known & repeated, field, instruments)

    def _write_field(
        self,
        rows: IntArray,
        columns: IntArray,
        values: AnyArray,
        texts: dict[int, str],
        mask: AnyArray,
    ) -> None:
        at = np.flatnonzero(mask)
        self.cells.write(rows[at], columns[at], values[at], _select(texts, at))

    def _compare(
        self,
        rows: IntArray,
        columns: IntArray,
        values: AnyArray,
        texts: dict[int, str],
        mask: AnyArray,
        field: str,
        instruments: IntArray,
    ) -> None:
        at = np.flatnonzero(mask)
        conflict = self.cells.find_conflict(rows[at], columns[at], values[at], _select(texts, at))
        if conflict is not None:
            row, instrument = int(rows[at[conflict]]), int(instruments[at[conflict]])
            raise _conflict_error(self._history, self.cells.days[row], instrument, field)


def _columns_of(history: PriceHistory) -> dict[str, IntArray]:
    """Return the column of each instrument by field; -1 where it lacks the field."""
    named = history.named
    place = {instrument.name: i for i, instrument in enumerate(named.instruments)}
    columns: dict[str, IntArray] = {}
    for column, series in enumerate(named.series.series):
        of_field = columns.setdefault(series.field, np.full(len(place), -1, dtype=np.int64))
        of_field[place[series.instrument]] = column
    return columns


def _select(texts: dict[int, str], at: IntArray) -> dict[int, str]:
    if not texts:
        return {}
    return {i: texts[int(row)] for i, row in enumerate(at) if int(row) in texts}


def _conflict_error(
    history: PriceHistory, day: np.datetime64, instrument: int, field: str
) -> SourceError:
    """Build the error for two rows that differ, with the files and the values of both."""
    name = history.named.instruments[instrument].name
    cells: dict[str, str] = {}
    with open_connection() as connection:
        for group, texts in zip(history.groups, history.day_texts, strict=True):
            join = join_instruments(connection, group, history.named)
            written = [text for text, parsed in texts.items() if np.datetime64(parsed) == day]
            if field not in group.fields or not written:
                continue
            register_days(connection, texts, dict.fromkeys(written, 0))
            query = (
                f"SELECT CAST(t.c{group.fields[field]} AS VARCHAR), {FILE} "
                f"FROM {table_of(group)} {join_days(group)} {join} WHERE w.place = ? "
                f"AND list_contains(?, CAST({day_column(group)} AS VARCHAR)) ORDER BY ALL LIMIT 100"
            )
            for cell, file in fetch(connection, group, query, instrument, written):
                cells.setdefault("an empty cell" if cell is None else cell, file)
    (first, file), (second, other) = [*cells.items(), ("another value", "another file")][:2]
    return SourceError(
        "two rows of one symbol and day differ",
        where=file if file == other else f"{file} and {other}",
        expected=f"one row of {quote(name)} on {day}, or equal rows",
        found=f"{field} {first} and {second}",
        hint="remove the wrong row",
    )
