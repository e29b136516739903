"""Streaming the columns of files that have a column per series.

Counting and collecting their cells belongs in ``wide_history`` and ``wide_cells``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray, IntArray
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.market_series import ColumnPlace, MarketSeries
from quant_assets.sources.files.numbers import parse_cells
from quant_assets.sources.files.queries import (
    FILE,
    cell_of,
    join_days,
    register_days,
    stream,
    table_of,
)

_COLUMNS = 1500
_BATCH = 4096


@dataclass(frozen=True)
class ColumnCells:
    """Cells of one column of wide files that belong to one series.

    Attributes:
        rows: (r,) rows among the days that are read.
        files: r files.
        column: position of the series.
        numbers: (r,) numbers; NaN where a cell is empty or holds text.
        texts: texts by position in these arrays.
    """

    rows: IntArray
    files: Sequence[str]
    column: int
    numbers: FloatArray
    texts: dict[int, str]


def stream_columns(
    connection: duckdb.DuckDBPyConnection,
    group: FileGroup,
    rows: Mapping[str, int],
    texts: Mapping[str, date],
    named: MarketSeries,
) -> Iterator[ColumnCells]:
    """Read the cells of a group, some columns and rows at a time.

    Args:
        connection: a connection.
        group: the files.
        rows: row of each day that is read, by how the files write the day.
        texts: days by how the files write them.
        named: instruments and series; columns that hold no series are not read.

    Raises:
        SourceError: a file cannot be read.
    """
    wanted = [i for i in group.others if group.header.names[i] in named.columns]
    register_days(connection, texts, rows)
    days = np.empty(max(rows.values(), default=-1) + 1, dtype="datetime64[D]")
    days[list(rows.values())] = [texts[text] for text in rows]
    for first in range(0, len(wanted), _COLUMNS):
        block = wanted[first : first + _COLUMNS]
        cells = ", ".join(cell_of(group, i) for i in block)
        query = f"SELECT d.place, t.{FILE}, {cells} FROM {table_of(group)} {join_days(group)}"
        for batch in stream(connection, group, query, _BATCH):
            at, files = batch.column(0).to_numpy(), batch.column(1).to_pylist()
            for i, column in enumerate(block, start=2):
                numbers, cell_texts = parse_cells(batch.column(i))
                for place in named.columns[group.header.names[column]]:
                    part = ColumnCells(at, files, place.series, numbers, cell_texts)
                    yield part if place.is_whole else _select(part, _is_within(days[at], place))


def _is_within(days: DayArray, place: ColumnPlace) -> BoolArray:
    result: BoolArray = (days >= np.datetime64(place.first)) & (days <= np.datetime64(place.last))
    return result


def _select(cells: ColumnCells, wanted: BoolArray) -> ColumnCells:
    """Return some of the cells."""
    at = np.flatnonzero(wanted)
    return ColumnCells(
        cells.rows[at],
        [cells.files[i] for i in at.tolist()],
        cells.column,
        cells.numbers[at],
        {i: cells.texts[int(row)] for i, row in enumerate(at) if int(row) in cells.texts},
    )
