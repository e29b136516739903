"""Read the competition's CSV files as numbers: fast, and slowly where a cell holds text.

``sources.competition.folder`` joins the files and dates their rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.sources.competition.csv_header import read_header
from quant_assets.sources.competition.csv_text import CsvText, find_line, read_rows, read_text
from quant_assets.sources.competition.file_errors import (
    file_error,
    list_names,
    no_rows_error,
    parse_whole_number,
    suggest_names,
)
from quant_assets.sources.competition.file_state import until_changed
from quant_assets.sources.competition.text_cells import check_mostly_numbers
from quant_assets.sources.deliveries import UnreadCell

ID = "date_id"
_EMPTY = frozenset({"", "nan", "NaN", "null"})


@dataclass(frozen=True)
class NumberTable:
    """The whole lines of one CSV file.

    Attributes:
        path: the file.
        date_ids: (n,) ids of the rows, strictly ascending.
        columns: names of the c columns, without ``date_id``.
        values: (n, c) numbers as in the file; NaN where empty or unread.
        unread: cells that hold text instead of a number.
        unfinished_line: number of a last line that has no end and is no row; None if there is none.
    """

    path: Path
    date_ids: IntArray
    columns: tuple[str, ...]
    values: FloatArray
    unread: tuple[UnreadCell, ...] = ()
    unfinished_line: int | None = None

    def line_of(self, row: int) -> int:
        """Return the line of a row in the file; it reads the file again, to name it in an error."""
        return find_line(self.path, row)


def read_header_with_id(path: Path) -> tuple[str, ...]:
    """Read the names of a file's columns, which must include ``date_id``.

    Raises:
        SourceError: the file is missing or not CSV, a name repeats, or there is no ``date_id``.
    """
    header = read_header(path)
    if ID not in header:
        raise file_error(
            f"the {ID} column is missing",
            path,
            line=1,
            column=ID,
            expected=f"a column {ID}",
            found=list_names(list(header)),
            hint=suggest_names(ID, list(header), "the first line must name the columns"),
        )
    return header


@until_changed(4)
def read_numbers(path: Path, columns: tuple[str, ...] | None = None) -> NumberTable:
    """Read the numbers of all rows of a file that have a line end.

    Empty cells and the words nan, NaN and null are NaN. Other text is returned in ``unread``.

    Args:
        path: file with a ``date_id`` column.
        columns: columns to read, in this order; all columns by default.

    Raises:
        SourceError: the file's structure is wrong, or too many cells are text, as
            :func:`check_mostly_numbers` defines.
    """
    header = read_header_with_id(path)
    wanted = columns or tuple(name for name in header if name != ID)
    missing = next((name for name in wanted if name not in header), None)
    if missing is not None:
        raise file_error(
            "a column is missing",
            path,
            line=1,
            column=missing,
            expected=f"{len(wanted)} columns with {missing!r} among them",
            found=f"{len(header)} columns without it",
            hint=suggest_names(missing, sorted(set(header) - set(wanted)), "compare the headers"),
        )
    text = read_text(path)
    ids, values, unread = _parse_fast(text, wanted) or _parse_slowly(text, header, wanted)
    if not len(ids):
        raise no_rows_error(path, text.unfinished_line)
    _check_ascending(path, ids)
    return NumberTable(path, ids, wanted, values, unread, text.unfinished_line)


_Parsed = tuple[IntArray, FloatArray, tuple[UnreadCell, ...]]


def _parse_fast(text: CsvText, wanted: tuple[str, ...]) -> _Parsed | None:
    """Parse the rows; None if a cell holds text, or an id is wrong."""
    types = {ID: pa.int64()} | dict.fromkeys(wanted, pa.float64())
    options = arrow_csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=sorted(_EMPTY),
        strings_can_be_null=True,
    )
    try:
        table = arrow_csv.read_csv(pa.BufferReader(text.lines), convert_options=options)
    except pa.ArrowException:
        return None
    ids, *columns = table.columns
    if ids.null_count or (ids.to_numpy() < 0).any():
        return None
    return ids.to_numpy(), _stack_columns([c.to_numpy() for c in columns], len(table)), ()


def _stack_columns(columns: list[FloatArray], length: int) -> FloatArray:
    return np.column_stack(columns) if columns else np.empty((length, 0))


def _check_ascending(path: Path, ids: IntArray) -> None:
    wrong = np.flatnonzero(np.diff(ids) <= 0) + 1
    if len(wrong):
        row = int(wrong[0])
        repeated = ids[row] in ids[:row]
        raise file_error(
            f"a {ID} occurs twice" if repeated else f"{ID} is not in ascending order",
            path,
            line=find_line(path, row),
            column=ID,
            expected=f"more than {ids[row - 1]}, that of the row before",
            found=int(ids[row]),
            hint="remove the repeated row" if repeated else f"sort the rows by {ID}",
        )


def _parse_slowly(text: CsvText, header: tuple[str, ...], wanted: tuple[str, ...]) -> _Parsed:
    """Parse the rows and collect cells with text; raise an error for the first wrong row or id."""
    ids: list[int] = []
    rows: list[list[str]] = []
    for line, fields in read_rows(text, len(header)):
        ids.append(parse_whole_number(text.path, ID, fields[header.index(ID)], line))
        rows.append(fields)
    if not rows:
        raise no_rows_error(text.path, text.unfinished_line)
    by_name = dict(zip(header, zip(*rows, strict=True), strict=True))
    parsed = [_parse_column(by_name[name]) for name in wanted]
    unread = tuple(
        UnreadCell(row, name, cell)
        for name, (_, cells) in zip(wanted, parsed, strict=True)
        for row, cell in cells
    )
    values = _stack_columns([numbers for numbers, _ in parsed], len(rows))
    check_mostly_numbers(text.path, wanted, values, unread)
    return np.array(ids), values, unread


def _parse_column(cells: Sequence[str]) -> tuple[FloatArray, list[tuple[int, str]]]:
    """Parse a column into numbers, NaN where empty or text, and its texts with their rows."""
    filled = [None if cell in _EMPTY else cell for cell in cells]
    try:
        return pa.array(filled, pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False), []
    except pa.ArrowInvalid:
        numbers = [np.nan if text is None else parse_number(text) for text in filled]
    texts = [(row, cells[row]) for row, number in enumerate(numbers) if number is None]
    return np.array(numbers, dtype=np.float64), texts


def parse_number(text: str) -> float | None:
    """Parse a cell; None if it holds no number."""
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None
