"""A value of a YAML file that knows its place, and is read as what it should be.

Text is kept as written: ``NO`` and ``TRUE`` are names of instruments, not truth values. What the
keys of a description mean does not belong here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias
from unicodedata import category

from quant_assets.core.errors import MarketError, suggest_names

_LONGEST_SHOWN = 60
_MOST_SHOWN = 12
_LONGEST_NAME = 300
# Control characters, halves of characters, separators of lines and of paragraphs.
_REFUSED = {"Cc", "Cs", "Zl", "Zp"}

Content: TypeAlias = "str | tuple[Value, ...] | dict[str, Value] | None"


@dataclass(frozen=True, slots=True)
class Value:
    """A value with its place.

    Attributes:
        file: the file.
        line: line of the value's key, or of the value in a list; the first is 1.
        key: the keys that lead to it, such as ``targets.returns.horizons[2]``; empty at the top.
        content: text, a list or a map; None where nothing is written.
    """

    file: Path
    line: int
    key: str
    content: Content

    @property
    def where(self) -> str:
        """File, line and key, as an error names them."""
        return place_of(self.file, self.line, self.key)

    def error(
        self, problem: str, *, expected: Any = None, found: Any = None, hint: str | None = None
    ) -> MarketError:
        """Build the error for a fault in this value; by default what was found is the value."""
        return MarketError(
            problem,
            where=self.where,
            expected=expected,
            found=self._describe() if found is None else found,
            hint=hint,
        )

    def _describe(self) -> str:
        match self.content:
            case None:
                return "nothing"
            case str() as text:
                return quote(text)
            case dict():
                return f"a map with {list_names(self.content) or 'no keys'}"
        return f"a list of {len(self.content)}"

    def entries(self) -> dict[str, "Value"]:
        """Return the values of a map whose keys are free."""
        if isinstance(self.content, dict):
            return self.content
        raise self.error("not a map", expected="keys with values, one a line, such as `key: value`")

    def record(self, allowed: Sequence[str], required: Sequence[str] = ()) -> dict[str, "Value"]:
        """Return the values of a map with known keys.

        Raises:
            MarketError: a key is unknown, or a required key is missing.
        """
        entries = self.entries()
        for name, value in entries.items():
            if name not in allowed:
                raise value.error(
                    "unknown key",
                    expected=f"one of {', '.join(allowed)}",
                    found=quote(name),
                    hint=suggest_names(name, allowed, "remove it"),
                )
        for name in required:
            if name not in entries:
                raise self.error(
                    "a key is missing", expected=name, found=list_names(entries) or "no keys"
                )
        return entries

    def alternative(self, allowed: Sequence[str]) -> str:
        """Return which one of some keys a map has.

        Raises:
            MarketError: the map has none of them, or several.
        """
        given = [name for name in allowed if name in self.entries()]
        if len(given) == 1:
            return given[0]
        raise self.error(
            "several keys exclude each other" if given else "a key is missing",
            expected=f"exactly one of {', '.join(allowed)}",
            found=", ".join(given) or list_names(self.entries()) or "no keys",
        )

    def items(self) -> tuple["Value", ...]:
        """Return the values of a list that has at least one."""
        if not isinstance(self.content, tuple):
            raise self.error("not a list", expected="a list, such as [a, b]")
        if not self.content:
            raise self.error("an empty list", expected="at least one value")
        return self.content

    def text(self) -> str:
        """Return the value's text, which is not empty."""
        if isinstance(self.content, str) and self.content:
            return self.content
        missing = self.content is None or self.content == ""
        raise self.error("a value is missing" if missing else "not a text", expected="a text")

    def name(self) -> str:
        """Return a text that can name something; see :func:`fault_of_name`."""
        name = self.text()
        if fault := fault_of_name(name):
            raise self.error("not a name", expected=fault)
        return name

    def choice(self, kind: str, known: Iterable[str]) -> str:
        """Return a text that is one of the known names of a kind."""
        name, known = self.text(), list(known)
        if name in known:
            return name
        raise self.error(
            f"unknown {kind}",
            expected=f"one of {list_names(known)}",
            hint=suggest_names(name, known),
        )

    def whole_number(self, least: int) -> int:
        """Return a whole number that is not below ``least``."""
        text = self.text()
        if re.fullmatch(r"-?[0-9]{1,9}", text) and int(text) >= least:
            return int(text)
        raise self.error("not a number that fits", expected=f"a whole number of at least {least}")

    def number(self, least: float, most: float) -> float:
        """Return a number from ``least`` to ``most``."""
        text = self.text()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) and least <= float(text) <= most:
            return float(text)
        raise self.error("not a number that fits", expected=f"a number from {least:g} to {most:g}")

    def day(self) -> date:
        """Return a day that is written as ``2014-01-02``."""
        try:
            return date.fromisoformat(self.text())
        except ValueError:
            raise self.error("not a day", expected="a day such as 2014-01-02") from None


def place_of(file: Path, line: int | None = None, key: str = "") -> str:
    """Return a place in a file as an error names it."""
    line_text = f", line {line}" if line is not None else ""
    key = key if len(key) <= _LONGEST_NAME else f"{key[:_LONGEST_NAME]} ..."
    return f"{file}{line_text}" + (f", key {key}" if key else "")


def fault_of_name(name: str) -> str | None:
    """Say what a name should be if it cannot be one; None if it can.

    >>> fault_of_name("Crude Oil/Brent"), fault_of_name(" x")
    (None, 'a name without spaces at its ends')
    """
    if not name.strip():
        return "a name with at least one letter"
    if len(name) > _LONGEST_NAME:
        return f"a name of at most {_LONGEST_NAME} characters, this one has {len(name)}"
    if any(category(letter) in _REFUSED for letter in name):
        return "a name without control characters"
    return "a name without spaces at its ends" if name.strip() != name else None


def quote(text: str) -> str:
    """Return a text in quotes, cut if it is long."""
    return repr(text) if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]!r} ..."


def list_names(names: Iterable[str] | Mapping[str, Any]) -> str:
    """Return the first names, cut if they are long, and how many more there are."""
    listed = list(names)
    shown = [n if len(n) <= _LONGEST_SHOWN else f"{n[:_LONGEST_SHOWN]} ..." for n in listed]
    more = f" and {len(listed) - _MOST_SHOWN} more" if len(listed) > _MOST_SHOWN else ""
    return ", ".join(shown[:_MOST_SHOWN]) + more
