"""What a folder of price files holds: its layout, instruments, fields and days, but no prices.

DuckDB reads the headers, the distinct symbols and the distinct dates. Writing a description of it
belongs in ``commands.market_file``.
"""

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import duckdb

from quant_assets.core.errors import MarketError
from quant_assets.market.description.values import list_names, quote
from quant_assets.market.instruments import FIELDS

Layout = Literal["long", "wide", "a file per instrument"]
_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet",)
_DELIMITERS = ",;\t|"
_LONGEST_HEADER = 1 << 20
_DATES = ("date", "day", "trading_day", "datetime", "timestamp")
_NUMBERED = "date_id"
_SYMBOLS = ("symbol", "ticker", "instrument")


@dataclass(frozen=True)
class PriceFiles:
    """What price files hold.

    Attributes:
        layout: ``long`` has a row per symbol and day, ``wide`` a column per series.
        files: the files.
        fields: fields of each instrument, by its name; empty if the layout is wide.
        series: names of the columns of prices; empty unless the layout is wide.
        others: columns that are neither date, symbol nor field.
        days: the dates, ascending; empty if the files number their days.
        day_count: number of different days.
    """

    layout: Layout
    files: tuple[Path, ...]
    fields: dict[str, tuple[str, ...]]
    series: tuple[str, ...]
    others: tuple[str, ...]
    days: tuple[date, ...]
    day_count: int


@dataclass(frozen=True)
class _File:
    path: Path
    layout: Layout
    date: str
    symbol: str
    fields: tuple[str, ...]
    others: tuple[str, ...]


def scan_prices(place: Path) -> PriceFiles:
    """Find out what a file, or the files of a folder, hold.

    Raises:
        MarketError: there are no price files, one cannot be read, or they differ in layout.
    """
    paths = _list_files(place)
    with duckdb.connect() as connection:
        files = [_read_header(connection, path) for path in paths]
        _check_layouts(files)
        fields: dict[str, tuple[str, ...]] = {}
        if files[0].layout == "long":
            for file in files:
                symbols = _distinct(connection, [file], file.symbol)
                fields |= {name: _join(fields.get(name, ()), file.fields) for name in symbols}
        elif files[0].layout != "wide":
            fields = {_stem(file.path): file.fields for file in files}
        dates = {text for group in _by_date(files) for text in _dates(connection, group)}
    numbered = any(file.date == _NUMBERED for file in files)
    others = tuple(dict.fromkeys(name for file in files for name in file.others))
    wide = files[0].layout == "wide"
    return PriceFiles(
        files[0].layout,
        tuple(paths),
        dict(sorted(fields.items())),
        others if wide else (),
        () if wide else others,
        () if numbered else tuple(sorted(_parse_date(text, place) for text in dates)),
        len(dates),
    )


def _list_files(place: Path) -> list[Path]:
    endings = (*_CSV, *_PARQUET)
    paths = [place] if place.is_file() else sorted(place.iterdir())
    found = [p for p in paths if p.name.endswith(endings) and not p.name.startswith(".")]
    if not found:
        raise MarketError(
            "there are no price files",
            where=str(place),
            expected=f"files that end with {', '.join(endings)}",
            found=list_names(path.name for path in paths) or "an empty folder",
        )
    return found


def _read_header(connection: duckdb.DuckDBPyConnection, path: Path) -> _File:
    names = [row[0] for row in _query(connection, [path], "DESCRIBE SELECT *")]
    plain = {_plain(name): name for name in names}
    day = next((plain[name] for name in (*_DATES, _NUMBERED) if name in plain), None)
    if day is None:
        raise MarketError(
            "a price file has no dates",
            where=str(path),
            expected=f"a column {', '.join(_DATES)}",
            found=list_names(names),
            hint="a folder must hold price files only",
        )
    symbol = next((plain[name] for name in _SYMBOLS if name in plain), "")
    fields = tuple(field for field in FIELDS if field in plain)
    used = {day, symbol, *(plain[field] for field in fields)}
    others = tuple(name for name in names if name not in used)
    if not symbol and not fields and others:
        return _File(path, "wide", day, "", (), others)
    if "close" not in fields:
        raise MarketError(
            "a price file has no closes",
            where=str(path),
            expected="a column close",
            found=list_names(names),
        )
    return _File(path, "long" if symbol else "a file per instrument", day, symbol, fields, others)


def _plain(name: str) -> str:
    return re.sub(r"[ \-]+", "_", name.strip().lower())


def _check_layouts(files: Sequence[_File]) -> None:
    other = next((file for file in files if file.layout != files[0].layout), None)
    if other:
        raise MarketError(
            "the price files differ in layout",
            where=str(other.path),
            expected=f"{files[0].layout}, as in {files[0].path.name}",
            found=other.layout,
            hint="a folder must hold files of one layout; put the others elsewhere",
        )


def _join(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    both = {*first, *second}
    return tuple(field for field in FIELDS if field in both)


def _stem(path: Path) -> str:
    ending = next(ending for ending in (*_CSV, *_PARQUET) if path.name.endswith(ending))
    return path.name.removesuffix(ending)


def _by_date(files: Sequence[_File]) -> list[list[_File]]:
    """Group files that one query can read: those of one kind, with one column of dates."""
    groups: dict[tuple[str, str], list[_File]] = {}
    for file in files:
        groups.setdefault((file.date, _reader(file.path)), []).append(file)
    return list(groups.values())


def _dates(connection: duckdb.DuckDBPyConnection, files: Sequence[_File]) -> list[str]:
    column = _quoted(files[0].date)
    statement = f"SELECT DISTINCT left(day::VARCHAR, 10) FROM (SELECT DISTINCT {column} AS day"
    rows = _query(connection, [file.path for file in files], statement, ")")
    return [row[0] for row in rows if row[0]]


def _distinct(
    connection: duckdb.DuckDBPyConnection, files: Sequence[_File], column: str
) -> list[str]:
    statement = f"SELECT DISTINCT {_quoted(column)}::VARCHAR"
    rows = _query(connection, [file.path for file in files], statement)
    return [row[0] for row in rows if row[0]]


def _query(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], select: str, end: str = ""
) -> list[tuple[Any, ...]]:
    """Run ``select`` over files of one kind; their names are bound, never part of the text."""
    try:
        names = [_without_patterns(path) for path in paths]
        return connection.execute(f"{select} FROM {_reader(paths[0])}{end}", [names]).fetchall()
    except duckdb.Error as error:
        raise MarketError(
            "a price file cannot be read",
            where=str(paths[0]) if len(paths) == 1 else str(paths[0].parent),
            expected="CSV or Parquet with a header",
            found=str(error).splitlines()[0],
        ) from None


def _reader(path: Path) -> str:
    """Return DuckDB's function for files like this one; it guesses slowly, so much is told."""
    if path.name.endswith(_PARQUET):
        return "read_parquet(?, union_by_name := true)"
    options = "all_varchar := true, header := true, union_by_name := true, quote := '\"'"
    return f"read_csv(?, {options}, escape := '\"', delim := '{_find_delimiter(path)}')"


def _find_delimiter(path: Path) -> str:
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            header = file.readline(_LONGEST_HEADER).decode(errors="replace")
    except (OSError, EOFError) as error:
        raise MarketError("a price file cannot be read", where=str(path), found=error) from None
    return max(_DELIMITERS, key=header.count)


def _without_patterns(path: Path) -> str:
    """Return a path in which no letter stands for others: DuckDB takes it for a pattern."""
    return re.sub(r"[*?\[]", lambda letter: f"[{letter.group()}]", str(path))


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _parse_date(text: str, place: Path) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MarketError(
            "a date cannot be read",
            where=str(place),
            expected="dates such as 2014-01-02 or 20140102",
            found=quote(text),
        ) from None
