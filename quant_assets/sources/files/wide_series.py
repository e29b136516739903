"""The series of the columns of wide files, by what the description of a market says.

Files with a row per instrument and day belong in ``series``.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from quant_assets.core.errors import SourceError, UnknownNameError, suggest_names
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.listings import SymbolSpan, list_symbols
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import list_names, quote
from quant_assets.market.instruments import InstrumentSeries
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.market_series import (
    ColumnPlace,
    MarketSeries,
    collect_series,
    folder_of,
    list_described,
)


def name_by_rules(groups: Sequence[FileGroup], market: MarketDescription) -> MarketSeries:
    """Name the series of wide files whose instruments rules find.

    Raises:
        SourceError: a column follows no rule, or two columns are one series.
        MarketError: an instrument has no close.
    """
    columns: dict[InstrumentSeries, str] = {}
    for group in groups:
        for name in group.other_names:
            series = _parse_column(name, group.paths[0], market)
            if columns.setdefault(series, name) != name:
                raise _repeated_error(group, series, columns[series], name)
    by_column = {name: series for series, name in columns.items()}
    named = collect_series(market, market.instruments(tuple(by_column)), by_column)
    places = {name: (ColumnPlace(place),) for name, place in named.series.by_column.items()}
    return replace(named, columns=places)


def name_listed(groups: Sequence[FileGroup], market: MarketDescription) -> MarketSeries:
    """Name the series of wide files whose instruments are listed.

    A column of a former name holds the series until the instrument has another name. Columns that
    the description does not have are left out.

    Raises:
        SourceError: a described series has no column, or two columns are one series.
    """
    instruments = market.instruments()
    meanings = _list_meanings(instruments)
    columns: dict[tuple[InstrumentSeries, str], str] = {}
    for group in groups:
        for name in group.other_names:
            for series, span in meanings.get(name, ()):
                first = columns.setdefault((series, span.symbol), name)
                if first != name:
                    raise _repeated_error(group, series, first, name)
    given = {series for series, _ in columns}
    by_column: dict[str, InstrumentSeries] = {}
    for series in list_described(instruments):
        if series not in given:
            raise _lacking_error(groups, market.series_name(series))
        own = columns.get((series, series.instrument), market.series_name(series))
        by_column[own] = series
    named = collect_series(market, instruments, by_column)
    position = {series: i for i, series in enumerate(named.series.series)}
    places = {
        name: tuple(
            ColumnPlace(position[series], span.first, span.last)
            for series, span in meanings.get(name, ())
        )
        for name in columns.values()
    }
    return replace(named, columns=places)


def _list_meanings(
    instruments: Sequence[Instrument],
) -> dict[str, list[tuple[InstrumentSeries, SymbolSpan]]]:
    """List, by the name of a column, the series that it may hold, and on which days."""
    fields = {instrument.name: instrument.fields for instrument in instruments}
    meanings: dict[str, list[tuple[InstrumentSeries, SymbolSpan]]] = {}
    for span in list_symbols(instruments):
        for field in fields[span.instrument]:
            meaning = InstrumentSeries(span.instrument, field), span
            meanings.setdefault(f"{span.symbol}_{field}", []).append(meaning)
            if field == "close":
                meanings.setdefault(span.symbol, []).append(meaning)
    return meanings


def _repeated_error(
    group: FileGroup, series: InstrumentSeries, first: str, second: str
) -> SourceError:
    return SourceError(
        "two columns are one series",
        where=str(group.paths[0]),
        expected=f"one column of {series.instrument} {series.field}",
        found=f"{quote(first)} and {quote(second)}",
    )


def _lacking_error(groups: Sequence[FileGroup], column: str) -> SourceError:
    return SourceError(
        "a described series has no column",
        where=folder_of(groups),
        expected=f"a column {quote(column)}",
        found=list_names(groups[0].other_names),
        hint=suggest_names(column, groups[0].other_names),
    )


def _parse_column(name: str, file: Path, market: MarketDescription) -> InstrumentSeries:
    """Return the series of a column.

    Raises:
        SourceError: the column follows no rule.
    """
    try:
        return market.parse_series(name)
    except UnknownNameError as error:
        raise SourceError(
            "a column follows no rule of the description",
            where=f"{file}, column {quote(name)}",
            expected=error.expected,
            found=quote(name),
            hint=error.hint or f"add a rule to {market.file}, or remove the column",
        ) from None
