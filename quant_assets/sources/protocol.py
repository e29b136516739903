"""The protocol of sources, which deliver prices, target pairs and published labels.

A source delivers series as it got them: it cleans, fills and drops nothing. It refuses data whose
structure is wrong as a whole, and delivers single unreadable cells for quarantine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, DayArray, FloatArray, IntArray
from quant_assets.market.instruments import SeriesList
from quant_assets.market.targets import TargetPairs

if TYPE_CHECKING:
    from quant_assets.sources.http.responses import ResponseRecord


BAR_FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class UnreadCell:
    """A cell that holds text instead of a number.

    Attributes:
        row: row of the cell in its table, from 0.
        column: name of the series in the source.
        text: the text in the cell.
    """

    row: int
    column: str
    text: str


@dataclass(frozen=True)
class Action:
    """A split, a dividend, or both, of an instrument on a day.

    Attributes:
        row: row of the day in its table, from 0.
        instrument: name of the instrument.
        split: shares after a split that takes effect at the day's open, for each share before.
        dividend: cash for each share that is held from before the day, counted after its split.
    """

    row: int
    instrument: str
    split: float = 1.0
    dividend: float = 0.0


@dataclass(frozen=True)
class PriceTable:
    """Prices as the source delivers them, one row a day and one column a series.

    Attributes:
        days: (n,) trading days, strictly ascending.
        date_ids: (n,) the source's numbering of the days.
        series: the c series.
        values: (n, c) numbers as delivered, infinite and negative numbers included; NaN where a
            cell is empty or unread.
        unread: cells that hold text instead of a number.
        actions: splits and dividends of instruments that have a close, if ``values`` are prices as
            traded, which they do not adjust; at most one of a day and instrument.
    """

    days: DayArray
    date_ids: IntArray
    series: SeriesList
    values: FloatArray
    unread: Sequence[UnreadCell] = ()
    actions: Sequence[Action] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the c series in the source."""
        return self.series.columns


@dataclass(frozen=True, kw_only=True)
class JoinedPrices(PriceTable):
    """Prices that several sources deliver together.

    Attributes:
        names: names of the sources, in order of priority.
        firsts: (c,) position of the source that comes first for each series among the names.
        places: (n, c) position of each cell's source among the names.
    """

    names: tuple[str, ...]
    firsts: IntArray
    places: AnyArray

    def name_sources(self, rows: IntArray, columns: IntArray) -> AnyArray:
        """Return (k,) the names of the sources of k cells, by their rows and columns."""
        return np.array(self.names, dtype=object)[self.places[rows, columns]]

    @property
    def is_later(self) -> BoolArray:
        """(n, c) which cells have a number of another source than the one that comes first."""
        result: BoolArray = (self.places != self.firsts) & ~np.isnan(self.values)
        return result

    def describe_later_sources(self) -> str:
        """Say how many prices are not of the source that comes first; empty if all are."""
        later = self.is_later
        if not later.any():
            return ""
        names = [self.names[place] for place in np.unique(self.places[later])]
        days = self.days[later.any(axis=1)]
        return (
            f"{int(later.sum()):,} prices are of {', '.join(names)}, as sources before have none; "
            f"days {len(days):,}, the newest {days[-1]}"
        )


@dataclass(frozen=True)
class OtherDelivery:
    """What a source delivers where the prices of another source are taken.

    Attributes:
        name: name of the source.
        values: (n, c) its numbers; NaN where it has none, or where it is the source of the cell.
        tolerance: relative difference of prices that is no disagreement.
    """

    name: str
    values: FloatArray
    tolerance: float


@dataclass(frozen=True)
class BarTable:
    """Bars of some days as the source delivers them, a row for each bar.

    Attributes:
        days: (r,) trading day of each bar.
        starts: (r,) when each bar begins, UTC, ``datetime64[s]``.
        instruments: names of the k instruments.
        instrument: (r,) position of each bar's instrument.
        fields: (r,) numbers by field, ``BAR_FIELDS``; NaN where a cell is empty.
    """

    days: DayArray
    starts: DayArray
    instruments: tuple[str, ...]
    instrument: IntArray
    fields: Mapping[str, FloatArray]


class Source(Protocol):
    """A source of prices, target pairs and, if it publishes them, labels."""

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""

    @property
    def first_day(self) -> date:
        """First day of the source's prices, found without reading all prices.

        Raises:
            SourceError: the source cannot be read, or no day has come yet.
        """

    @property
    def last_day(self) -> date:
        """Newest day of the source's prices that has come, found without reading all prices.

        A day has come when its prices are all written. :meth:`waiting` says which days have not.

        Raises:
            SourceError: the source cannot be read, or no day has come yet.
        """

    def days(self) -> DayArray:
        """Read the (n,) days of the source's prices that have come, ascending.

        Raises:
            SourceError: the source cannot be read.
        """

    def fingerprint(self) -> str:
        """Compute a hex digest that changes whenever the source's data change."""

    def look(self) -> str:
        """Return a short text that changes whenever the source's data change, at little cost.

        The source is at rest while two looks are equal. It reads no data and raises no error.
        """

    def waiting(self) -> str:
        """Say where and why the newest rows are not read yet; empty if all rows are.

        Raises:
            SourceError: the data cannot be read as a whole.
        """

    def prices(self, start: date, end: date) -> PriceTable:
        """Read the source's prices of the days from ``start`` to ``end``, both included.

        Raises:
            SourceError: the data cannot be read as a whole.
        """

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Read a second delivery of prices of the days from ``start`` to ``end``, for comparison.

        Returns None if the source has no second delivery.

        Raises:
            SourceError: the data cannot be read as a whole.
        """

    def pairs(self) -> TargetPairs:
        """Read the targets in submission order; legs are named as instruments.

        Raises:
            SourceError: the pairs are malformed.
        """

    def published_labels(self, start: date, end: date) -> FloatArray | None:
        """Read the (n, m) published labels of the days from ``start`` to ``end``, by forecast day.

        Returns None if the source publishes no labels. Published labels are for comparison only;
        the platform computes its labels from prices.
        """

    def best_forecast(self, start: date, end: date) -> FloatArray | None:
        """Compute the (n, m) forecast of an oracle, which knows the mechanism but no later noise.

        Returns None if the mechanism of the market is unknown.
        """


@runtime_checkable
class KeepsResponses(Protocol):
    """What a source has in addition if it keeps the answers of a vendor as they came."""

    def responses(self) -> "Sequence[ResponseRecord]":
        """Return the records of all kept answers, oldest first. Nothing is asked of the vendor.

        Raises:
            SourceError: they cannot be read.
        """


@runtime_checkable
class DeliversBars(Protocol):
    """What a source has in addition if it delivers bars within the day."""

    @property
    def bar_minutes(self) -> int:
        """Length of the bars in minutes."""

    def bars(self, start: date, end: date) -> BarTable:
        """Read the bars of the trading days from ``start`` to ``end``, both included.

        All of them are held in memory, so callers ask for some days at a time. An instrument has
        no two bars with one start.

        Raises:
            SourceError: the bars cannot be read as a whole, or do not fit the market's sessions.
        """


@runtime_checkable
class DeliversAsTraded(Protocol):
    """What a source has in addition if its prices may be as traded."""

    @property
    def as_traded(self) -> bool:
        """Whether splits and dividends come beside the prices, and do not adjust them."""


@runtime_checkable
class JoinsSources(Protocol):
    """What a source has in addition if it joins several sources."""

    def deliveries(self, start: date, end: date) -> tuple[JoinedPrices, Sequence[OtherDelivery]]:
        """Read the prices of some days, and what the other sources have of the same cells.

        Args:
            start: first day.
            end: last day.

        Raises:
            SourceError: the data cannot be read as a whole.
        """


@runtime_checkable
class TakesTime(Protocol):
    """What a source has in addition if asking a vendor for everything may take minutes.

    All other methods ask for some seconds only, and the next call goes on.
    """

    def complete(self, note: Callable[[str], None]) -> None:
        """Ask for everything that is old, however long it takes.

        Args:
            note: is called with the progress if it takes more than two seconds.

        Raises:
            SourceError: nothing can be kept.
        """
