"""Reading a YAML file into values with their places; every fault is an error that names its line.

Anchors, aliases, tags and repeated keys are refused, so that a file says no more than it shows.
What the keys mean does not belong here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from quant_assets.core.errors import MarketError
from quant_assets.market.description.values import Content, Value, place_of, quote

MOST_BYTES = 5_000_000
_HINT = "`quant-assets market init FOLDER` writes one"
_MOST_VALUES = 400_000
_DEEPEST = 12
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: Path) -> Value:
    """Read the one document of a YAML file.

    Raises:
        MarketError: the file is missing, empty, too large, no text in UTF-8 or no YAML, or uses
            what is refused.
    """
    return parse_yaml(read_text(file, MOST_BYTES, _HINT), file)


def parse_yaml(text: str, file: Path) -> Value:
    """Parse the text of a YAML file as :func:`read_yaml` does; ``file`` is for the errors."""
    try:
        return _Tree(file, yaml.parse(text, Loader=_LOADER)).read()
    except yaml.YAMLError as error:
        raise _syntax_error(text, file, error) from None


def read_text(file: Path, most_bytes: int, hint: str | None = None) -> str:
    """Read the text of a file in UTF-8.

    Args:
        file: the file.
        most_bytes: size that it may have.
        hint: what to do if there is no such file.

    Raises:
        MarketError: the file cannot be read, is too large, or is no text in UTF-8.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(most_bytes + 1)
    except OSError as error:
        raise MarketError(
            "a file cannot be read",
            where=str(file),
            expected="a file",
            found=error.strerror,
            hint=hint,
        ) from None
    if len(content) > most_bytes:
        raise MarketError(
            "the file is too large",
            where=str(file),
            expected=f"at most {most_bytes:,} bytes",
            found=f"more than {most_bytes:,} bytes",
            hint="keep many instruments in a table of its own: `table: instruments.csv`",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MarketError(
            "the file is not text in UTF-8",
            where=place_of(file, content.count(b"\n", 0, error.start) + 1),
            expected="text in UTF-8",
            found=f"byte {content[error.start]:#04x}",
            hint="save it in the encoding UTF-8",
        ) from None


class _Tree:
    """Builds values from the events of the YAML parser."""

    def __init__(self, file: Path, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._count = 0

    def read(self) -> Value:
        root: Value | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._error(
                        event,
                        "several documents",
                        expected="one document",
                        found="a second one after ---",
                        hint="remove the line ---",
                    )
                root = self._value(next(self._events), "", 0)
        if root is None or root.content is None:
            raise MarketError(
                "the file is empty",
                where=str(self._file),
                expected="the description of a market",
                found="nothing but comments or spaces",
                hint=_HINT,
            )
        return root

    def _value(self, event: Any, key: str, depth: int, line: int | None = None) -> Value:
        self._check(event, key, depth)
        own = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style in (None, "")
            content: Content = None if plain and not event.value else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            content = tuple(self._items(key, depth))
        else:
            content = self._entries(key, depth)
        return Value(self._file, line or own, key, content)

    def _items(self, key: str, depth: int) -> Iterator[Value]:
        for number, event in enumerate(self._events):
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._value(event, f"{key}[{number}]", depth + 1)

    def _entries(self, key: str, depth: int) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            name, line = self._key(event, key, depth), event.start_mark.line + 1
            place = f"{key}.{name}" if key else name
            if name in entries:
                raise self._error(
                    event,
                    "a key occurs twice",
                    place,
                    expected="every key once",
                    found=f"{quote(name)} on line {entries[name].line} and on line {line}",
                    hint="remove or rename one of them",
                )
            entries[name] = self._value(next(self._events), place, depth + 1, line)
        return entries

    def _key(self, event: Any, key: str, depth: int) -> str:
        self._check(event, key, depth)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(
                event, "a key is not a text", key, expected="a text", found="a list or a map"
            )
        return str(event.value)

    def _check(self, event: Any, key: str, depth: int) -> None:
        self._count += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._error(
                event,
                "anchors and aliases are refused",
                key,
                expected="every value written out",
                found=f"the anchor {quote(event.anchor)}",
                hint="write the value in its place; quote a text that begins with & or *",
            )
        if event.tag is not None:
            raise self._error(
                event,
                "tags are refused",
                key,
                expected="a value without a tag",
                found=quote(event.tag),
                hint="remove it; quote a text that begins with !",
            )
        if depth > _DEEPEST or self._count > _MOST_VALUES:
            raise self._error(
                event,
                "the file is nested too deeply" if depth > _DEEPEST else "too many values",
                key if len(key) < 100 else "",
                expected=f"at most {_DEEPEST} levels and {_MOST_VALUES:,} values",
                found="more",
            )

    def _error(self, event: Any, problem: str, key: str = "", **parts: Any) -> MarketError:
        line = event.start_mark.line + 1
        return MarketError(problem, where=place_of(self._file, line, key), **parts)


def _syntax_error(text: str, file: Path, error: yaml.YAMLError) -> MarketError:
    line = _line_of_error(text, error)
    lines = text.split("\n")
    shown = lines[line - 1]
    tab = "\t" in shown[: len(shown) - len(shown.lstrip())]
    problem = getattr(error, "problem", None) or getattr(error, "reason", None)
    return MarketError(
        "the file is not YAML",
        where=place_of(file, line),
        expected="`key: value` lines, indented with spaces",
        found=f"{quote(shown.strip())}" + (f": {problem}" if problem else ""),
        hint="replace the tab at the start of the line by spaces"
        if tab
        else "look for a stray bracket, colon or quote in this line and the one before",
    )


def _line_of_error(text: str, error: Any) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(min(mark.line, text.count("\n"))) + 1
    return text.count("\n", 0, getattr(error, "position", None) or 0) + 1
