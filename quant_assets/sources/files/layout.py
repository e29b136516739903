"""What the columns of price files mean: their layout, the days, the symbols and the fields.

Reading headers belongs in ``headers``, reading cells in ``long_cells`` and ``wide_cells``.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from quant_assets.core.errors import MarketError, SourceError, suggest_names
from quant_assets.market.description.values import Value, list_names, quote
from quant_assets.market.instruments import FIELDS
from quant_assets.sources.files.headers import Header, check_whole, list_files, read_header

Layout = Literal["long", "wide", "a file per instrument"]
ACTIONS = ("split", "dividend")
"""Columns that only options name: prices of other files may be adjusted already."""
OUR_NAMES = ("date", "symbol", *FIELDS, *ACTIONS)
_DATES = ("date", "day", "trading_day", "datetime", "timestamp")
_NUMBERED = "date_id"
SYMBOLS = ("symbol", "ticker", "instrument")


@dataclass(frozen=True)
class NamedColumn:
    """A column that the options of a source name.

    Attributes:
        name: its name in the files.
        where: where the options say so, for errors.
    """

    name: str
    where: str


Columns = Mapping[str, NamedColumn]
"""Columns by our names for them, which are ``OUR_NAMES``."""


def read_named_columns(value: Value, ours: Sequence[str]) -> tuple[tuple[str, NamedColumn], ...]:
    """Read which columns the options of a source name.

    Args:
        value: a map from our names to names of columns.
        ours: our names.

    Raises:
        MarketError: a key or a value is wrong, or two names have one column.
    """
    columns: dict[str, NamedColumn] = {}
    for our_name, item in value.record(ours).items():
        name = item.text()
        other = next((known for known, column in columns.items() if column.name == name), None)
        if other is not None:
            raise item.error(
                "a column has two meanings",
                expected="every column once",
                found=f"{quote(name)} for {other} and for {our_name}",
            )
        columns[our_name] = NamedColumn(name, item.where)
    return tuple(columns.items())


@dataclass(frozen=True)
class FileGroup:
    """Price files with one header, which one query can read.

    Attributes:
        paths: the files.
        header: their columns.
        layout: ``long`` has a row per symbol and day, ``wide`` a column per series.
        day: position of the column of days.
        symbol: position of the column of symbols; None unless the layout is long.
        fields: positions of the columns of fields; empty if the layout is wide.
        others: positions of the other columns that have a name; the series if the layout is wide.
        numbered: whether the days are numbers of days, not dates.
        actions: positions of the columns of splits and dividends that the options name.
    """

    paths: tuple[Path, ...]
    header: Header
    layout: Layout
    day: int
    symbol: int | None
    fields: dict[str, int]
    others: tuple[int, ...]
    numbered: bool
    actions: dict[str, int] = field(default_factory=dict)

    @property
    def other_names(self) -> tuple[str, ...]:
        """Names of the columns ``others``."""
        return tuple(self.header.names[i] for i in self.others)

    @property
    def where(self) -> str:
        """The file, or the folder of several, for errors."""
        return str(self.paths[0] if len(self.paths) == 1 else self.paths[0].parent)


def read_groups(
    place: Path, columns: Columns | None = None, leave_out: Collection[str] = ()
) -> tuple[FileGroup, ...]:
    """Find the price files of a folder, and what their columns mean.

    Tables with neither days nor fields, such as a table of instruments, are no price files.

    Args:
        place: a folder, or one file.
        columns: columns that are not recognised by their names.
        leave_out: names of files that hold no prices.

    Raises:
        SourceError: there are no price files, one cannot be read, lacks dates or closes, or they
            differ in layout.
        MarketError: a file lacks a column that ``columns`` names.
    """
    by_header: dict[Header, list[Path]] = {}
    for path in list_files(place):
        if path.name not in leave_out or path == place:
            by_header.setdefault(read_header(path), []).append(path)
            check_whole(path)
    tables = list(by_header.items())
    priced = [table for table in tables if _looks_priced(table[0], columns or {})]
    groups = tuple(_recognise(header, paths, columns or {}) for header, paths in priced or tables)
    _check_layouts(groups)
    return groups


def _looks_priced(header: Header, columns: Columns) -> bool:
    roles = _find_roles(header, columns)
    return bool({"date", _NUMBERED, *FIELDS} & roles.keys())


def _recognise(header: Header, paths: Sequence[Path], columns: Columns) -> FileGroup:
    check_columns(header, paths[0], columns)
    roles = _find_roles(header, columns)
    day = roles.get("date", roles.get(_NUMBERED))
    if day is None:
        raise SourceError(
            "a price file has no dates",
            where=str(paths[0]),
            expected=f"a column {', '.join(_DATES)}",
            found=list_names(header.names),
            hint="a folder must hold price files only; `columns` names columns of other names",
        )
    symbol = roles.get("symbol")
    fields = {name: roles[name] for name in FIELDS if name in roles}
    actions = {name: roles[name] for name in ACTIONS if name in roles}
    used = {day, symbol, *fields.values(), *actions.values()}
    others = tuple(i for i, name in enumerate(header.names) if name and i not in used)
    numbered = "date" not in roles
    if symbol is None and not fields and others:
        if actions:
            raise MarketError(
                "wide files have no splits and dividends",
                where=columns[next(iter(actions))].where,
                expected="files with a row per day and symbol, or a file per instrument",
                found=str(paths[0]),
            )
        return FileGroup(tuple(paths), header, "wide", day, None, {}, others, numbered)
    if "close" not in fields:
        raise SourceError(
            "a price file has no closes",
            where=str(paths[0]),
            expected="a column close",
            found=list_names(header.names),
            hint="`columns` of the source in market.yaml says which column is which: "
            "columns: {close: Last}",
        )
    layout: Layout = "a file per instrument" if symbol is None else "long"
    return FileGroup(tuple(paths), header, layout, day, symbol, fields, others, numbered, actions)


def _find_roles(header: Header, columns: Columns) -> dict[str, int]:
    """Return the positions of columns by our names; a named column has no second meaning."""
    at = {name: i for i, name in enumerate(header.names)}
    roles = {ours: at[column.name] for ours, column in columns.items() if column.name in at}
    plain: dict[str, int] = {}
    for name, i in at.items():
        if i not in roles.values():
            plain.setdefault(plain_name(name), i)
    known = {"date": _DATES, "symbol": SYMBOLS, **{name: (name,) for name in FIELDS}}
    for ours, names in known.items():
        position = next((plain[name] for name in names if name in plain), None)
        if position is not None:
            roles.setdefault(ours, position)
    if "date" not in roles and _NUMBERED in plain:
        roles[_NUMBERED] = plain[_NUMBERED]
    elif "date" not in roles and header.names[0] == "":
        # pandas writes the days of an index so.
        roles["date"] = 0
    return roles


def plain_name(name: str) -> str:
    """Return a name of a column as it is compared: small letters, words joined by underscores."""
    return re.sub(r"[ \-]+", "_", name.strip().lower())


def check_columns(header: Header, path: Path, columns: Columns) -> None:
    """Check that a file has the columns that the options of a source name.

    Raises:
        MarketError: it lacks one.
    """
    for column in columns.values():
        if column.name not in header.names:
            raise MarketError(
                "a price file lacks a column",
                where=column.where,
                expected=f"a column of {path}",
                found=quote(column.name),
                hint=suggest_names(
                    column.name, header.names, f"its columns are {list_names(header.names)}"
                ),
            )


def _check_layouts(groups: Sequence[FileGroup]) -> None:
    first = groups[0]
    other = next((group for group in groups if group.layout != first.layout), None)
    if other:
        raise SourceError(
            "the price files differ in layout",
            where=str(other.paths[0]),
            expected=f"{first.layout}, as in {first.paths[0].name}",
            found=other.layout,
            hint="a folder must hold files of one layout; put the others elsewhere",
        )
