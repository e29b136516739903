"""What sources deliver: prices, splits and dividends, bars within the day, unreadable cells.

The protocol of sources is in ``protocol``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, DayArray, FloatArray, IntArray
from quant_assets.market.instruments import SeriesList

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
