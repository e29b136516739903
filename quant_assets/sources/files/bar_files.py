"""Finding bar files and what their columns mean, and naming the row of a bar in an error.

Reading the bars belongs in ``bar_reader``.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from quant_assets.core.errors import SourceError
from quant_assets.market.description.values import list_names, quote
from quant_assets.sources.deliveries import BAR_FIELDS
from quant_assets.sources.files.bar_options import BarOptions
from quant_assets.sources.files.headers import Header, check_whole, list_files, read_header
from quant_assets.sources.files.layout import SYMBOLS, FileGroup, check_columns, plain_name
from quant_assets.sources.files.queries import FILE, fetch, open_connection, table_of

_NAMES = {
    "symbol": SYMBOLS,
    "timestamp": ("timestamp", "datetime", "time", "bar_start"),
    **{field: (field,) for field in BAR_FIELDS},
}
_TIME_KINDS = ("text", "time", "zoned time")
_OPTIONAL = ("volume",)


def read_bar_groups(options: BarOptions) -> tuple[FileGroup, ...]:
    """Find the bar files of a folder, and what their columns mean. The day is the timestamp.

    Raises:
        SourceError: there are no files, one cannot be read, or it lacks a column.
        MarketError: a file lacks a column that the options name.
    """
    by_header: dict[Header, list[Path]] = {}
    for path in list_files(options.place):
        by_header.setdefault(read_header(path), []).append(path)
        check_whole(path)
    return tuple(_recognise(header, paths, options) for header, paths in by_header.items())


def _recognise(header: Header, paths: Sequence[Path], options: BarOptions) -> FileGroup:
    named = dict(options.columns)
    check_columns(header, paths[0], named)
    at = {name: i for i, name in enumerate(header.names)}
    roles = {ours: at[column.name] for ours, column in named.items()}
    plain = {plain_name(name): i for name, i in at.items() if i not in roles.values()}
    for ours, names in _NAMES.items():
        position = next((plain[name] for name in names if name in plain), None)
        if position is not None:
            roles.setdefault(ours, position)
        if ours not in roles and ours not in _OPTIONAL:
            raise SourceError(
                "a bar file lacks a column",
                where=str(paths[0]),
                expected=f"a column {' or '.join(names)}",
                found=list_names(header.names),
                hint=f"`columns` of the bars says which it is: columns: {{{ours}: Name}}",
            )
    kind = header.kinds[roles["timestamp"]]
    if kind not in _TIME_KINDS:
        raise SourceError(
            "the column of timestamps holds no times",
            where=f"{paths[0]}, column {header.names[roles['timestamp']]!r}",
            expected="times, or text such as 2024-03-08 09:30",
            found=f"a column of type {kind}",
        )
    fields = {field: roles[field] for field in BAR_FIELDS if field in roles}
    day, symbol = roles["timestamp"], roles["symbol"]
    return FileGroup(tuple(paths), header, "long", day, symbol, fields, (), numbered=False)


def find_rows(
    groups: Sequence[FileGroup], timestamp: str | None, symbols: Sequence[str | None] = ()
) -> list[str]:
    """Return the files and rows of bars, for errors; rows count from 1 after the header.

    Args:
        groups: the files.
        timestamp: the bars' timestamp as the files write it; None for an empty cell.
        symbols: their symbols, None for an empty cell; bars of all symbols if empty.
    """
    named, empty = [each for each in symbols if each is not None], None in symbols
    places = []
    with open_connection() as connection:
        connection.execute("SET preserve_insertion_order = true; SET threads = 1")
        for group in groups:
            query = (
                f"SELECT {FILE}, row FROM (SELECT *, row_number() OVER () AS row"
                f" FROM {table_of(group)}) AS t WHERE CAST(t.c{group.day} AS VARCHAR)"
                f" IS NOT DISTINCT FROM ? AND (? OR list_contains(?, CAST(t.c{group.symbol}"
                f" AS VARCHAR)) OR (? AND t.c{group.symbol} IS NULL)) LIMIT 10"
            )
            for path in group.paths:
                wanted = (timestamp, not symbols, named, empty)
                rows = fetch(connection, replace(group, paths=(path,)), query, *wanted)
                places += [f"{file}, row {row} after the header" for file, row in rows]
    return places


def name_row(
    groups: Sequence[FileGroup], timestamp: str | None, symbols: Sequence[str | None] = ()
) -> str:
    """Return the first of :func:`find_rows`, or else the folder."""
    return next(iter(find_rows(groups, timestamp, symbols)), groups[0].where)


def quote_bar(symbol: str | None, timestamp: str | None) -> str:
    """Return symbol and timestamp of a bar for an error."""
    shown = "no symbol" if symbol is None else quote(symbol)
    return f"{shown} at {timestamp}"
