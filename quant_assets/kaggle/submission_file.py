"""Submission and label files as they are: names, cells as numbers or text, oddities of the text.

Judging them belongs in ``submission_check``.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow.parquet import read_table

from quant_assets.core.errors import SubmissionError
from quant_assets.core.typing import BoolArray, FloatArray

CSV_TEXT = "text"
"""The kind of every column of a CSV file."""
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class FileColumn:
    """A column of a file.

    Attributes:
        name: its name.
        numbers: (n,) values; NaN where a cell is empty or no number.
        empty: (n,) which cells are empty.
        texts: the cells that are no numbers, by row.
        kind: how the file stores the column, such as ``double``, or ``CSV_TEXT``.
    """

    name: str
    numbers: FloatArray
    empty: BoolArray
    texts: dict[int, str]
    kind: str


@dataclass(frozen=True)
class TableFile:
    """A file with a header and rows.

    Attributes:
        path: the file.
        columns: its columns, in order.
        rows: number of rows under the header.
        oddities: what is unusual about its text, such as an encoding mark.
        blank_first_line: whether a blank line comes before the header.
    """

    path: Path
    columns: tuple[FileColumn, ...]
    rows: int
    oddities: tuple[str, ...] = ()
    blank_first_line: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def find(self, name: str) -> FileColumn | None:
        """Return the first column of a name; None without one."""
        return next((column for column in self.columns if column.name == name), None)


def read_file(path: Path) -> TableFile:
    """Read a CSV or Parquet file; which of the two it is follows from its first bytes.

    Raises:
        SubmissionError: the file is missing, empty, or neither of the two.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SubmissionError(
            "the file cannot be read", where=str(path), found=error.strerror
        ) from error
    if content.startswith(_PARQUET):
        return _read_parquet(path, content)
    return _read_csv(path, content)


def _read_parquet(path: Path, content: bytes) -> TableFile:
    try:
        table = read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise SubmissionError(
            "the Parquet file is damaged", where=str(path), found=str(error).splitlines()[0]
        ) from error
    columns = tuple(
        _convert_stored(name, column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    )
    return TableFile(path, columns, table.num_rows)


def _convert_stored(name: str, column: pa.ChunkedArray) -> FileColumn:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = column.cast(pa.float64()).to_numpy()
        empty = column.is_null().to_numpy()
        return FileColumn(name, np.asarray(numbers, dtype=np.float64), empty, {}, str(kind))
    cells = ["" if cell is None else str(cell) for cell in column.to_pylist()]
    return _convert_text(name, cells, str(kind))


def _read_csv(path: Path, content: bytes) -> TableFile:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SubmissionError(
            "the file is neither Parquet nor text in UTF-8",
            where=f"{path}, byte {error.start}",
            expected="a .csv or .parquet file",
            found=repr(content[:8]),
        ) from error
    lines = list(csv.reader(io.StringIO(text, newline="")))
    filled = [row for row in lines if any(cell.strip() for cell in row)]
    if not filled:
        raise SubmissionError("the file is empty", where=str(path), expected="a header and rows")
    oddities = [
        *(["it begins with a byte order mark"] if content.startswith(b"\xef\xbb\xbf") else []),
        *(["its lines end with CR and LF"] if b"\r\n" in content else []),
    ]
    header, rows = filled[0], filled[1:]
    uneven = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if uneven is not None:
        raise SubmissionError(
            "a row has another number of cells than the header",
            where=f"{path}, row {uneven + 1}",
            expected=f"{len(header)} cells",
            found=f"{len(rows[uneven])}",
        )
    cells = zip(*rows, strict=True) if rows else ((),) * len(header)
    columns = tuple(
        _convert_text(name.strip(), [cell.strip() for cell in column], CSV_TEXT)
        for name, column in zip(header, cells, strict=True)
    )
    return TableFile(path, columns, len(rows), tuple(oddities), lines[0] != filled[0])


def _convert_text(name: str, cells: list[str], kind: str) -> FileColumn:
    numbers = np.full(len(cells), np.nan)
    texts = {}
    for row, cell in enumerate(cells):
        try:
            numbers[row] = float(cell) if cell else np.nan
        except ValueError:
            texts[row] = cell
    empty = np.array([not cell or cell.lower() == "nan" for cell in cells], dtype=np.bool_)
    return FileColumn(name, numbers, empty, texts, kind)
