"""The header of a CSV file: the names of its columns, and whether the file is CSV at all.

Rows do not belong here; ``sources.competition.csv_text`` reads them.
"""

import csv
from pathlib import Path

from quant_assets.core.errors import SourceError
from quant_assets.sources.competition.file_errors import file_error, quote
from quant_assets.sources.competition.file_state import read_bytes, until_changed

_BYTES = 1 << 20
_OTHER_FORMATS = (b"PAR1", b"PK\3\4", b"<", b"{")
_OTHER_DELIMITERS = ";\t|"


@until_changed(16)
def read_header(path: Path) -> tuple[str, ...]:
    """Read the names of a CSV file's columns.

    Raises:
        SourceError: the file is missing, empty or not comma-separated text, or a name repeats.
    """
    return parse_header(path, read_bytes(path, _BYTES))


def parse_header(path: Path, content: bytes) -> tuple[str, ...]:
    """Parse the first line of a file's bytes as :func:`read_header` does.

    Raises:
        SourceError: as for :func:`read_header`.
    """
    content = content[:_BYTES]
    line, end, _ = content.partition(b"\n")
    if not content.strip():
        raise file_error("the file is empty", path, expected="a header and rows", found="no header")
    if b"\0" in line or line.lstrip(b"\xef\xbb\xbf \t\r").startswith(_OTHER_FORMATS):
        raise _not_csv(path, line)
    _check_line_ends(path, line, end)
    check_text(path, line)
    header = _split_header(path, line)
    _check_names(path, header)
    return tuple(header)


def _split_header(path: Path, line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8-sig").rstrip("\r")], strict=True))
    except (csv.Error, StopIteration) as error:
        raise file_error(
            "the header is not CSV",
            path,
            line=1,
            expected="the names of the columns, separated by commas",
            found=f"{line[:60]!r}" + (f": {error}" if str(error) else ""),
            hint="look for a stray quote",
        ) from error


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


def check_text(path: Path, content: bytes) -> None:
    """Refuse bytes that are not text in UTF-8.

    Raises:
        SourceError: with the line, the column and the byte of the first.
    """
    position = content.find(b"\0")
    if position < 0:
        if content.isascii():
            return
        try:
            content.decode()
        except UnicodeDecodeError as error:
            position = error.start
        else:
            return
    line = content.count(b"\n", 0, position) + 1
    begin = content.rfind(b"\n", 0, position) + 1
    names = content.split(b"\n", 1)[0].decode(errors="replace").strip().split(",")
    field = content.count(b",", begin, position)
    raise file_error(
        "the file is not text in UTF-8",
        path,
        line=line,
        column=names[field] if line > 1 and field < len(names) else None,
        expected="comma-separated text in UTF-8",
        found=f"byte {content[position]:#04x} at byte {position - begin + 1} of the line",
        hint="save it in the encoding UTF-8; it may be in Latin-1 or in a code page of Windows"
        if content[position]
        else "copy the file again; it holds zero bytes",
    )


def _check_names(path: Path, header: list[str]) -> None:
    if len(header) == 1:
        other = next((d for d in _OTHER_DELIMITERS if d in header[0]), None)
        raise file_error(
            "wrong delimiter" if other else "the file is not CSV",
            path,
            line=1,
            expected="several columns, separated by commas",
            found=f"fields separated by {other!r}" if other else quote(header[0]),
            hint="export it with commas",
        )
    if "" in header:
        raise _unnamed_column_error(path, header)
    if len(set(header)) < len(header):
        repeated = next(name for name in header if header.count(name) > 1)
        raise file_error(
            "a column occurs twice",
            path,
            line=1,
            column=repeated,
            expected="every column once",
            found=f"{quote(repeated)} {header.count(repeated)} times",
            hint="remove or rename one of them",
        )


def _unnamed_column_error(path: Path, header: list[str]) -> SourceError:
    number = header.index("") + 1
    hint = "name the column in the header, or remove it"
    if number == 1:
        hint = "remove the row numbers; pandas leaves them out with to_csv(index=False)"
    elif number == len(header):
        hint = "remove the comma at the end of each line"
    return file_error(
        "a column has no name",
        path,
        line=1,
        expected="a name for every column",
        found=f"nothing above column {number} of {len(header)}",
        hint=hint,
    )
