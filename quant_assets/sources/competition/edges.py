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
        first_id: ``date_id`` of the first row.
        last_id: ``date_id`` of the last row that has a line end.
        filled: names of the columns in which the last row has a number.
        unfinished_line: number of a last line that has no end and is no row; None if there is none.
    """

    first_id: int
    last_id: int
    filled: frozenset[str]
    unfinished_line: int | None


@until_changed(16)
def read_edges(path: Path) -> Edges:
    """Read the first and the last whole row of a file, without the rows between them.

    Raises:
        SourceError: the header, the first or the last row is malformed.
    """
    header, text = read_header_with_id(path), read_text(path)
    ids: list[int] = []
    cells: dict[str, str] = {}
    for line, fields in _read_edge_rows(text, len(header)):
        cells = dict(zip(header, fields, strict=True))
        ids.append(parse_whole_number(path, ID, cells[ID], line))
    numbers = {name: parse_number(cell) for name, cell in cells.items()}
    filled = frozenset(name for name, x in numbers.items() if x is not None and not np.isnan(x))
    return Edges(ids[0], ids[-1], filled, text.unfinished_line)


def _read_edge_rows(text: CsvText, width: int) -> tuple[_Row, _Row]:
    """Read the line number and the fields of the first and the last row."""
    rows = read_rows(text, width)
    first = next(rows, None)
    if first is None:
        raise no_rows_error(text.path, text.unfinished_line)
    end = len(text.lines.rstrip(b"\r\n"))
    begin = text.lines.rfind(b"\n", 0, end) + 1
    last = text.lines[begin:end].decode()
    if '"' not in last and "\r" not in last and last.count(",") == width - 1:
        return first, (text.lines.count(b"\n", 0, begin) + 1, last.split(","))
    # The last row may span several lines, or is malformed.
    *_, row = first, *rows
    return first, row
