"""What all sources have in common whose prices follow from kept answers of a vendor.

What a vendor is asked, and what its answers mean, belongs in the module of the source.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import BoolArray, DayArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.http.responses import ResponseRecord, ResponseStore
from quant_assets.sources.prices_only import PricesOnly


@dataclass(frozen=True)
class VendorSource(PricesOnly, ABC):
    """A source whose every method asks the vendor first if its answers are old.

    Attributes:
        market: the market, whose calendar says which days are trading days.
    """

    market: MarketDescription

    @abstractmethod
    def _table(self) -> PriceTable:
        """Return the prices of all trading days that have come.

        Raises:
            SourceError: the vendor does not answer and too little is kept.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Compute a hex digest that changes whenever the source's data change.

        Raises:
            SourceError: as for :attr:`first_day`.
        """

    @property
    @abstractmethod
    def _store(self) -> ResponseStore:
        """The kept answers."""

    @property
    def first_day(self) -> date:
        """First trading day that has prices.

        Raises:
            SourceError: the vendor does not answer and too little is kept, or no trading day has
                prices.
        """
        return self._edge(0)

    @property
    def last_day(self) -> date:
        """Newest trading day whose prices have come.

        Raises:
            SourceError: as for :attr:`first_day`.
        """
        return self._edge(-1)

    def days(self) -> DayArray:
        """Read the (n,) trading days whose prices have come.

        Raises:
            SourceError: as for :attr:`first_day`.
        """
        return self._table().days

    def look(self) -> str:
        """Return the fingerprint; empty if there are no answers."""
        try:
            return self.fingerprint()
        except SourceError:
            return ""

    def prices(self, start: date, end: date) -> PriceTable:
        """Compute the prices of the trading days from ``start`` to ``end``; NaN without a price.

        ``date_ids`` number all trading days that have come, from 0.

        Raises:
            SourceError: the vendor does not answer and too little is kept, or an answer is damaged.
        """
        table = self._table()
        first = int(np.searchsorted(table.days, np.datetime64(start, "D")))
        stop = int(np.searchsorted(table.days, np.datetime64(end, "D"), side="right"))
        part = slice(first, max(first, stop))
        return replace(
            table,
            days=table.days[part],
            date_ids=table.date_ids[part],
            values=table.values[part],
            unread=[
                replace(cell, row=cell.row - part.start)
                for cell in table.unread
                if part.start <= cell.row < part.stop
            ],
            actions=[
                replace(action, row=action.row - part.start)
                for action in table.actions
                if part.start <= action.row < part.stop
            ],
        )

    def pairs(self) -> TargetPairs:
        """Return the targets that the market describes.

        Raises:
            MarketError: the targets do not fit the instruments.
        """
        return self.market.target_pairs(self.market.instruments())

    def responses(self) -> tuple[ResponseRecord, ...]:
        """Return the records of all answers of the vendor, oldest first.

        Raises:
            SourceError: they cannot be read.
        """
        return self._store.records()

    def _edge(self, position: int) -> date:
        days = self._table().days
        if len(days):
            day: date = days[position].item()
            return day
        raise SourceError(
            "no trading day has prices",
            where=str(self.market.file),
            expected="a calendar that has days of the vendor",
            found="no day in common",
        )


def find_sessions(market: MarketDescription, days: DayArray) -> BoolArray:
    """Return (n,) whether days are trading days within the history of a market."""
    calendar = market.calendar
    first, last = calendar.reach
    first, last = max(first, calendar.first_day or first), min(last, calendar.last_day or last)
    inside = (days >= np.datetime64(first)) & (days <= np.datetime64(last))
    inside[inside] = calendar.is_trading_day(days[inside], days[inside])
    return inside
