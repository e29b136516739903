"""Counting the closes of files that have a row per instrument and day.

Wide files are counted in ``wide_history``; cells are read in ``long_cells``.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa

from quant_assets.core.errors import SourceError
from quant_assets.sources.files.day_counts import DayCounts
from quant_assets.sources.files.day_texts import parse_days_of
from quant_assets.sources.files.headers import stem_of
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.market_series import MarketSeries
from quant_assets.sources.files.numbers import EMPTY, TextCount, check_mostly_numbers
from quant_assets.sources.files.queries import (
    FILE,
    day_column,
    fetch,
    find_file,
    join_days,
    number_of,
    register_days,
    require_numbers,
    table_of,
)
from quant_assets.sources.files.series import require_closes

DayTexts = list[dict[str, date]]
_PARTS = 4
_MOST_KNOWN = 20_000


def count_long(
    connection: duckdb.DuckDBPyConnection,
    groups: Sequence[FileGroup],
    named: MarketSeries,
    all_groups: Sequence[FileGroup],
) -> tuple[DayTexts, DayCounts]:
    """Count the rows and closes of described instruments on each day that has one of their rows.

    Returns the days of each group by how it writes them, and both counts by day.

    Args:
        connection: a connection.
        groups: the files.
        named: instruments and series.
        all_groups: the files with those of instruments that are not described, for hints.

    Raises:
        SourceError: an instrument has no close, a row has no symbol or no day, a day cannot be
            read or has too many rows, or too many cells are text.
    """
    texts: DayTexts = []
    counts = DayCounts(len(named.instruments))
    by_instrument: dict[int, int] = defaultdict(int)
    for group in groups:
        of_days, of_instruments = _count(connection, group, named)
        days = parse_days_of(connection, group, [row[0] for row in of_days])
        for text, rows, closes in of_days:
            if rows:
                find = partial(find_file, connection, group, text)
                counts.add_rows(days[text], rows, find)
                counts.add_closes(days[text], closes)
        for instrument, closes in of_instruments:
            by_instrument[instrument] += closes
        texts.append(days)
    present = [by_instrument[place] > 0 for place in range(len(named.instruments))]
    require_closes(named.series, present, all_groups, lambda: _read_names(connection, all_groups))
    return texts, counts


def join_instruments(
    connection: duckdb.DuckDBPyConnection, group: FileGroup, named: MarketSeries
) -> str:
    """Register the instruments of a group as table ``wanted``, and return the join with it.

    If symbols mean different instruments on different days, the days must be joined before.
    """
    places = {instrument.name: place for place, instrument in enumerate(named.instruments)}
    spans = named.symbols
    key, keys = f"t.{FILE}", [span.symbol for span in spans]
    if group.symbol is not None:
        key = f"CAST(t.c{group.symbol} AS VARCHAR)"
    else:
        paths: dict[str, list[str]] = {}
        for path in group.paths:
            paths.setdefault(stem_of(path), []).append(str(path))
        pairs = [(path, span) for span in spans for path in paths.get(span.symbol, ())]
        keys, spans = [path for path, _ in pairs], tuple(span for _, span in pairs)
    columns = {
        "key": pa.array(keys, pa.string()),
        "place": pa.array([places[span.instrument] for span in spans], pa.int64()),
        "first": pa.array([span.first for span in spans], pa.date32()),
        "last": pa.array([span.last for span in spans], pa.date32()),
    }
    connection.register("wanted", pa.table(columns))
    within = " AND d.day BETWEEN w.first AND w.last" if named.by_day else ""
    return f"JOIN wanted AS w ON {key} = w.key{within}"


def _count(
    connection: duckdb.DuckDBPyConnection, group: FileGroup, named: MarketSeries
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Count rows and closes of described instruments by day and by instrument, in one pass.

    Returns rows of day, rows and closes, and rows of instrument and closes.
    """
    join = join_instruments(connection, group, named)
    wanted = {field for instrument in named.instruments for field in instrument.fields}
    priced = [column for field, column in group.fields.items() if field in wanted]
    for column in priced:
        require_numbers(group, column)
    texts = [column for column in priced if group.header.kinds[column] == "text"]
    columns = [
        f"CAST({day_column(group)} AS VARCHAR) AS day",
        "w.place AS instrument",
        f"nullif({number_of(group.fields['close'])}, 'nan'::DOUBLE) AS close",
        f"{'FALSE' if group.symbol is None else f't.c{group.symbol} IS NULL'} AS nameless",
        *(f"CASE WHEN w.place IS NOT NULL THEN t.c{column} END AS c{column}" for column in texts),
    ]
    counts = ["count(instrument)", "count(close) FILTER (instrument IS NOT NULL)"]
    counts += ["count(*) FILTER (nameless)", *_count_texts(texts)]
    join_of_days = f"LEFT {_join_all_days(connection, group)}" if named.by_day else ""
    rows = f"SELECT {', '.join(columns)} FROM {table_of(group)} {join_of_days} LEFT {join}"
    query = f"SELECT grouping(day), day, instrument, {', '.join(counts)} FROM ({rows})"
    counted = fetch(connection, group, f"{query} GROUP BY GROUPING SETS ((day), (instrument))")
    by_day = [row[1:] for row in counted if not row[0]]
    _check_symbols(connection, group, sum(row[4] for row in by_day))
    check_mostly_numbers(list(_join_counts(group, texts, by_day)), group.where)
    return (
        [(row[0], row[2], row[3]) for row in by_day],
        [(row[2], row[4]) for row in counted if row[0] and row[2] is not None],
    )


def _join_all_days(connection: duckdb.DuckDBPyConnection, group: FileGroup) -> str:
    """Register all days of a group, and return the join with them."""
    query = f"SELECT DISTINCT CAST({day_column(group)} AS VARCHAR) FROM {table_of(group)}"
    texts = [row[0] for row in fetch(connection, group, query)]
    days = parse_days_of(connection, group, texts)
    register_days(connection, days, {text: place for place, text in enumerate(days)})
    return join_days(group)


def _count_texts(columns: Sequence[int]) -> Iterator[str]:
    """Return how numbers and texts of columns are counted in SQL, with two of the texts."""
    for column in columns:
        number = number_of(column, "")
        text = f"CASE WHEN {number} IS NULL AND c{column} NOT IN {EMPTY} THEN c{column} END"
        yield f"count({number}), count({text}), min({text}), max({text})"


def _join_counts(
    group: FileGroup, columns: Sequence[int], of_days: Sequence[tuple[Any, ...]]
) -> Iterator[TextCount]:
    for i, column in enumerate(columns):
        first = 5 + i * _PARTS
        parts = [row[first : first + _PARTS] for row in of_days]
        samples = {text for part in parts for text in part[2:] if text is not None}
        yield TextCount(
            group.header.names[column],
            sum(part[0] for part in parts),
            sum(part[1] for part in parts),
            tuple(sorted(samples)),
        )


def _check_symbols(connection: duckdb.DuckDBPyConnection, group: FileGroup, nameless: int) -> None:
    if not nameless or group.symbol is None:
        return
    query = f"SELECT min({FILE}) FROM {table_of(group)} WHERE t.c{group.symbol} IS NULL"
    file = fetch(connection, group, query)[0][0]
    raise SourceError(
        "a row has no symbol",
        where=f"{file}, column {group.header.names[group.symbol]!r}",
        expected="a symbol in every row",
        found=f"{nameless:,} rows without one",
    )


def _read_names(
    connection: duckdb.DuckDBPyConnection, groups: Sequence[FileGroup]
) -> Iterator[str]:
    """Return symbols, or names of files where these are the symbols."""
    for group in groups:
        if group.symbol is None:
            yield from map(stem_of, group.paths)
            continue
        query = f"SELECT DISTINCT CAST(t.c{group.symbol} AS VARCHAR) FROM {table_of(group)}"
        for row in fetch(connection, group, f"{query} LIMIT {_MOST_KNOWN}"):
            yield row[0]
