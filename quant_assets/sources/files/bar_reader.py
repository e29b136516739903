"""Reading the bars of some days from files, a batch of rows at a time.

Which bars fit the market belongs in ``bar_checks``, timestamps in ``bar_times``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import AnyArray, FloatArray
from quant_assets.market.description.listings import SymbolSpan
from quant_assets.market.description.values import quote
from quant_assets.sources.deliveries import BAR_FIELDS, BarTable
from quant_assets.sources.files.bar_checks import BarRules, ReadBars, drop_repeated
from quant_assets.sources.files.bar_files import (
    find_rows,
    name_row,
    quote_bar,
    read_bar_groups,
)
from quant_assets.sources.files.bar_options import BarOptions
from quant_assets.sources.files.bar_times import SQL_PATTERN, BarTime, BarTimes
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.numbers import parse_cells
from quant_assets.sources.files.queries import (
    cell_of,
    open_connection,
    register_places,
    stream,
    table_of,
)

_BATCH = 131_072
# A timestamp may be of another date than the local start of its bar.
_MARGIN = timedelta(days=1)
_SQL_TYPES = {"time": "TIMESTAMP", "zoned time": "TIMESTAMPTZ"}


def read_bar_table(
    options: BarOptions,
    instruments: Sequence[str],
    symbols: Sequence[SymbolSpan],
    rules: BarRules,
    start: date,
    end: date,
) -> BarTable:
    """Read the bars from ``start`` to ``end``, both included, sorted by day and instrument.

    Args:
        options: where the files are, and how they are read.
        instruments: names of the described instruments.
        symbols: the days on which each symbol means which instrument.
        rules: which bars fit the market.
        start: first day.
        end: last day.

    Raises:
        SourceError: a file cannot be read, or a bar does not fit.
    """
    reader = _BarReader(options, instruments, symbols, rules, start, end)
    with open_connection() as connection:
        for group in reader.groups:
            reader.read(connection, group)
    bars = reader.join()
    return BarTable(bars.days, bars.starts, tuple(instruments), bars.instrument, bars.fields)


@dataclass(frozen=True)
class _Batch:
    """Fitting bars of a batch of rows, and their timestamps for errors."""

    bars: ReadBars
    texts: AnyArray


class _BarReader:
    """Reads the bars of some days, group by group of files."""

    def __init__(
        self,
        options: BarOptions,
        instruments: Sequence[str],
        symbols: Sequence[SymbolSpan],
        rules: BarRules,
        start: date,
        end: date,
    ) -> None:
        self.groups = read_bar_groups(options)
        self._names = list(instruments)
        self._symbols = [span.symbol for span in symbols]
        place = {name: i for i, name in enumerate(instruments)}
        # The last place is that of a symbol that is not described, which has no days of its own.
        self._places = np.array([*(place[span.instrument] for span in symbols), -1])
        self._first = np.array([*(span.first for span in symbols), date.min], "datetime64[D]")
        self._last = np.array([*(span.last for span in symbols), date.max], "datetime64[D]")
        self._rules = rules
        self._span = start, end
        self._skip = options.skip_others
        lead = timedelta(minutes=options.minutes if options.at_end else 0)
        self._times = BarTimes(options.zone, lead, lambda text: name_row(self.groups, text))
        self._parsed: dict[str | None, BarTime] = {}
        self._batches: list[_Batch] = []

    def read(self, connection: duckdb.DuckDBPyConnection, group: FileGroup) -> None:
        """Read the rows of a group."""
        register_places(connection, "wanted", self._symbols, list(range(len(self._symbols))))
        symbol, time = (f"CAST(t.c{i} AS VARCHAR)" for i in (group.symbol, group.day))
        fields = [f"{cell_of(group, column)} AS {field}" for field, column in group.fields.items()]
        join = "JOIN" if self._skip else "LEFT JOIN"
        kind = group.header.kinds[group.day]
        first, last = str(self._span[0] - _MARGIN), str(self._span[1] + _MARGIN)
        within = f"substr({time}, 1, 10) BETWEEN ? AND ? OR NOT regexp_full_match({time}, ?)"
        values = [first, last, SQL_PATTERN]
        if kind in _SQL_TYPES:
            within = f"t.c{group.day} BETWEEN ?::{_SQL_TYPES[kind]} AND ?::{_SQL_TYPES[kind]}"
            values = [first, f"{last} 23:59:59"]
        query = (
            f"SELECT w.place, {symbol} AS symbol, {time} AS time, {', '.join(fields)}"
            f" FROM {table_of(group)} {join} wanted AS w ON {symbol} = w.key"
            f" WHERE {within} OR t.c{group.day} IS NULL"
        )
        for batch in stream(connection, group, query, _BATCH, *values):
            if batch.num_rows:
                self._add(batch, list(group.fields))

    def join(self) -> ReadBars:
        """Return all bars, each once.

        Raises:
            SourceError: two bars of an instrument and start differ.
        """
        batches = self._batches or [_Batch(_no_bars(), np.empty(0, dtype=object))]
        parts = [each.bars for each in batches]
        texts = np.concatenate([each.texts for each in batches])
        bars = ReadBars(
            np.concatenate([part.instrument for part in parts]),
            np.concatenate([part.days for part in parts]),
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.clocks for part in parts]),
            {name: np.concatenate([part.fields[name] for part in parts]) for name in BAR_FIELDS},
        )

        def name_of(row: int) -> str:
            return quote_bar(self._names[bars.instrument[row]], texts[row])

        def places_of(row: int) -> list[str]:
            name = self._names[bars.instrument[row]]
            known = [
                key
                for key, at in zip(self._symbols, self._places, strict=False)
                if self._names[at] == name
            ]
            return find_rows(self.groups, texts[row], known)

        return drop_repeated(bars, places_of, name_of)

    def _add(self, batch: Any, fields: Sequence[str]) -> None:
        """Add the bars of a batch that begin on the days that are read, and that fit."""
        encoded = batch.column(2).dictionary_encode()
        codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
        dictionary = [*encoded.dictionary.to_pylist(), None]
        used = range(len(dictionary) - (encoded.null_count == 0))
        texts = np.array(dictionary, dtype=object)
        times = [self._parse(dictionary[code]) for code in used]
        days = np.array([time.day for time in times], dtype="datetime64[D]")[codes]
        first, last = (np.datetime64(day) for day in self._span)
        span = batch.column(0).fill_null(-1).to_numpy()
        in_span = (days >= self._first[span]) & (days <= self._last[span])
        rows = np.flatnonzero((days >= first) & (days <= last) & in_span)
        symbols = batch.column(1)

        def name_of(row: int) -> str:
            return quote_bar(symbols[int(rows[row])].as_py(), texts[codes[rows[row]]])

        def place_of(row: int) -> str:
            symbol = symbols[int(rows[row])].as_py()
            return name_row(self.groups, texts[codes[rows[row]]], [symbol])

        bars = ReadBars(
            self._places[span[rows]],
            days[rows],
            np.array([time.second for time in times], dtype="datetime64[s]")[codes][rows],
            np.array([time.clock for time in times])[codes][rows],
            self._read_numbers(batch, fields, rows, place_of),
        )
        fits = self._rules.find_fitting(bars, place_of, name_of)
        problems = np.array([bool(time.problem) for time in times])[codes][rows]
        if (problems & fits).any():
            row = int(np.flatnonzero(problems & fits)[0])
            raise SourceError(
                "the start of a bar is no single moment",
                where=place_of(row),
                expected="a time with an offset, such as 2024-11-03T01:30:00-04:00",
                found=f"{name_of(row)}, {times[codes[rows[row]]].problem}",
            )
        self._batches.append(_Batch(bars.select(fits), texts[codes[rows[fits]]]))

    def _parse(self, text: str | None) -> BarTime:
        if text not in self._parsed:
            self._parsed[text] = self._times.parse(text)
        return self._parsed[text]

    def _read_numbers(
        self, batch: pa.RecordBatch, fields: Sequence[str], rows: AnyArray, place_of: Any
    ) -> dict[str, FloatArray]:
        numbers = {field: np.full(len(rows), np.nan) for field in BAR_FIELDS}
        for i, field in enumerate(fields, start=3):
            numbers[field], texts = parse_cells(batch.column(i).take(pa.array(rows)))
            if texts:
                row, text = next(iter(texts.items()))
                raise SourceError(
                    "a cell of a bar is no number",
                    where=f"{place_of(row)}, {field}",
                    expected="a number or an empty cell",
                    found=quote(text),
                )
        return numbers


def _no_bars() -> ReadBars:
    numbers = np.empty(0, dtype=np.int64)
    seconds = np.empty(0, dtype="datetime64[s]")
    fields = {field: np.empty(0) for field in BAR_FIELDS}
    return ReadBars(numbers, seconds.astype("datetime64[D]"), seconds, numbers, fields)
