"""Counting the closes of files that have a column per series.

Files with a row per instrument and day are counted in ``long_history``.
"""

from collections.abc import Sequence
from datetime import date
from functools import partial

import duckdb
import numpy as np

from quant_assets.sources.files.day_counts import DayCounts
from quant_assets.sources.files.day_texts import parse_days_of
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.market_series import MarketSeries
from quant_assets.sources.files.numbers import TextCount, check_mostly_numbers
from quant_assets.sources.files.queries import day_column, fetch, find_file, table_of
from quant_assets.sources.files.series import require_closes
from quant_assets.sources.files.wide_columns import stream_columns

_MOST_SAMPLES = 5


def count_wide(
    connection: duckdb.DuckDBPyConnection, groups: Sequence[FileGroup], named: MarketSeries
) -> tuple[list[dict[str, date]], DayCounts]:
    """Count the rows and the closes of each day.

    Returns the days of each group by how it writes them, and both counts by day.

    Args:
        connection: a connection.
        groups: the files.
        named: instruments and series.

    Raises:
        SourceError: an instrument has no close, a day cannot be read or has too many rows, or
            too many cells are text.
    """
    series, is_close = named.series, named.series.is_close
    texts: list[dict[str, date]] = []
    counts = DayCounts(len(named.instruments))
    has_close: dict[str, bool] = dict.fromkeys(series.group_of, False)
    for group in groups:
        column = f"CAST({day_column(group)} AS VARCHAR)"
        query = f"SELECT {column}, count(*) FROM {table_of(group)} GROUP BY 1"
        rows = dict(fetch(connection, group, query))
        days = parse_days_of(connection, group, rows)
        for text, day in days.items():
            counts.add_rows(day, rows[text], partial(find_file, connection, group, text))
        places = {text: place for place, text in enumerate(days)}
        of_day = np.zeros(len(places), dtype=np.int64)
        columns: dict[int, TextCount] = {}
        for part in stream_columns(connection, group, places, days, named):
            has = ~np.isnan(part.numbers)
            _count(columns, series.columns[part.column], part.column, int(has.sum()), part.texts)
            if is_close[part.column]:
                has_close[series.series[part.column].instrument] |= bool(has.any())
                np.add.at(of_day, part.rows[has], 1)
        check_mostly_numbers(list(columns.values()), group.where)
        for text, place in places.items():
            counts.add_closes(days[text], int(of_day[place]))
        texts.append(days)
    names = [name for group in groups for name in group.other_names]
    require_closes(series, has_close.values(), groups, lambda: names)
    return texts, counts


def _count(
    columns: dict[int, TextCount], name: str, column: int, numbers: int, texts: dict[int, str]
) -> None:
    count = columns.setdefault(column, TextCount(name, 0, 0, ()))
    count.numbers += numbers
    count.texts += len(texts)
    count.samples = tuple(dict.fromkeys((*count.samples, *texts.values())))[:_MOST_SAMPLES]
