"""Reading a small CSV table beside a description: its header and its rows, with their lines.

What the columns mean does not belong here; prices are read by sources.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant_assets.core.errors import MarketError, suggest_names
from quant_assets.market.description.values import list_names, place_of, quote
from quant_assets.market.description.yaml_file import read_text

_MOST_BYTES = 50_000_000


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        file: the table.
        line: line of the row's end; the header is line 1.
        cells: text by name of the column, without spaces at the ends.
    """

    file: Path
    line: int
    cells: dict[str, str]

    def error(self, problem: str, column: str, **parts: Any) -> MarketError:
        """Build the error for a fault in a cell."""
        where = f"{place_of(self.file, self.line)}, column {quote(column)}"
        return MarketError(problem, where=where, **{"found": quote(self.cells[column]), **parts})


@dataclass(frozen=True)
class Table:
    """A CSV table.

    Attributes:
        file: the file.
        columns: names of the columns, each once.
        rows: the rows, at least one.
    """

    file: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(file: Path) -> Table:
    """Read a CSV table.

    Raises:
        MarketError: the file cannot be read, is no CSV, has no rows or repeats a column.
    """
    lines = csv.reader(read_text(file, _MOST_BYTES).splitlines(keepends=True), strict=True)
    try:
        header = tuple(cell.strip() for cell in next(lines, []))
        _check_header(file, header)
        rows = tuple(_read_rows(file, header, lines))
    except csv.Error as error:
        raise MarketError(
            "the table is not CSV",
            where=place_of(file, lines.line_num),
            expected="fields, separated by commas",
            found=str(error),
            hint="look for a stray quote",
        ) from None
    if not rows:
        raise MarketError(
            "the table has no rows",
            where=str(file),
            expected="at least one row",
            found="a header only",
        )
    return Table(file, header, rows)


def _check_header(file: Path, header: tuple[str, ...]) -> None:
    repeated = [name for name in header if header.count(name) > 1]
    if not header or "" in header or repeated:
        raise MarketError(
            "the table's header cannot be used",
            where=place_of(file, 1),
            expected="a name for every column, each once",
            found=f"{quote(repeated[0])} twice" if repeated else list_names(header) or "nothing",
        )


def _read_rows(file: Path, header: tuple[str, ...], lines: Any) -> Iterator[Row]:
    for cells in lines:
        if not cells:
            continue
        if len(cells) != len(header):
            raise MarketError(
                "a row has another number of fields",
                where=place_of(file, lines.line_num),
                expected=f"{len(header)} fields, as in the header",
                found=f"{len(cells)} fields",
                hint="quote a field that holds a comma",
            )
        yield Row(file, lines.line_num, dict(zip(header, map(str.strip, cells), strict=True)))


def require_column(table: Table, name: str) -> str:
    """Return the name of a column.

    Raises:
        MarketError: the table lacks it.
    """
    if name in table.columns:
        return name
    raise MarketError(
        "the table lacks a column",
        where=place_of(table.file, 1),
        expected=quote(name),
        found=list_names(table.columns),
        hint=suggest_names(name, table.columns),
    )
