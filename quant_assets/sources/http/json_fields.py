"""Reading values from a vendor's JSON: a renamed or missing field is an error that names it."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from quant_assets.core.errors import SourceError, suggest_names
from quant_assets.core.typing import FloatArray
from quant_assets.sources.http.requests import Answer

NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
"""A number as vendors write it."""

_MISSING = frozenset({"", "."})
_SHOWN = 80


def field_of(record: object, *path: str | int, where: str) -> Any:
    """Return the value at a path of keys and positions.

    Args:
        record: parsed JSON.
        path: keys of maps and positions in lists.
        where: the answer's address, for errors.

    Raises:
        SourceError: there is nothing at the path; the vendor may have renamed it.
    """
    value: Any = record
    for step in path:
        if not _has(value, step):
            known = [str(key) for key in value] if isinstance(value, dict) else []
            raise SourceError(
                "a field of an answer is missing",
                where=where,
                expected=" / ".join(map(str, path)),
                found=f"{', '.join(known) or type(value).__name__} where {step} should be",
                hint=suggest_names(str(step), known, "the vendor may have renamed it"),
            )
        value = value[step]
    return value


def _has(value: object, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict) and step in value
    return isinstance(value, list) and step < len(value)


def list_of(record: object, *path: str | int, where: str) -> list[Any]:
    """Return the list at a path, see :func:`field_of`; empty where the vendor writes null.

    Raises:
        SourceError: there is nothing at the path, or no list.
    """
    value = field_of(record, *path, where=where)
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise SourceError(
        "a field of an answer is not a list",
        where=where,
        expected=" / ".join(map(str, path)),
        found=repr(value)[:_SHOWN],
    )


def number_of(value: object, where: str) -> float:
    """Return a number that is written as one or as text; NaN where it is missing.

    Args:
        value: the value; None, an empty text and ``.`` are missing.
        where: the answer's address, for errors.

    Examples:
        >>> number_of("57.32", ""), number_of(".", "")
        (57.32, nan)

    Raises:
        SourceError: it is no number.
    """
    if value is None or (isinstance(value, str) and value.strip() in _MISSING):
        return float("nan")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        return float(value)
    raise SourceError(
        "a value is not a number", where=where, expected="a number", found=repr(value)[:_SHOWN]
    )


def day_of(value: object, where: str) -> date:
    """Return the day at the beginning of a text such as ``2026-01-02T00:00:00.000Z``.

    Raises:
        SourceError: it is no day.
    """
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        pass
    raise _no_time("a value is not a day", value, where)


def moment_of(value: object, where: str) -> datetime:
    """Return a moment that is written as seconds since 1970 or as text in UTC.

    Args:
        value: such as ``1767364200`` or ``2026-01-02T05:00:00.000000000Z``.
        where: the answer's address, for errors.

    Raises:
        SourceError: it is no moment.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        return datetime.fromisoformat(str(value)[:19]).replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise _no_time("a value is not a moment", value, where)


def letters_of(row: object, where: str) -> tuple[float, float, float, float, float]:
    """Return open, high, low, close and volume of a row with the keys o, h, l, c and v.

    Raises:
        SourceError: a key is missing, or a value is no number.
    """
    opened, high, low, close, volume = (
        number_of(field_of(row, letter, where=where), where) for letter in "ohlcv"
    )
    return opened, high, low, close, volume


def numbers_of(values: Sequence[object], answer: Answer) -> FloatArray:
    """Return an array of shape (n,), see :func:`number_of`."""
    return np.array([number_of(value, answer.url) for value in values], dtype=np.float64)


def _no_time(problem: str, value: object, where: str) -> SourceError:
    found = repr(value)[:_SHOWN]
    return SourceError(problem, where=where, expected="2026-01-02 or a moment", found=found)
