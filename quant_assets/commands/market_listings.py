"""What ``quant-assets market check`` says of listings, and of the symbols that price files have."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from quant_assets.commands.price_files import PriceFiles, find_symbol_days
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.listings import Listing, SymbolSpan, list_symbols
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import list_names
from quant_assets.market.instruments import FIELDS
from quant_assets.sources.files.layout import NamedColumn

_SHOWN = 4


def describe_unclaimed(
    place: Path, columns: Mapping[str, NamedColumn], instruments: Sequence[Instrument]
) -> Iterator[str]:
    """Yield symbols of renamed instruments that are not there, or with rows of no instrument.

    Wide files are not looked at: nothing is yielded.

    Args:
        place: a folder of price files, or one file.
        columns: columns by our names for them, where they are not called so.
        instruments: the described instruments.

    Raises:
        SourceError: the files cannot be read.
    """
    spans: dict[str, list[SymbolSpan]] = {}
    for span in list_symbols(instruments):
        spans.setdefault(span.symbol, []).append(span)
    wanted = {symbol: own for symbol, own in spans.items() if not any(s.is_whole for s in own)}
    if not wanted:
        return
    days = find_symbol_days(place, columns, list(wanted))
    if days is None:
        return
    for symbol, own in wanted.items():
        if symbol not in days:
            yield f"{symbol}: the data have no such symbol"
        lost = [
            day
            for day in sorted(days.get(symbol, ()))
            if not any(span.first <= day <= span.last for span in own)
        ]
        if lost:
            count, first, last = len(lost), lost[0], lost[-1]
            yield f"{symbol}: rows of {count:,} days belong to no instrument, {first} to {last}"


def describe_listings(instruments: Sequence[Instrument]) -> Iterator[tuple[str, str]]:
    """Yield what is said of listings, delistings and renamings: a subject, and how many and when.

    Args:
        instruments: the instruments.
    """
    said: list[tuple[str, Listing]] = [(i.name, i.listing) for i in instruments if i.listing]
    facts = {
        "listed": [(each.listed, name) for name, each in said if each.listed],
        "delisted": [(each.delisted, name) for name, each in said if each.delisted],
        "renamed": [
            (former.until, f"{former.name}, now {name}")
            for name, each in said
            for former in each.former_names
        ],
    }
    for subject, dated in facts.items():
        if dated:
            # The newest days are those that a reader looks for.
            texts = [f"{name} on {day}" for day, name in sorted(dated, reverse=True)]
            more = ", ..." if len(texts) > _SHOWN else ""
            yield subject, f"{len(texts):,}: {list_names(texts[:_SHOWN])}{more}"


def find_held(
    market: MarketDescription, files: PriceFiles, instruments: Sequence[Instrument]
) -> set[str]:
    """Find the instruments that price files have on some day; unknown symbols stay as they are.

    Args:
        market: the description.
        files: what the files hold.
        instruments: the described instruments.

    Raises:
        UnknownNameError: the name of a column of wide files is not that of a series.
    """
    if files.series and not market.listings:
        return {instrument.name for instrument in market.instruments(files.series)}
    owners: dict[str, set[str]] = {}
    for span in list_symbols(instruments):
        owners.setdefault(span.symbol, set()).add(span.instrument)
    if not files.series:
        return {name for symbol in files.fields for name in owners.get(symbol, {symbol})}
    of_columns = {
        column: names
        for symbol, names in owners.items()
        for column in (symbol, *(f"{symbol}_{field}" for field in FIELDS))
    }
    others = [column for column in files.series if column not in of_columns]
    held = {name for column in files.series for name in of_columns.get(column, ())}
    return held | {instrument.name for instrument in market.instruments(others)}
