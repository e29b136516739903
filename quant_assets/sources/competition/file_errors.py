"""Errors of CSV files, with file, line and column, and the checks of a file as a whole.

Only files, lines and fields belong here; ``sources.competition.files`` reads the numbers.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import FloatArray
from quant_assets.sources.protocol import UnreadCell

AGAIN = "unpack the competition's archive again; the file may be incomplete or overwritten"
_UNREAD_SHARE = 0.01
# A single bad cell in a file of a day or two does not make it a wrong file.
_UNREAD_COUNT = 5


def file_error(
    problem: str,
    path: Path,
    *,
    expected: Any,
    found: Any,
    hint: str = AGAIN,
    line: int | None = None,
    column: str | None = None,
) -> SourceError:
    """Create the error for a fault in a file.

    Args:
        problem: what is wrong.
        path: the file.
        expected: what should be in this place.
        found: what is in this place.
        hint: what a person can do.
        line: line of the fault; the header is line 1, as in an editor.
        column: name of the column.
    """
    where = str(path)
    where += f", line {line}" if line is not None else ""
    where += f", column {column!r}" if column is not None else ""
    return SourceError(problem, where=where, expected=expected, found=found, hint=hint)


def suggest_names(name: str, known: list[str], otherwise: str) -> str:
    """Return a hint with the known names that are nearest to ``name``.

    Args:
        name: the unknown name.
        known: the known names.
        otherwise: the hint if no known name is near.
    """
    near = get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def no_rows_error(path: Path) -> SourceError:
    """Create the error for a file that has a header only."""
    return file_error(
        "the file has no rows", path, expected="at least one row", found="a header only"
    )


def parse_whole_number(path: Path, column: str, text: str, line: int) -> int:
    """Parse the number in a field.

    Args:
        path: the file, for the error.
        column: name of the column, for the error.
        text: the field.
        line: line of the field, for the error.

    Raises:
        SourceError: the text is not a whole number, or the number is negative.
    """
    if not (text.isascii() and text.strip().isdecimal()):
        raise file_error(
            f"{column} is not a whole number",
            path,
            line=line,
            column=column,
            expected="0, 1, 2, …",
            found=repr(text),
            hint="correct or remove the row",
        )
    return int(text)


def line_number_of(row: int) -> int:
    """Return the line in a file of the data row with this index, counted from 0."""
    return row + 2


def check_mostly_numbers(
    path: Path, columns: tuple[str, ...], values: FloatArray, unread: tuple[UnreadCell, ...]
) -> None:
    """Refuse a file with so much text that it must be the wrong file.

    Args:
        path: the file.
        columns: names of the c columns.
        values: (n, c) numbers; NaN where empty or unread.
        unread: cells that hold text instead of a number.

    Raises:
        SourceError: over 1 %, and over 5, of the filled cells are text, or a column has over 5
            cells with text and no number.
    """
    numbers = (~np.isnan(values)).sum(axis=0)
    texts = np.zeros(len(columns), dtype=np.int64)
    np.add.at(texts, [columns.index(cell.column) for cell in unread], 1)
    for i in np.flatnonzero((numbers == 0) & (texts > _UNREAD_COUNT)):
        first = next(cell for cell in unread if cell.column == columns[i])
        raise file_error(
            "a column holds no numbers",
            path,
            line=line_number_of(first.row),
            column=columns[i],
            expected="numbers or empty cells",
            found=f"{first.text!r} and {texts[i] - 1} more",
            hint="the columns may be shifted, or the file another one",
        )
    filled = numbers.sum() + len(unread)
    if len(unread) > max(_UNREAD_COUNT, _UNREAD_SHARE * filled):
        raise file_error(
            "too many cells are not numbers",
            path,
            line=line_number_of(unread[0].row),
            column=unread[0].column,
            expected=f"at most {_UNREAD_SHARE:.0%} of {filled} filled cells",
            found=f"{len(unread)} cells, the first {unread[0].text!r}",
            hint="if these are decimal commas, export the file with points",
        )
