"""Streaming the columns of files that have a column per series.

Counting and collecting their cells belongs in ``wide_history`` and ``wide_cells``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.instruments import SeriesList
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.numbers import parse_cells
from quant_assets.sources.files.queries import (
    FILE,
    cell_of,
    join_days,
    register_places,
    stream,
    table_of,
)

_COLUMNS = 1500
_BATCH = 4096


@dataclass(frozen=True)
class ColumnCells:
    """Cells of one column of wide files.

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
    rows: dict[str, int],
    series: SeriesList,
) -> Iterator[ColumnCells]:
    """Read the cells of a group, some columns and rows at a time.

    Args:
        connection: a connection.
        group: the files.
        rows: row of each day that is read, by how the files write the day.
        series: the series; columns of other names are not read.

    Raises:
        SourceError: a file cannot be read.
    """
    wanted = [i for i in group.others if group.header.names[i] in series.by_column]
    register_places(connection, "days", list(rows), list(rows.values()))
    for first in range(0, len(wanted), _COLUMNS):
        block = wanted[first : first + _COLUMNS]
        cells = ", ".join(cell_of(group, i) for i in block)
        query = f"SELECT d.place, t.{FILE}, {cells} FROM {table_of(group)} {join_days(group)}"
        for batch in stream(connection, group, query, _BATCH):
            at, files = batch.column(0).to_numpy(), batch.column(1).to_pylist()
            for i, column in enumerate(block, start=2):
                name = group.header.names[column]
                yield ColumnCells(at, files, series.by_column[name], *parse_cells(batch.column(i)))
