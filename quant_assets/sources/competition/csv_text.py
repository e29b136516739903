"""A CSV file read once as text: its header, the rows of its whole lines, and an unfinished line.

Numbers do not belong here; ``sources.competition.files`` reads them.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from quant_assets.core.errors import SourceError
from quant_assets.sources.competition.file_errors import AGAIN, file_error
from quant_assets.sources.competition.file_state import read_bytes, until_changed

_HEADER_BYTES = 1 << 20
_OTHER_FORMATS = (b"PAR1", b"PK\3\4", b"<", b"{")
_OTHER_DELIMITERS = ";\t|"


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


@until_changed(16)
def read_header(path: Path) -> tuple[str, ...]:
    """Read the names of a CSV file's columns.

    Raises:
        SourceError: the file is missing, empty or not comma-separated text, or a name repeats.
    """
    return _parse_header(path, read_bytes(path, _HEADER_BYTES))


def read_text(path: Path) -> CsvText:
    """Read the header and the rows that are whole, as text.

    Raises:
        SourceError: the file is missing, empty or not text in UTF-8.
    """
    content = read_bytes(path)
    _parse_header(path, content[:_HEADER_BYTES])
    end = content.rfind(b"\n") + 1
    lines, rest = content[:end], content[end:]
    _check_text(path, lines)
    return CsvText(path, lines, lines.count(b"\n") + 1 if rest.strip() else None)


def _parse_header(path: Path, content: bytes) -> tuple[str, ...]:
    line, end, _ = content.partition(b"\n")
    if not content.strip():
        raise file_error("the file is empty", path, expected="a header and rows", found="no header")
    if b"\0" in line or line.lstrip(b"\xef\xbb\xbf \t\r").startswith(_OTHER_FORMATS):
        raise _not_csv(path, line)
    _check_line_ends(path, line, end)
    _check_text(path, line)
    try:
        header = next(csv.reader([line.decode("utf-8-sig").rstrip("\r")], strict=True))
    except (csv.Error, StopIteration) as error:
        raise file_error(
            "the header is not CSV",
            path,
            line=1,
            expected="the names of the columns, separated by commas",
            found=f"{line[:60]!r}" + (f": {error}" if str(error) else ""),
            hint="look for a stray quote",
        ) from error
    _check_names(path, header)
    return tuple(header)


def _not_csv(path: Path, line: bytes) -> SourceError:
    return file_error(
        "the file is not CSV",
        path,
        expected="comma-separated text in UTF-8",
        found=f"a file that begins with {line[:20]!r}",
        hint="convert it to CSV, or download it again if it is an error page",
    )


def _check_line_ends(path: Path, line: bytes, end: bytes) -> None:
    if not line.strip():
        raise file_error(
            "the first line is empty",
            path,
            line=1,
            expected="the names of the columns",
            found="an empty line",
            hint="remove the empty lines above the header",
        )
    if end:
        return
    if b"\r" in line.rstrip(b"\r"):
        raise file_error(
            "the lines end with carriage returns only",
            path,
            expected="line ends of Unix (LF) or Windows (CRLF)",
            found="CR without LF, as old programs for the Macintosh write it",
            hint=r"convert it, for instance with tr '\r' '\n', or export it as CSV in UTF-8",
        )
    raise file_error(
        "the header has no line end",
        path,
        line=1,
        expected="a header and rows, each with a line end",
        found=f"a first line of {len(line)} bytes or more",
        hint="wait until the file is written, or convert it to CSV",
    )


def _check_text(path: Path, content: bytes) -> None:
    """Refuse bytes that are not text in UTF-8, and name the line and byte of the first."""
    position = content.find(b"\0")
    if position < 0:
        try:
            content.decode()
        except UnicodeDecodeError as error:
            position = error.start
        else:
            return
    line = content.count(b"\n", 0, position) + 1
    begin = content.rfind(b"\n", 0, position) + 1
    raise file_error(
        "the file is not text in UTF-8",
        path,
        line=line,
        expected="comma-separated text in UTF-8",
        found=f"byte {content[position]:#04x} at byte {position - begin + 1} of the line, "
        f"in field {content.count(b',', begin, position) + 1}",
        hint="copy the file again; it holds zero bytes"
        if not content[position]
        else "save it in the encoding UTF-8; it may be in Latin-1 or in a code page of Windows",
    )


def _check_names(path: Path, header: list[str]) -> None:
    if len(header) == 1:
        other = next((d for d in _OTHER_DELIMITERS if d in header[0]), None)
        raise file_error(
            "wrong delimiter" if other else "the file is not CSV",
            path,
            line=1,
            expected="several columns, separated by commas",
            found=f"fields separated by {other!r}" if other else f"{header[0][:60]!r}",
            hint="export it with commas",
        )
    if len(set(header)) < len(header):
        repeated = next(name for name in header if header.count(name) > 1)
        raise file_error(
            "a column occurs twice",
            path,
            line=1,
            column=repeated,
            expected="every column once",
            found=f"{repeated!r} {header.count(repeated)} times",
            hint="remove or rename one of them",
        )


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
    line = 0
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
                expected=f"{width} fields, separated by commas",
                found=str(error),
                hint="look for a stray quote in this row",
            ) from error
        line += 1
        if line == 1 or not fields:
            continue
        if width not in (None, len(fields)):
            raise _width_error(text.path, begin, len(fields) < (width or 0), width, fields)
        yield begin, fields


def _width_error(
    path: Path, line: int, shorter: bool, width: int | None, fields: list[str]
) -> SourceError:
    return file_error(
        "a row has another number of fields",
        path,
        line=line,
        expected=f"{width} fields, as in the header",
        found=f"{len(fields)} fields, the last {fields[-1][:30]!r}",
        hint=AGAIN if shorter else "look for a stray comma or quote in this row",
    )


def find_line(path: Path, row: int) -> int:
    """Find the line of a data row, counted from 0; empty lines are no rows but count as lines.

    Raises:
        SourceError: the file cannot be read.
    """
    numbers = (line for line, _ in read_rows(read_text(path), None))
    return next(islice(numbers, row, None), row + 2)


def read_edge_rows(text: CsvText, width: int) -> tuple[list[str], list[str]] | None:
    """Read the fields of the first and the last row, without the rows between them.

    Returns None if there are no rows.

    Raises:
        SourceError: a row that was read has more or fewer fields, or is not CSV.
    """
    rows = (fields for _, fields in read_rows(text, width))
    first = next(rows, None)
    if first is None:
        return None
    last = text.lines.rstrip(b"\r\n").rsplit(b"\n", 1)[-1].decode("utf-8-sig")
    fields = next(csv.reader([last.rstrip("\r")]))
    if len(fields) != width:
        # The last row spans several lines, or is malformed.
        *_, fields = first, *rows
    return first, fields
