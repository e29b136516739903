"""The competition's CSV files as numbers, read fast; slowly only where something is not a number.

What a column means, which day a row is and which files make up a folder is decided in
``sources.competition.folder``.
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
    checked_header,
    did_you_mean,
    file_error,
    line_number_of,
    no_rows,
    rows,
    whole_number,
)
from quant_assets.sources.protocol import UnreadCell

ID = "date_id"
_EMPTY = ("", "nan", "NaN", "null")
_TAIL_BYTES = 1 << 17


@dataclass(frozen=True)
class NumberTable:
    """One CSV file, read.

    Attributes:
        path: the file.
        date_ids: (n,) strictly ascending.
        columns: c names, without ``date_id``.
        values: (n, c) numbers as given, NaN where empty or unread.
        unread: cells that hold something other than a number.
    """

    path: Path
    date_ids: IntArray
    columns: tuple[str, ...]
    values: FloatArray
    unread: tuple[UnreadCell, ...] = ()


def header_with_id(path: Path) -> tuple[str, ...]:
    """Names of the columns, ``date_id`` among them.

    Raises:
        SourceError: the file is missing or not CSV, a name repeats, or there is no ``date_id``.
    """
    header = checked_header(path)
    if ID not in header:
        raise file_error(
            f"the {ID} column is missing",
            path,
            line=1,
            column=ID,
            expected=f"a column {ID}",
            found=", ".join(header[:5]) + " …",
            hint=did_you_mean(ID, list(header), "the first line must name the columns"),
        )
    return header


def read_numbers(
    path: Path, *, columns: Sequence[str] | None = None, leave_out: Sequence[str] = ()
) -> NumberTable:
    """All rows of a file.

    Args:
        path: file with a ``date_id`` column.
        columns: which columns, in which order; all of the file's if None.
        leave_out: columns that need not be numbers and are not wanted.

    Empty cells and the words nan, NaN and null are NaN. Other text comes back in ``unread``.

    Raises:
        SourceError: the file's structure is wrong, or so many cells are text that the file must
            be another one: over 1 % (and over 5) of them, or all of a column with over 5.
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
    """Kept as long as the file is ``unchanged``: one run asks for the same rows several times."""
    header = header_with_id(path)
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
            hint=did_you_mean(missing, sorted(set(header) - set(wanted)), "compare the headers"),
        )
    try:
        table = _parse(path, {ID: pa.int64()} | dict.fromkeys(wanted, pa.float64()))
        values = _matrix([column.to_numpy() for column in table.columns[1:]], len(table))
        unread: tuple[UnreadCell, ...] = ()
    except pa.ArrowInvalid:
        values, unread = _read_with_text(path, header, wanted)
        table = _parse(path, {ID: pa.int64()})
    ids = table[ID]
    if ids.null_count or (ids.to_numpy() < 0).any():
        _check_rows(path, header)
    return NumberTable(path, _ascending(path, ids.to_numpy()), wanted, values, unread)


def _parse(path: Path, types: dict[str, pa.DataType]) -> pa.Table:
    options = arrow_csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=_EMPTY,
        strings_can_be_null=True,
    )
    return arrow_csv.read_csv(path, convert_options=options)


def _matrix(columns: list[FloatArray], length: int) -> FloatArray:
    return np.column_stack(columns) if columns else np.empty((length, 0))


def _ascending(path: Path, ids: IntArray) -> IntArray:
    if len(ids) == 0:
        raise no_rows(path)
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
    return ids


def _check_rows(path: Path, header: tuple[str, ...]) -> None:
    """Refuse, at its line, the first row of another length or without a ``date_id``; slow."""
    for line, fields in rows(path, len(header)):
        whole_number(path, ID, fields[header.index(ID)], line)


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
    read = [_numbers(table[name]) for name in wanted]
    unread = tuple(
        UnreadCell(row, name, text)
        for name, (_, texts) in zip(wanted, read, strict=True)
        for row, text in texts
    )
    values = _matrix([numbers for numbers, _ in read], len(table))
    check_mostly_numbers(path, wanted, values, unread)
    return values, unread


def _numbers(column: pa.ChunkedArray) -> tuple[FloatArray, list[tuple[int, str]]]:
    """A column's numbers, NaN where there is none, and its texts with their rows."""
    try:
        return column.cast(pa.float64()).to_numpy(), []
    except pa.ArrowInvalid:
        cells = column.to_pylist()
    numbers = [np.nan if text is None else _number(text) for text in cells]
    texts = [(row, cells[row]) for row, number in enumerate(numbers) if number is None]
    return np.array(numbers, dtype=np.float64), texts


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def edge_ids(path: Path) -> tuple[int, int]:
    """First and last ``date_id`` of a file, without reading what lies between.

    Raises:
        SourceError: the header, the first or the last row is malformed.
    """
    header = header_with_id(path)
    with path.open("rb") as file:
        file.readline()
        first = file.readline()
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        last = file.read().rstrip().rsplit(b"\n", 1)[-1]
    if not first.strip():
        raise no_rows(path)
    return _id_in(path, header, first), _id_in(path, header, last)


def _id_in(path: Path, header: tuple[str, ...], line: bytes) -> int:
    fields = next(csv.reader([line.decode("utf-8", errors="replace")]))
    text = fields[header.index(ID)] if len(fields) == len(header) else ""
    if not text.isdecimal():
        _check_rows(path, header)
        raise SourceError(f"{path} changed while it was read")
    return int(text)


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each row of a small file with exactly these columns.

    Raises:
        SourceError: other columns, a row of another length, or no rows.
    """
    header = checked_header(path)
    if header != columns:
        raise file_error(
            "wrong columns",
            path,
            line=1,
            expected=",".join(columns),
            found=",".join(header)[:200],
        )
    line = 0
    for line, fields in rows(path, len(columns)):
        yield line, fields
    if line == 0:
        raise no_rows(path)
