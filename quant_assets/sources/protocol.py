"""The protocol of sources, which deliver prices, target pairs and published labels.

A source delivers series as it got them: it cleans, fills and drops nothing. It refuses data whose
structure is wrong as a whole, and delivers single unreadable cells for quarantine.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.deliveries import BarTable, JoinedPrices, OtherDelivery, PriceTable

if TYPE_CHECKING:
    from quant_assets.sources.http.responses import ResponseRecord


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
