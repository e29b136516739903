"""Read the competition's CSV files as numbers: fast, and slowly where a cell holds text.

``sources.competition.folder`` joins the files and dates their rows.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.sources.competition.file_errors import (
    check_mostly_numbers,
    file_error,
    line_number_of,
    no_rows_error,
    parse_whole_number,
    read_csv_rows,
    read_header,
    suggest_names,
)
from quant_assets.sources.protocol import UnreadCell

ID = "date_id"
_EMPTY = ("", "nan", "NaN", "null")
_TAIL_BYTES = 1 << 17


@dataclass(frozen=True)
class NumberTable:
    """The content of one CSV file.

    Attributes:
        path: the file.
        date_ids: (n,) ids of the rows, strictly ascending.
        columns: names of the c columns, without ``date_id``.
        values: (n, c) numbers as in the file; NaN where empty or unread.
        unread: cells that hold text instead of a number.
    """

    path: Path
    date_ids: IntArray
    columns: tuple[str, ...]
    values: FloatArray
    unread: tuple[UnreadCell, ...] = ()


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
            found=", ".join(header[:5]) + " …",
            hint=suggest_names(ID, list(header), "the first line must name the columns"),
        )
    return header


def read_numbers(
    path: Path, *, columns: Sequence[str] | None = None, leave_out: Sequence[str] = ()
) -> NumberTable:
    """Read the numbers of all rows of a file.

    Empty cells and the words nan, NaN and null are NaN. Other text is returned in ``unread``.

    Args:
        path: file with a ``date_id`` column.
        columns: columns to read, in this order; all columns by default.
        leave_out: columns that are not read, if ``columns`` is None.

    Raises:
        SourceError: the file's structure is wrong, or too many cells are text, as
            :func:`check_mostly_numbers` defines.
    """
    stat = path.stat() if path.exists() else None
    unchanged = (stat.st_mtime_ns, stat.st_size) if stat else None
    return _read_numbers(path, columns and tuple(columns), tuple(leave_out), unchanged)


@lru_cache(maxsize=4)
def _read_numbers(
    path: Path,
    columns: tuple[str, ...] | None,
    leave_out: tuple[str, ...],
    unchanged: tuple[int, int] | None,
) -> NumberTable:
    """Read a file and cache it until its time or size, ``unchanged``, differ.

    A run reads the same rows several times.
    """
    header = read_header_with_id(path)
    wanted = tuple(columns or (name for name in header if name not in (ID, *leave_out)))
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
    try:
        table = _parse(path, {ID: pa.int64()} | dict.fromkeys(wanted, pa.float64()))
        values = _stack_columns([column.to_numpy() for column in table.columns[1:]], len(table))
        unread: tuple[UnreadCell, ...] = ()
    except pa.ArrowInvalid:
        values, unread = _read_with_text(path, header, wanted)
        table = _parse(path, {ID: pa.int64()})
    ids = table[ID]
    if ids.null_count or (ids.to_numpy() < 0).any():
        _check_rows(path, header)
    _check_ascending(path, ids.to_numpy())
    return NumberTable(path, ids.to_numpy(), wanted, values, unread)


def _parse(path: Path, types: dict[str, pa.DataType]) -> pa.Table:
    options = arrow_csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=_EMPTY,
        strings_can_be_null=True,
    )
    return arrow_csv.read_csv(path, convert_options=options)


def _stack_columns(columns: list[FloatArray], length: int) -> FloatArray:
    return np.column_stack(columns) if columns else np.empty((length, 0))


def _check_ascending(path: Path, ids: IntArray) -> None:
    if len(ids) == 0:
        raise no_rows_error(path)
    wrong = np.flatnonzero(np.diff(ids) <= 0) + 1
    if len(wrong):
        row = int(wrong[0])
        repeated = ids[row] in ids[:row]
        raise file_error(
            f"a {ID} occurs twice" if repeated else f"{ID} is not in ascending order",
            path,
            line=line_number_of(row),
            column=ID,
            expected=f"more than {ids[row - 1]}, that of the row before",
            found=int(ids[row]),
            hint="remove the repeated row" if repeated else f"sort the rows by {ID}",
        )


def _check_rows(path: Path, header: tuple[str, ...]) -> None:
    """Raise an error for the first row of the wrong length or without a ``date_id``; slow."""
    for line, fields in read_csv_rows(path, len(header)):
        parse_whole_number(path, ID, fields[header.index(ID)], line)


def _read_with_text(
    path: Path, header: tuple[str, ...], wanted: tuple[str, ...]
) -> tuple[FloatArray, tuple[UnreadCell, ...]]:
    _check_rows(path, header)
    try:
        table = _parse(path, dict.fromkeys((ID, *wanted), pa.string()))
    except pa.ArrowInvalid as error:
        raise file_error(
            "the file is not CSV",
            path,
            expected="comma-separated text in UTF-8, a row to a line",
            found=str(error)[:200],
        ) from error
    parsed = [_parse_column(table[name]) for name in wanted]
    unread = tuple(
        UnreadCell(row, name, text)
        for name, (_, texts) in zip(wanted, parsed, strict=True)
        for row, text in texts
    )
    values = _stack_columns([numbers for numbers, _ in parsed], len(table))
    check_mostly_numbers(path, wanted, values, unread)
    return values, unread


def _parse_column(column: pa.ChunkedArray) -> tuple[FloatArray, list[tuple[int, str]]]:
    """Parse a column into numbers, NaN where empty or text, and its texts with their rows."""
    try:
        return column.cast(pa.float64()).to_numpy(), []
    except pa.ArrowInvalid:
        cells = column.to_pylist()
    numbers = [np.nan if text is None else _parse_number(text) for text in cells]
    texts = [(row, cells[row]) for row, number in enumerate(numbers) if number is None]
    return np.array(numbers, dtype=np.float64), texts


def _parse_number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def read_edge_ids(path: Path) -> tuple[int, int]:
    """Read the first and the last ``date_id`` of a file, without the rows between them.

    Raises:
        SourceError: the header, the first or the last row is malformed.
    """
    header = read_header_with_id(path)
    with path.open("rb") as file:
        file.readline()
        first = file.readline()
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        last = file.read().rstrip().rsplit(b"\n", 1)[-1]
    if not first.strip():
        raise no_rows_error(path)
    return _parse_id(path, header, first), _parse_id(path, header, last)


def _parse_id(path: Path, header: tuple[str, ...], line: bytes) -> int:
    fields = next(csv.reader([line.decode("utf-8", errors="replace")]))
    text = fields[header.index(ID)] if len(fields) == len(header) else ""
    if not text.isdecimal():
        _check_rows(path, header)
        raise SourceError(f"{path} changed while it was read")
    return int(text)


def read_small_file(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Read the line number and fields of each row of a small file.

    Args:
        path: the file.
        columns: the columns that the file must have, in this order.

    Raises:
        SourceError: the file has other columns, a row of the wrong length, or no rows.
    """
    header = read_header(path)
    if header != columns:
        raise file_error(
            "wrong columns",
            path,
            line=1,
            expected=",".join(columns),
            found=",".join(header)[:200],
        )
    line = 0
    for line, fields in read_csv_rows(path, len(columns)):
        yield line, fields
    if line == 0:
        raise no_rows_error(path)
