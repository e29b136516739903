"""Errors of CSV files, with file, line and column, and the hints that several of them share.

Reading files does not belong here.
"""

import os
import re
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from quant_assets.core.errors import SourceError

_AGAIN = "unpack the competition's archive again; the file may be incomplete or overwritten"
_WRITE_AGAIN = "write the file again as a whole; it may be incomplete or of another version"
_LONGEST = 60
# More digits do not fit into 64 bits.
_MOST_DIGITS = 18


def file_error(
    problem: str,
    path: Path,
    *,
    expected: Any,
    found: Any,
    hint: str | None = None,
    line: int | None = None,
    column: str | None = None,
) -> SourceError:
    """Create the error for a fault in a file.

    Args:
        problem: what is wrong.
        path: the file.
        expected: what should be in this place.
        found: what is in this place.
        hint: what a person can do; by default, to get the whole file again.
        line: line of the fault; the header is line 1, as in an editor.
        column: name of the column.
    """
    where = str(path)
    where += f", line {line}" if line is not None else ""
    where += f", column {quote(column)}" if column is not None else ""
    return SourceError(
        problem, where=where, expected=expected, found=found, hint=hint or hint_at_whole_file(path)
    )


def hint_at_whole_file(path: Path) -> str:
    """Say how to get a whole file again; a folder with a calendar is not the competition's own."""
    folder = path.parent.parent if path.parent.name == "lagged_test_labels" else path.parent
    return _WRITE_AGAIN if os.path.lexists(folder / "calendar.csv") else _AGAIN


def quote(text: str) -> str:
    """Return a text in quotes, cut if it is long."""
    return repr(text) if len(text) <= _LONGEST else f"{text[:_LONGEST]!r} …"


def cut(text: str) -> str:
    """Return a text, cut if it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def format_number(number: float) -> str:
    """Return a number as people write it: whole numbers without a decimal point.

    >>> format_number(20120430.0), format_number(0.5)
    ('20120430', '0.5')
    """
    return str(int(number)) if float(number).is_integer() else str(float(number))


def list_names(names: list[str], most: int = 5) -> str:
    """Return the first names, and how many more there are.

    >>> list_names(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(cut, names[:most])) + more


def suggest_names(name: str, known: list[str], otherwise: str) -> str:
    """Return a hint with the known names that are nearest to ``name``.

    Args:
        name: the unknown name.
        known: the known names.
        otherwise: the hint if no known name is near.
    """
    near = get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(map(cut, near))}?" if near else otherwise


def no_rows_error(path: Path, unfinished_line: int | None = None) -> SourceError:
    """Create the error for a file that has a header only.

    Args:
        path: the file.
        unfinished_line: number of a last line without a line end; None if there is none.
    """
    return file_error(
        "the file has no rows",
        path,
        expected="at least one row",
        found="a header only"
        if unfinished_line is None
        else f"a header, and line {unfinished_line}, which has no line end",
    )


def parse_whole_number(path: Path, column: str, text: str, line: int) -> int:
    """Parse the number in a field.

    Args:
        path: the file, for the error.
        column: name of the column, for the error.
        text: the field.
        line: line of the field, for the error.

    Raises:
        SourceError: the text is not a whole number, or the number is negative or has over 18
            digits.
    """
    digits = text.strip()
    if digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS:
        return int(digits)
    too_large = digits.isascii() and digits.isdecimal()
    raise file_error(
        f"{column} is too large" if too_large else f"{column} is not a whole number",
        path,
        line=line,
        column=column,
        expected="0, 1, 2, …",
        found=quote(text),
        hint=_hint_at_number(column, digits),
    )


def _hint_at_number(column: str, text: str) -> str:
    if re.fullmatch(r"\d+(\.\d*|(\.\d*)?[eE]\+?\d+)", text):
        return f"write {column} without a decimal point or an exponent, as 0, 1, 2, …"
    if re.match(r"\d{4}[-/.]\d|\d{1,2}[-/.]\d{1,2}[-/.]\d", text):
        return f"number the rows 0, 1, 2, …; dates belong in calendar.csv, with {column},date"
    return "correct or remove the row"


def looks_like_date(number: int) -> bool:
    """Return whether a number is a date without separators, such as 20120430."""
    text = str(number)
    try:
        return len(text) == 8 and date.fromisoformat(text).year > 1899
    except ValueError:
        return False
