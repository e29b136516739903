"""The first and the last row of a file, read without the numbers between them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quant_assets.sources.competition.csv_text import CsvText, read_rows, read_text
from quant_assets.sources.competition.file_errors import no_rows_error, parse_whole_number
from quant_assets.sources.competition.file_state import until_changed
from quant_assets.sources.competition.files import ID, parse_number, read_header_with_id

_Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Edges:
    """The first and the last row of a file.

    Attributes:
        path: the file.
        first_id: ``date_id`` of the first row.
        first_line: line of the first row.
        last_id: ``date_id`` of the last row that has a line end.
        last_line: line of that row.
        filled: names of the columns in which the last row has a number.
        unfinished_line: number of a last line that has no end and is no row; None if there is none.
    """

    path: Path
    first_id: int
    first_line: int
    last_id: int
    last_line: int
    filled: frozenset[str]
    unfinished_line: int | None


@until_changed(16)
def read_edges(path: Path) -> Edges:
    """Read the first and the last whole row of a file, without the rows between them.

    Raises:
        SourceError: the header, the first or the last row is malformed.
    """
    header, text = read_header_with_id(path), read_text(path)
    (first_line, first), (last_line, last) = _read_edge_rows(text, len(header))
    position = header.index(ID)
    numbers = {name: parse_number(cell) for name, cell in zip(header, last, strict=True)}
    return Edges(
        path,
        parse_whole_number(path, ID, first[position], first_line),
        first_line,
        parse_whole_number(path, ID, last[position], last_line),
        last_line,
        frozenset(name for name, x in numbers.items() if x is not None and not np.isnan(x)),
        text.unfinished_line,
    )


def _read_edge_rows(text: CsvText, width: int) -> tuple[_Row, _Row]:
    """Read the line number and the fields of the first and the last row."""
    rows = read_rows(text, width)
    first = next(rows, None)
    if first is None:
        raise no_rows_error(text.path, text.unfinished_line)
    end = len(text.lines)
    while text.lines[end - 1] in b"\r\n":
        end -= 1
    begin = text.lines.rfind(b"\n", 0, end) + 1
    last = text.lines[begin:end].decode()
    if '"' not in last and "\r" not in last and last.count(",") == width - 1:
        return first, (text.lines.count(b"\n", 0, begin) + 1, last.split(","))
    # The last row may span several lines, or is malformed.
    *_, row = first, *rows
    return first, row
