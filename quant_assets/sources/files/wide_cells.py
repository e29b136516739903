"""Reading the cells of files that have a column per series.

Files with a row per instrument and day belong in ``long_cells``.
"""

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import AnyArray, DayArray
from quant_assets.market.description.values import quote
from quant_assets.sources.files.cells import Cells
from quant_assets.sources.files.history import PriceHistory
from quant_assets.sources.files.queries import open_connection
from quant_assets.sources.files.wide_columns import ColumnCells, stream_columns


def read_wide(history: PriceHistory, days: DayArray) -> Cells:
    """Read the cells of some days, each with a column per series.

    Args:
        history: the history of the files.
        days: (n,) the days, ascending.

    Raises:
        SourceError: a file cannot be read, or two cells of a series and day differ.
    """
    cells = Cells.empty(days, history.named.series)
    taken = np.zeros(cells.values.shape, dtype=bool)
    row_of = {day: row for row, day in enumerate(days)}
    with open_connection() as connection:
        for group, texts in zip(history.groups, history.day_texts, strict=True):
            rows = {text: row_of.get(np.datetime64(day)) for text, day in texts.items()}
            wanted = {text: row for text, row in rows.items() if row is not None}
            if not wanted:
                continue
            for part in stream_columns(connection, group, wanted, texts, history.named):
                _write(cells, taken, part)
    return cells


def _write(cells: Cells, taken: AnyArray, part: ColumnCells) -> None:
    """Write cells where none is written yet, and compare the others with what is."""
    columns = np.full(len(part.rows), part.column)
    repeated = taken[part.rows, part.column]
    order = np.arange(len(part.rows))
    last = np.zeros(len(taken), dtype=np.int64)
    last[part.rows] = order
    repeated |= last[part.rows] != order
    taken[part.rows, part.column] = True
    for mask in (~repeated, repeated):
        at = np.flatnonzero(mask)
        texts = {i: part.texts[int(row)] for i, row in enumerate(at) if int(row) in part.texts}
        arguments = (part.rows[at], columns[at], part.numbers[at], texts)
        if mask is not repeated:
            cells.write(*arguments)
        elif (conflict := cells.find_conflict(*arguments)) is not None:
            raise _conflict_error(cells, part, int(at[conflict]))


def _conflict_error(cells: Cells, part: ColumnCells, at: int) -> SourceError:
    row = int(part.rows[at])
    written = cells.texts.get((row, part.column), float(cells.values[row, part.column]))
    repeated = part.texts.get(at, float(part.numbers[at]))
    return SourceError(
        "two rows of one day differ",
        where=f"{part.files[at]}, column {quote(cells.series.columns[part.column])}",
        expected=f"one row of {cells.days[row]}, or equal rows",
        found=f"{_show(written)} and {_show(repeated)}",
        hint="remove the wrong row",
    )


def _show(cell: float | str) -> str:
    return "an empty cell" if isinstance(cell, float) and np.isnan(cell) else str(cell)
