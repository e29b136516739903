"""Rows of a vendor's CSV file. What the columns mean belongs in the module of the vendor."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date
from io import StringIO

from quant_assets.core.errors import SourceError, suggest_names


def read_csv_rows(text: str, where: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Read the header of a CSV file, and its rows with their lines.

    Empty columns at the right end are left out, and so are empty lines.

    Args:
        text: the file.
        where: its address, for errors.

    Returns:
        The names of the columns, and an iterator of (line, cells).

    Raises:
        SourceError: the header is missing, or a row has another number of cells.
    """
    reader = csv.reader(StringIO(text))
    header = [name.strip() for name in next(reader, [])]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise SourceError("a CSV file has no header", where=where, expected="names of columns")

    def rows() -> Iterator[tuple[int, list[str]]]:
        for row in reader:
            cells = [cell.strip() for cell in row]
            while len(cells) > len(header) and not cells[-1]:
                cells.pop()
            if any(cells) and len(cells) != len(header):
                raise SourceError(
                    "a row of a CSV file has another number of cells",
                    where=f"{where}, line {reader.line_num}",
                    expected=f"{len(header)} cells",
                    found=len(cells),
                    hint="the file may have been cut",
                )
            if any(cells):
                yield reader.line_num, cells

    return header, rows()


def require_columns(header: Sequence[str], names: Sequence[str], where: str) -> list[int]:
    """Return the positions of columns.

    Args:
        header: names of all columns.
        names: the required columns.
        where: the file's address, for errors.

    Raises:
        SourceError: a column is missing; it may have been renamed.
    """
    for name in names:
        if name not in header:
            raise SourceError(
                "a column is missing",
                where=where,
                expected=name,
                found=", ".join(header)[:200],
                hint=suggest_names(name, header, "the vendor may have renamed it"),
            )
    return [list(header).index(name) for name in names]


def parse_day(text: str, where: str) -> date:
    """Parse a day such as 2026-01-02.

    Args:
        text: the cell.
        where: its place, for errors.

    Raises:
        SourceError: it is not a day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    raise SourceError("a cell is not a day", where=where, expected="2026-01-02", found=repr(text))
