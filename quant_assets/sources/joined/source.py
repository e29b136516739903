"""Several sources of one market as one source, in order of priority.

Each cell has the number of the first source that has one. A vendor that has not answered yet is
passed over; a source that delivered before and cannot be read is an error, as its stored days
would take the prices of another. Joining cells belongs in ``cells``.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.instruments import SeriesList
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.deliveries import BarTable, JoinedPrices, OtherDelivery, PriceTable
from quant_assets.sources.joined.cells import Layer, join_layers
from quant_assets.sources.joined.days import JoinedDays, SourceDays, join_days
from quant_assets.sources.joined.parts import NO_DAYS, Part
from quant_assets.sources.prices_only import PricesOnly
from quant_assets.sources.protocol import DeliversBars, KeepsResponses, TakesTime

if TYPE_CHECKING:
    from quant_assets.sources.http.responses import ResponseRecord


@dataclass(frozen=True, eq=False)
class JoinedSource(PricesOnly):
    """A source that joins the prices of several sources.

    Attributes:
        market: the market.
        series: its c series.
        parts: the sources, in order of priority.
        clock: says when a day's missing prices are late, from when later sources count.
    """

    market: MarketDescription
    series: SeriesList
    parts: tuple[Part, ...]
    clock: Clock = field(default_factory=Clock)

    @property
    def name(self) -> str:
        """The names of the sources; a price is stored with the name of its own."""
        return ", ".join(part.name for part in self.parts)

    @property
    def first_day(self) -> date:
        """First trading day that a source has.

        Raises:
            SourceError: a source cannot be read, or no day has come.
        """
        first: date = self.days()[0].item()
        return first

    @property
    def last_day(self) -> date:
        """Newest trading day that has come, see :func:`join_days`.

        Raises:
            SourceError: as for :attr:`first_day`.
        """
        last: date = self.days()[-1].item()
        return last

    def days(self) -> DayArray:
        """Read the (n,) trading days of all sources that have come.

        Raises:
            SourceError: as for :attr:`first_day`.
        """
        joined = self._read_days()
        if len(joined.days):
            return joined.days
        raise SourceError(
            "no source has prices",
            where=str(self.market.file),
            expected=f"a day of {' or '.join(part.name for part in self.parts)}",
            found=joined.waiting or "no trading day",
        )

    def fingerprint(self) -> str:
        """Compute the SHA-256 of what the sources have, the days that have come, and the targets.

        Raises:
            SourceError: as for :attr:`first_day`.
        """
        pairs, joined = self.pairs(), self._read_days()
        targets = pairs.targets, pairs.lags.tolist(), pairs.leg_a, pairs.leg_b
        lines = [repr(targets), *map(str, joined.days[-1:])]
        lines += [
            f"{part.name} {part.source.fingerprint()}"
            for part, own in zip(self.parts, joined.sources, strict=True)
            if len(own.days)
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def look(self) -> str:
        """Return the looks of all sources, and the newest day whose missing prices are late."""
        day, now = self.clock.now().date() + timedelta(days=1), self.clock.now()
        while self._late_at(day) > now:
            day -= timedelta(days=1)
        text = "\n".join([str(day), *(part.source.look() for part in self.parts)])
        return hashlib.sha256(text.encode()).hexdigest()

    def waiting(self) -> str:
        """Say why the newest days are not there, and what sources that come first say.

        Raises:
            SourceError: a source that delivered before cannot be read.
        """
        return self._read_days().waiting

    def prices(self, start: date, end: date) -> JoinedPrices:
        """Join the prices of the days from ``start`` to ``end``; NaN where no source has a number.

        ``date_ids`` number all trading days that have come, from 0.

        Raises:
            SourceError: a source that delivered before cannot be read.
        """
        return self._join(start, end)[0]

    def deliveries(self, start: date, end: date) -> tuple[JoinedPrices, Sequence[OtherDelivery]]:
        """Read the prices of some days, and what the other sources have of the same cells.

        Raises:
            SourceError: a source that delivered before cannot be read.
        """
        table, layers = self._join(start, end)
        others = []
        for place, (part, layer) in enumerate(zip(self.parts, layers, strict=True)):
            values = layer.lay_out(table.days, self.series)
            values[table.places == place] = np.nan
            others.append(OtherDelivery(part.name, values, part.tolerance))
        return table, others

    def pairs(self) -> TargetPairs:
        """Return the targets that the market describes; a file of pairs lies beside it.

        Raises:
            MarketError: the targets cannot be read, or do not fit the instruments.
        """
        return self.market.target_pairs(self.market.instruments())

    def responses(self) -> "Sequence[ResponseRecord]":
        """Return the records of all kept answers, oldest first, with the names of the sources.

        Raises:
            SourceError: they cannot be read.
        """
        records = [
            replace(record, source=part.name)
            for part in self.parts
            if isinstance(part.source, KeepsResponses)
            for record in part.source.responses()
        ]
        return sorted(records, key=lambda record: record.at)

    def complete(self, note: Callable[[str], None]) -> None:
        """Let each source ask for everything that is old, however long it takes.

        Args:
            note: is called with the progress.

        Raises:
            SourceError: nothing can be kept.
        """
        for part in self.parts:
            if isinstance(part.source, TakesTime):
                part.source.complete(note)

    def _read_days(self) -> JoinedDays:
        firsts = np.array([part.covers for part in self.parts]).argmax(axis=0)
        sources = [part.read_days(place in firsts) for place, part in enumerate(self.parts)]
        count_closes = partial(self._count_closes, sources)
        return join_days(sources, self._late_at, self.clock.now(), count_closes)

    def _count_closes(self, sources: Sequence[SourceDays], days: DayArray) -> list[int]:
        table = join_layers(self._read_layers(sources, days), days, days.astype(int), self.series)
        counts: list[int] = (~np.isnan(table.values[:, self.series.is_close])).sum(axis=1).tolist()
        return counts

    def _late_at(self, day: date) -> datetime:
        calendar = self.market.calendar
        return calendar.complete_at(day) + timedelta(hours=calendar.late_after_hours)

    def _join(self, start: date, end: date) -> tuple[JoinedPrices, list[Layer]]:
        joined = self._read_days()
        inside = joined.days >= np.datetime64(start, "D")
        inside &= joined.days <= np.datetime64(end, "D")
        days, ids = joined.days[inside], np.flatnonzero(inside)
        layers = self._read_layers(joined.sources, days)
        return join_layers(layers, days, ids, self.series), layers

    def _read_layers(self, sources: Sequence[SourceDays], days: DayArray) -> list[Layer]:
        """Read the prices of each source on some days."""
        none = PriceTable(
            NO_DAYS, np.empty(0, np.int64), self.series, np.empty((0, len(self.series)))
        )
        layers = []
        for part, own in zip(self.parts, sources, strict=True):
            known = own.days[np.isin(own.days, days)]
            table = part.source.prices(known[0].item(), known[-1].item()) if len(known) else none
            layers.append(Layer(part.name, part.covers, table))
        return layers


@dataclass(frozen=True, eq=False)
class JoinedBarSource(JoinedSource):
    """Several sources, of which one delivers bars within the day.

    Attributes:
        of_bars: the source of the bars.
    """

    of_bars: DeliversBars = field(kw_only=True)

    @property
    def bar_minutes(self) -> int:
        """Length of the bars in minutes."""
        return self.of_bars.bar_minutes

    def bars(self, start: date, end: date) -> BarTable:
        """Read the bars of the trading days from ``start`` to ``end``, both included.

        Raises:
            SourceError: the bars cannot be read as a whole, or do not fit the market's sessions.
        """
        return self.of_bars.bars(start, end)
