"""The protocol between the platform and whatever prices come from.

A source delivers series as they were given: nothing is cleaned, filled or dropped here. It refuses
data whose structure is wrong as a whole; single bad cells it passes on for quarantine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.market.targets import TargetPairs


@dataclass(frozen=True)
class UnreadCell:
    """A cell that should hold a number and does not.

    Attributes:
        row: position among the rows of the table it came with.
        column: name of the series.
        text: what stood there.
    """

    row: int
    column: str
    text: str


@dataclass(frozen=True)
class PriceTable:
    """Prices as given, one row a day and one column a series.

    Attributes:
        days: (n,) trading days, strictly ascending.
        date_ids: (n,) the source's numbering of the days.
        columns: c series, in the competition's naming.
        values: (n, c) numbers as given (infinite and negative ones included), NaN where empty or
            unread.
        unread: the cells that hold something other than a number.
    """

    days: DayArray
    date_ids: IntArray
    columns: tuple[str, ...]
    values: FloatArray
    unread: Sequence[UnreadCell] = ()


class Source(Protocol):
    """Where prices, pairs and, if known, labels come from."""

    @property
    def name(self) -> str:
        """Short name, stored with every price."""

    @property
    def first_day(self) -> date:
        """First day the source has; cheap to ask, reads no prices."""

    @property
    def last_day(self) -> date:
        """Newest day the source has; cheap to ask, reads no prices."""

    def fingerprint(self) -> str:
        """Hex digest that changes when what the source would deliver changes."""

    def prices(self, start: date, end: date) -> PriceTable:
        """The days from ``start`` to ``end`` (both included) that the source has.

        Raises:
            SourceError: the data cannot be read as a whole.
        """

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Another delivery of prices from ``start`` to ``end``, of the days that it has.

        None if there is none. For comparison only: prices are those of :meth:`prices`.

        Raises:
            SourceError: it cannot be read as a whole.
        """

    def pairs(self) -> TargetPairs:
        """The targets, in submission order; legs are named as instruments.

        Raises:
            SourceError: the pairs cannot be used as they are.
        """

    def published_labels(self, start: date, end: date) -> FloatArray | None:
        """(n, m) published labels of the days ``start`` to ``end``, by the day they are for.

        None if the source publishes none. For comparison only: labels are always computed from
        prices.
        """

    def best_forecast(self, start: date, end: date) -> FloatArray | None:
        """(n, m) forecast of an oracle, who knows the mechanism but not the noise to come.

        None where the mechanism is unknown.
        """
