"""The source of daily bars and of bars within the day of a vendor, which has both.

Bars within the day are asked for and kept like daily bars, by the same class. A day whose bars
cannot be read goes on without them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import BoolArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.session_slots import list_slots
from quant_assets.sources.deliveries import BAR_FIELDS, BarTable
from quant_assets.sources.http.bar_answers import BarAnswers
from quant_assets.sources.http.bar_source import BarSource, DeliveredBars, cut_days
from quant_assets.sources.http.bars import Bars
from quant_assets.sources.http.readings import SymbolReadings

WAIT = timedelta(hours=1)
"""Time after the end of a day from which it has come without its bars."""
_SHOWN = 5
Readings = tuple[SymbolReadings, ...]


@dataclass(frozen=True)
class MinuteSource(BarSource):
    """A source that delivers bars within the day beside daily bars.

    The newest day waits for its bars, but no longer than an hour.

    Attributes:
        minute_answers: the kept answers about bars within the day.
    """

    minute_answers: BarAnswers

    @property
    def bar_minutes(self) -> int:
        """Length of the bars in minutes."""
        return self.answers.options.minutes

    def bars(self, start: date, end: date) -> BarTable:
        """Return the bars in the sessions of the trading days from ``start`` to ``end``.

        Raises:
            SourceError: no symbol was read yet, or a kept answer is damaged.
        """
        current = self.minute_answers.current()
        if all(own.at is None for own in current):
            raise self._lacking_error()
        days = self.days()
        days = days[(days >= np.datetime64(start)) & (days <= np.datetime64(end))]
        table = _join(self.market, self.minute_answers, _choose(current, start))
        return _take(table, np.isin(table.days, days))

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the days that have come, and of all bars.

        Raises:
            SourceError: the vendor does not answer and too little is kept.
        """
        daily = super().fingerprint()
        table = _join(self.market, self.minute_answers, self.minute_answers.current())
        return hashlib.sha256(f"{daily} {_digest(table)}".encode()).hexdigest()

    def look(self) -> str:
        """Return a digest of the days that have come and the kept answers; empty without."""
        try:
            daily, current = super().fingerprint(), self.minute_answers.current()
        except SourceError:
            return ""
        return hashlib.sha256(f"{daily} {current}".encode()).hexdigest()

    def waiting(self) -> str:
        """Say why the newest days or bars are not there.

        Raises:
            SourceError: the vendor does not answer and too little is kept.
        """
        problems = self.minute_answers.problems().items()
        failed = (f"bars of {symbol}: {text}" if symbol else text for symbol, text in problems)
        return "; ".join(dict.fromkeys(filter(None, (super().waiting(), *failed))))

    def complete(self, note: Callable[[str], None]) -> None:
        """Ask for all symbols that are old, however long it takes.

        Args:
            note: is called with the progress.

        Raises:
            SourceError: nothing can be kept, or another process asks all the time.
        """
        super().complete(note)
        self.minute_answers.complete(note)

    def _read(self) -> DeliveredBars:
        delivered = super()._read()
        self.minute_answers.refresh()
        return self._await_bars(delivered)

    def _await_bars(self, delivered: DeliveredBars) -> DeliveredBars:
        """Leave out the newest day if its bars may still come."""
        days, vendor = delivered.table.days, self.answers.vendor
        now = self.answers.client.clock.now()
        if not len(days) or days[-1].item() <= vendor.finished_day(now - WAIT):
            return delivered
        newest: date = days[-1].item()
        options = self.minute_answers.options
        lacking = [
            symbol
            for symbol, own in zip(options.symbols, self.minute_answers.current(), strict=True)
            if own.at is None
            or (
                vendor.finished_day(own.at) < newest
                and not options.is_complete(symbol, vendor.finished_day(own.at))
            )
        ]
        if not lacking:
            return delivered
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        waiting = f"the bars within {newest} lack {', '.join(lacking[:_SHOWN])}{more}"
        return cut_days(delivered, len(days) - 1, waiting)

    def _lacking_error(self) -> SourceError:
        problems = self.minute_answers.problems()
        shown = next(iter(problems.values()), "nothing has come")
        return SourceError(
            "bars within the day are not read yet",
            where=str(self.minute_answers.store.folder),
            expected=f"the bars of {len(self.answers.options.symbols)} symbols",
            found=shown,
            hint="what comes is kept: the next `quant-assets load` has it",
        )


def _choose(current: Readings, start: date) -> Readings:
    """Return the readings that hold the bars from a day on: the newest alone, if they do."""
    newest = [own.newest for own in current if own.newest and own.newest.start <= start]
    if len(newest) < len(current):
        return current
    return tuple(SymbolReadings(reading) for reading in newest)


@lru_cache(maxsize=2)
def _join(market: MarketDescription, answers: BarAnswers, current: Readings) -> BarTable:
    """Join the bars in sessions of all symbols, and keep them until other readings count."""
    options = answers.options
    read = zip(options.symbols, map(answers.read_bars, current), strict=True)
    bars = {symbol: _keep_sessions(market, each, options.minutes) for symbol, each in read if each}
    position = {name: k for k, name in enumerate(options.names)}
    spans = [span for span in options.spans if span.symbol in bars]
    spans.sort(key=lambda span: (position[span.instrument], span.first))
    pieces = [bars[span.symbol].between(span.first, span.last) for span in spans]
    at = [np.full(len(p.days), position[s.instrument]) for s, p in zip(spans, pieces, strict=True)]
    nothing = np.empty(0, "datetime64[s]")
    values = np.concatenate([np.empty((0, len(BAR_FIELDS))), *(p.values for p in pieces)])
    return BarTable(
        np.concatenate([nothing.astype("datetime64[D]"), *(p.days for p in pieces)]),
        np.concatenate([nothing, *(p.starts for p in pieces if p.starts is not None)]),
        options.names,
        np.concatenate([np.empty(0, np.int64), *at]),
        {name: values[:, j] for j, name in enumerate(BAR_FIELDS)},
    )


def _keep_sessions(market: MarketDescription, bars: Bars, minutes: int) -> Bars:
    """Return the bars that begin in a session of an exchange; all if days are those of the data."""
    exchanges = market.calendar.exchanges
    if not exchanges or bars.starts is None or not len(bars.days):
        return bars
    first, last = bars.days[0].item(), bars.days[-1].item()
    slots = [list_slots(name, first, last, minutes) for name in exchanges]
    kept = np.any([each.find(bars.days, bars.starts) >= 0 for each in slots], axis=0)
    return Bars(bars.symbol, bars.days[kept], bars.values[kept], starts=bars.starts[kept])


def _take(table: BarTable, kept: BoolArray) -> BarTable:
    return replace(
        table,
        days=table.days[kept],
        starts=table.starts[kept],
        instrument=table.instrument[kept],
        fields={name: values[kept] for name, values in table.fields.items()},
    )


def _digest(table: BarTable) -> str:
    digest = hashlib.sha256("\n".join(table.instruments).encode())
    for part in (table.starts, table.instrument, *table.fields.values()):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
