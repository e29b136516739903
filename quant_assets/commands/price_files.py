"""What a folder of price files holds: its layout, instruments, fields and days, but no prices.

``sources.files`` recognises layouts and columns; DuckDB reads the distinct symbols and dates.
Writing a description of it belongs in ``commands.market_file``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from quant_assets.market.instruments import FIELDS
from quant_assets.sources.files.day_texts import parse_days_of
from quant_assets.sources.files.headers import stem_of
from quant_assets.sources.files.layout import FileGroup, Layout, NamedColumn, read_groups
from quant_assets.sources.files.queries import FILE, day_column, fetch, open_connection, table_of


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


def scan_prices(place: Path, columns: Mapping[str, NamedColumn] | None = None) -> PriceFiles:
    """Find out what a file, or the files of a folder, hold.

    Args:
        place: a file or a folder.
        columns: columns by our names for them, where they are not called so.

    Raises:
        SourceError: there are no price files, one cannot be read, or they differ in layout.
    """
    groups = read_groups(place, columns or {})
    layout = groups[0].layout
    fields: dict[str, tuple[str, ...]] = {}
    dates: set[date] = set()
    numbers: set[str] = set()
    with open_connection() as connection:
        for group in groups:
            for name in _names(connection, group):
                fields[name] = _join(fields.get(name, ()), group.fields)
            texts = [text for text in _distinct(connection, group, group.day) if text]
            if group.numbered:
                numbers |= set(texts)
            else:
                dates |= set(parse_days_of(connection, group, texts).values())
    others = tuple(dict.fromkeys(name for group in groups for name in group.other_names))
    wide = layout == "wide"
    return PriceFiles(
        layout,
        tuple(sorted(path for group in groups for path in group.paths)),
        dict(sorted(fields.items())),
        others if wide else (),
        () if wide else others,
        () if numbers else tuple(sorted(dates)),
        len(dates) + len(numbers),
    )


def find_symbol_days(
    place: Path, columns: Mapping[str, NamedColumn], symbols: Sequence[str]
) -> dict[str, set[date]] | None:
    """Find the days of some symbols; None if the layout is wide.

    Args:
        place: a file or a folder.
        columns: columns by our names for them, where they are not called so.
        symbols: the symbols, or names of files without their endings.

    Raises:
        SourceError: as for :func:`scan_prices`.
    """
    days: dict[str, set[date]] = {}
    groups = read_groups(place, columns)
    if groups[0].layout == "wide":
        return None
    with open_connection() as connection:
        for group in groups:
            if group.symbol is None:
                paths = tuple(path for path in group.paths if stem_of(path) in set(symbols))
                own = replace(group, paths=paths)
                pairs = _pairs(connection, own, FILE) if paths else []
                rows = [(stem_of(Path(file)), text) for file, text in pairs]
            else:
                own, name = group, f"t.c{group.symbol}"
                chosen = f"WHERE list_contains(?, {name})"
                rows = _pairs(connection, own, name, chosen, list(symbols))
            parsed = parse_days_of(connection, own, {text for _, text in rows})
            for symbol, text in rows:
                days.setdefault(symbol, set()).add(parsed[text])
    return days


def _pairs(
    connection: duckdb.DuckDBPyConnection,
    group: FileGroup,
    name: str,
    condition: str = "",
    *values: object,
) -> list[tuple[str, str]]:
    """Return the different pairs of a column's text and a day's text, of rows with a day."""
    columns = f"CAST({name} AS VARCHAR), CAST({day_column(group)} AS VARCHAR)"
    query = f"SELECT DISTINCT {columns} FROM {table_of(group)} {condition}"
    return [(first, day) for first, day in fetch(connection, group, query, *values) if day]


def _names(connection: duckdb.DuckDBPyConnection, group: FileGroup) -> list[str]:
    """Return the names of the instruments of a group; none if its layout is wide."""
    if group.layout == "wide":
        return []
    if group.symbol is None:
        return [stem_of(path) for path in group.paths]
    return [name for name in _distinct(connection, group, group.symbol) if name]


def _distinct(
    connection: duckdb.DuckDBPyConnection, group: FileGroup, column: int
) -> list[str | None]:
    text = f"CAST(t.c{column} AS VARCHAR)"
    if column == group.day:
        text = f"CAST({day_column(group)} AS VARCHAR)"
    return [
        row[0] for row in fetch(connection, group, f"SELECT DISTINCT {text} FROM {table_of(group)}")
    ]


def _join(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    both = {*first, *second}
    return tuple(field for field in FIELDS if field in both)
