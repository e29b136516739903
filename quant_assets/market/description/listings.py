"""Listings: the days on which an instrument can trade, and its symbol on each day.

Every source learns from :func:`list_symbols` which instrument a symbol means on a day. Whether an
instrument is in the universe on a day is computed in ``market.universe``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise, zip_longest
from typing import Protocol

import numpy as np

from quant_assets.core.typing import DayArray

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class FormerName:
    """A name that an instrument had.

    Attributes:
        name: the former name.
        until: first day on which the instrument has another name.
    """

    name: str
    until: date


@dataclass(frozen=True)
class Listing:
    """What a description says of the days on which an instrument can trade.

    Attributes:
        listed: first day on which it can trade; None if that is not said.
        delisted: last day on which it can trade; None if that is not said.
        former_names: its former names, ascending in days.
    """

    listed: date | None = None
    delisted: date | None = None
    former_names: tuple[FormerName, ...] = ()

    def has(self, day: date) -> bool:
        """Return whether the instrument can trade on a day."""
        return (self.listed or date.min) <= day <= (self.delisted or date.max)


class Listed(Protocol):
    """An instrument with its listing; None if the description says nothing of it."""

    @property
    def name(self) -> str:
        """Name of the instrument."""

    @property
    def listing(self) -> Listing | None:
        """Its listing."""


@dataclass(frozen=True)
class SymbolSpan:
    """Days on which a symbol of a source means an instrument.

    Attributes:
        symbol: the symbol.
        instrument: name of the instrument.
        first: first day.
        last: last day.
    """

    symbol: str
    instrument: str
    first: date = date.min
    last: date = date.max

    @property
    def is_whole(self) -> bool:
        """Whether the symbol means the instrument on all days."""
        return self.first == date.min and self.last == date.max


@dataclass(frozen=True)
class SharedSymbol:
    """A symbol that two instruments have on one day, on which both can trade."""

    symbol: str
    day: date
    instruments: tuple[str, str]


@dataclass(frozen=True)
class _Claim:
    """Days on which an instrument has a symbol, and those of them on which it can trade."""

    span: SymbolSpan
    first: date
    last: date


def list_symbols(
    instruments: Sequence[Listed], name_symbol: Callable[[str], str] = str
) -> tuple[SymbolSpan, ...]:
    """List the days on which each symbol of a source means which instrument.

    A symbol that several instruments have had means, on each day, the one that can trade. On the
    days between two of them it means the earlier, until this has another name, and then the later.

    Args:
        instruments: the instruments, no two of which share a symbol on a day.
        name_symbol: returns the source's symbol for a name of an instrument.

    Examples:
        >>> from quant_assets.market.description.instruments import Instrument
        >>> renamed = Listing(former_names=(FormerName("FB", date(2022, 6, 9)),))
        >>> for span in list_symbols([Instrument("META", listing=renamed)]):
        ...     print(span.symbol, span.first, span.last)
        FB 0001-01-01 2022-06-08
        META 2022-06-09 9999-12-31
    """
    spans: list[SymbolSpan] = []
    for claims in _list_claims(instruments, name_symbol).values():
        if len(claims) == 1:
            spans.append(claims[0].span)
            continue
        first = date.min
        trading = _sort_trading(claims)
        for claim, later in zip_longest(trading, trading[1:]):
            last = min(claim.span.last, later.first - _DAY) if later else claim.span.last
            spans.append(replace(claim.span, first=max(claim.span.first, first), last=last))
            first = last + _DAY if later else first
    return tuple(spans)


def find_shared_symbol(
    instruments: Sequence[Listed], name_symbol: Callable[[str], str] = str
) -> SharedSymbol | None:
    """Find a symbol that two instruments have on one day, on which both can trade; else None.

    Args:
        instruments: the instruments.
        name_symbol: returns the source's symbol for a name of an instrument.
    """
    for symbol, claims in _list_claims(instruments, name_symbol).items():
        for earlier, later in pairwise(_sort_trading(claims)):
            if later.first <= earlier.last:
                names = earlier.span.instrument, later.span.instrument
                return SharedSymbol(symbol, later.first, names)
    return None


def listing_days(
    instruments: Sequence[str], listings: Mapping[str, Listing]
) -> tuple[DayArray, DayArray]:
    """Return the (k,) first and the (k,) last days of trading; NaT where none is said.

    Args:
        instruments: names of the k instruments.
        listings: the listings that are said, by name.
    """
    nothing = Listing()
    own = [listings.get(name, nothing) for name in instruments]
    return (
        np.array([each.listed for each in own], dtype="datetime64[D]"),
        np.array([each.delisted for each in own], dtype="datetime64[D]"),
    )


def _list_claims(
    instruments: Sequence[Listed], name_symbol: Callable[[str], str]
) -> dict[str, list[_Claim]]:
    """List the days on which instruments have each symbol, whether or not they can trade."""
    claims: dict[str, list[_Claim]] = {}
    for instrument in instruments:
        listing = instrument.listing or Listing()
        listed, delisted = listing.listed or date.min, listing.delisted or date.max
        for name, first, last in _names(instrument.name, listing):
            span = SymbolSpan(name_symbol(name), instrument.name, first, last)
            claim = _Claim(span, max(first, listed), min(last, delisted))
            claims.setdefault(span.symbol, []).append(claim)
    return claims


def _names(name: str, listing: Listing) -> Iterator[tuple[str, date, date]]:
    """Yield each name of an instrument with its first and last day."""
    first = date.min
    for former in listing.former_names:
        yield former.name, first, former.until - _DAY
        first = former.until
    yield name, first, date.max


def _sort_trading(claims: Sequence[_Claim]) -> list[_Claim]:
    """Return the claims with a day of trading, ascending in days."""
    trading = [claim for claim in claims if claim.first <= claim.last]
    return sorted(trading, key=lambda claim: (claim.first, claim.last))
