"""The series of price files, by what the description of a market says of instruments.

They follow from all files and the description, and never from the days that are read. The cells of
series are read in ``long_cells`` and ``wide_cells``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from quant_assets.core.errors import SourceError, UnknownNameError, suggest_names
from quant_assets.market.description.instruments import Instrument, ListedInstruments
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import list_names, quote
from quant_assets.market.instruments import FIELDS, InstrumentSeries, SeriesList
from quant_assets.sources.files.headers import stem_of
from quant_assets.sources.files.layout import FileGroup


@dataclass(frozen=True)
class MarketSeries:
    """The instruments of a market and their series.

    Attributes:
        instruments: the instruments.
        series: their series; the columns are names of the files' columns if these are wide.
    """

    instruments: tuple[Instrument, ...]
    series: SeriesList


def select_described(
    groups: Sequence[FileGroup], instruments: Iterable[Instrument]
) -> tuple[FileGroup, ...]:
    """Return groups without the files of instruments that are not described.

    Only files of one instrument each can be left out unread.
    """
    names = {instrument.name for instrument in instruments}
    described = [
        replace(
            group,
            paths=tuple(
                path
                for path in group.paths
                if group.layout != "a file per instrument" or stem_of(path) in names
            ),
        )
        for group in groups
    ]
    return tuple(group for group in described if group.paths)


def name_series(groups: Sequence[FileGroup], market: MarketDescription) -> MarketSeries:
    """Return the series that the columns of price files have.

    Columns and fields that the description does not have are left out if instruments are listed.

    Raises:
        SourceError: the files lack a described field or series, rules do not fit the names of
            columns, or two columns are one series.
        MarketError: an instrument found by rules has no close.
    """
    listed = isinstance(market.naming, ListedInstruments)
    if groups[0].layout == "wide":
        return _name_columns(groups, market, listed)
    if not listed:
        raise SourceError(
            "rules find instruments in names of columns, and the files have none",
            where=groups[0].where,
            expected="a wide file, with a column per series",
            found=groups[0].layout,
            hint="list the instruments: `quant-assets market init` writes a list",
        )
    instruments = market.instruments()
    _check_fields(groups, instruments)
    series = [
        InstrumentSeries(instrument.name, field)
        for instrument in instruments
        for field in FIELDS
        if field in instrument.fields
    ]
    return _collect(market, instruments, {market.series_name(each): each for each in series})


def require_closes(
    series: SeriesList,
    closes: Iterable[bool],
    groups: Sequence[FileGroup],
    list_known: Callable[[], Iterable[str]],
) -> None:
    """Check that every instrument has a close on some day.

    Args:
        series: the series.
        closes: whether each instrument has one, in order of first appearance.
        groups: the files.
        list_known: returns names in the files, for the hint.

    Raises:
        SourceError: an instrument has none.
    """
    names = tuple(series.group_of)
    without = [name for name, has in zip(names, closes, strict=True) if not has]
    if without:
        others = f", the first of {len(without):,}" if len(without) > 1 else ""
        raise SourceError(
            "a described instrument has no prices",
            where=_folder_of(groups),
            expected="a close of every described instrument on some day",
            found=f"none of {quote(without[0])}{others}",
            hint=suggest_names(
                without[0],
                sorted(set(list_known()) - set(names)),
                "remove it from the description, or add its prices",
            ),
        )


def _name_columns(
    groups: Sequence[FileGroup], market: MarketDescription, listed: bool
) -> MarketSeries:
    columns: dict[InstrumentSeries, str] = {}
    for group in groups:
        for name in group.other_names:
            series = _parse_column(name, group.paths[0], market, listed)
            if series is None:
                continue
            if columns.setdefault(series, name) != name:
                raise SourceError(
                    "two columns are one series",
                    where=str(group.paths[0]),
                    expected=f"one column of {series.instrument} {series.field}",
                    found=f"{quote(columns[series])} and {quote(name)}",
                )
    if not listed:
        by_column = {name: series for series, name in columns.items()}
        return _collect(market, market.instruments(tuple(by_column)), by_column)
    described = {
        InstrumentSeries(instrument.name, field): None
        for instrument in market.instruments()
        for field in FIELDS
        if field in instrument.fields
    }
    missing = next((series for series in described if series not in columns), None)
    if missing is not None:
        raise SourceError(
            "a described series has no column",
            where=_folder_of(groups),
            expected=f"a column {quote(market.series_name(missing))}",
            found=list_names(groups[0].other_names),
            hint=suggest_names(market.series_name(missing), groups[0].other_names),
        )
    return _collect(market, market.instruments(), {columns[series]: series for series in described})


def _parse_column(
    name: str, file: Path, market: MarketDescription, listed: bool
) -> InstrumentSeries | None:
    """Return the series of a column; None if it has none and instruments are listed."""
    try:
        return market.parse_series(name)
    except UnknownNameError as error:
        if listed:
            return None
        raise SourceError(
            "a column follows no rule of the description",
            where=f"{file}, column {quote(name)}",
            expected=error.expected,
            found=quote(name),
            hint=error.hint or f"add a rule to {market.file}, or remove the column",
        ) from None


def _check_fields(groups: Sequence[FileGroup], instruments: Sequence[Instrument]) -> None:
    """Check that the files have every described field; a file of one instrument has its own."""
    given = {field for group in groups for field in group.fields}
    own = {
        stem_of(path): (group.fields, path)
        for group in groups
        if group.layout == "a file per instrument"
        for path in group.paths
    }
    for instrument in instruments:
        fields, path = own.get(instrument.name, (given, _folder_of(groups)))
        missing = [field for field in instrument.fields if field not in fields]
        if missing:
            raise SourceError(
                "the price files lack a described field",
                where=str(path),
                expected=f"a column {missing[0]}, as described of {quote(instrument.name)}",
                found=list_names(fields),
                hint="`columns` names a column of another name",
            )


def _collect(
    market: MarketDescription,
    instruments: Sequence[Instrument],
    by_column: dict[str, InstrumentSeries],
) -> MarketSeries:
    groups = {instrument.name: market.group_of(instrument.name) for instrument in instruments}
    series = SeriesList(
        tuple(by_column),
        tuple(by_column.values()),
        tuple(groups[each.instrument] for each in by_column.values()),
        market.all_groups,
    )
    return MarketSeries(tuple(instruments), series)


def _folder_of(groups: Sequence[FileGroup]) -> str:
    return groups[0].where if len(groups) == 1 else str(groups[0].paths[0].parent)
