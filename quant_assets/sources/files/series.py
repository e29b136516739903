"""The series of price files, by what the description of a market says of instruments.

They follow from all files and the description, and never from the days that are read. The cells of
series are read in ``long_cells`` and ``wide_cells``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from quant_assets.core.errors import SourceError, suggest_names
from quant_assets.market.description.instruments import Instrument, ListedInstruments
from quant_assets.market.description.listings import SymbolSpan
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import list_names, quote
from quant_assets.market.instruments import SeriesList
from quant_assets.sources.files.headers import stem_of
from quant_assets.sources.files.layout import FileGroup
from quant_assets.sources.files.market_series import (
    MarketSeries,
    collect_series,
    folder_of,
    list_described,
)
from quant_assets.sources.files.wide_series import name_by_rules, name_listed


def select_described(
    groups: Sequence[FileGroup], symbols: Iterable[SymbolSpan]
) -> tuple[FileGroup, ...]:
    """Return groups without the files of symbols that are not described.

    Only files of one instrument each can be left out unread.
    """
    names = {span.symbol for span in symbols}
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
        return name_listed(groups, market) if listed else name_by_rules(groups, market)
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
    series = list_described(instruments)
    return collect_series(market, instruments, {market.series_name(each): each for each in series})


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
            where=folder_of(groups),
            expected="a close of every described instrument on some day",
            found=f"none of {quote(without[0])}{others}",
            hint=suggest_names(
                without[0],
                sorted(set(list_known()) - set(names)),
                "remove it from the description, or add its prices",
            ),
        )


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
        fields, path = own.get(instrument.name, (given, folder_of(groups)))
        missing = [field for field in instrument.fields if field not in fields]
        if missing:
            raise SourceError(
                "the price files lack a described field",
                where=str(path),
                expected=f"a column {missing[0]}, as described of {quote(instrument.name)}",
                found=list_names(fields),
                hint="`columns` names a column of another name",
            )
