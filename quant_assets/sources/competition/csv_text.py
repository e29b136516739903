"""The text of a CSV file: the rows of its whole lines, and whether a last line is unfinished.

``sources.competition.csv_header`` reads the header, ``files`` the numbers.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from quant_assets.core.errors import SourceError
from quant_assets.sources.competition.csv_header import check_text, parse_header
from quant_assets.sources.competition.file_errors import (
    file_error,
    hint_at_whole_file,
    no_rows_error,
    quote,
)
from quant_assets.sources.competition.file_state import read_bytes


@dataclass(frozen=True)
class CsvText:
    """The text of a CSV file.

    Attributes:
        path: the file.
        lines: the header and the rows, each with its line end.
        unfinished_line: number of a last line without a line end, which is still being written
            and is not among ``lines``; None if there is none.
    """

    path: Path
    lines: bytes
    unfinished_line: int | None


def read_text(path: Path) -> CsvText:
    """Read the header and the rows that are whole, as text.

    Raises:
        SourceError: the file is missing, empty or not text in UTF-8.
    """
    content = read_bytes(path)
    parse_header(path, content)
    end = content.rfind(b"\n") + 1
    lines, rest = content[:end], content[end:]
    check_text(path, lines)
    return CsvText(path, lines, lines.count(b"\n") + 1 if rest.strip() else None)


def read_rows(text: CsvText, width: int | None) -> Iterator[tuple[int, list[str]]]:
    """Read the line number and fields of every row under the header, slowly.

    A row that spans several lines has the number of the first.

    Args:
        text: the file's text.
        width: number of fields that every row must have; None for any.

    Raises:
        SourceError: a row has more or fewer fields, or is not CSV.
    """
    file = io.TextIOWrapper(io.BytesIO(text.lines), encoding="utf-8-sig", newline="")
    reader = csv.reader(file, strict=True)
    is_header = True
    while True:
        begin = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise file_error(
                "the file is not CSV",
                text.path,
                line=begin,
                expected="fields, separated by commas",
                found=str(error),
                hint="look for a stray quote in this row",
            ) from error
        if fields and not is_header:
            if width not in (None, len(fields)):
                raise _width_error(text.path, begin, width or 0, fields)
            yield begin, fields
        is_header = False


def _width_error(path: Path, line: int, width: int, fields: list[str]) -> SourceError:
    return file_error(
        "a row has another number of fields",
        path,
        line=line,
        expected=f"{width} fields, as in the header",
        found=f"{len(fields)} fields, the last {quote(fields[-1])}",
        hint=hint_at_whole_file(path)
        if len(fields) < width
        else "look for a stray comma or quote in this row, or for decimal commas",
    )


def find_line(path: Path, row: int) -> int:
    """Find the line of a data row, counted from 0; empty lines are no rows but count as lines.

    Raises:
        SourceError: the file cannot be read.
    """
    numbers = (line for line, _ in read_rows(read_text(path), None))
    return next(islice(numbers, row, None), row + 2)


def read_small_file(path: Path, columns: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """Read the line number and fields of each row of a small file.

    Args:
        path: the file.
        columns: the columns that the file must have, in this order.

    Raises:
        SourceError: the file has other columns, a row of the wrong length, no rows, or a last line
            without an end.
    """
    text = read_text(path)
    header = parse_header(path, text.lines)
    if header != columns:
        raise file_error(
            "wrong columns",
            path,
            line=1,
            expected=",".join(columns),
            found=",".join(header)[:200],
        )
    rows = list(read_rows(text, len(columns)))
    if text.unfinished_line is not None:
        raise file_error(
            "the last line has no end",
            path,
            line=text.unfinished_line,
            expected="a line end after each row",
            found="a line that is still being written, or is cut short",
            hint="wait until the file is written; if it is whole, add a line end to its last line",
        )
    if not rows:
        raise no_rows_error(path)
    return rows
