"""The source ``ecb``: euro reference rates of the European Central Bank, and their cross rates.

Rates are published at about 16:00 in Frankfurt for the same day, for information only: they are no
prices at which anyone traded. Asking belongs in ``ecb_answers``, options in ``ecb_options``.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import Value
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.http.client import HttpClient
from quant_assets.sources.http.currency_pairs import price_pairs
from quant_assets.sources.http.ecb_answers import NAME, EcbAnswers
from quant_assets.sources.http.ecb_options import EcbOptions, read_ecb_options
from quant_assets.sources.http.responses import ResponseRecord, ResponseStore
from quant_assets.sources.http.waiting import Limits, WaitingClock
from quant_assets.sources.protocol import PriceTable, UnreadCell

# A sensor's tick, which has 60 seconds, waits for two requests to a bank that does not answer.
_LIMITS = Limits(connect_s=5.0, read_s=10.0, whole_s=30.0, attempts=2, longest_pause_s=4.0)


@dataclass(frozen=True)
class EcbSource:
    """A source that delivers closes of currency pairs from kept answers of the bank.

    Every method asks the bank first if its answers are old. If that fails, the kept answers count,
    and :meth:`waiting` says so.

    Attributes:
        market: the market, whose calendar says which days are trading days.
        answers: the kept answers.
    """

    market: MarketDescription
    answers: EcbAnswers

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""
        return NAME

    @property
    def first_day(self) -> date:
        """First trading day that has rates.

        Raises:
            SourceError: the bank does not answer and nothing is kept, or no trading day has rates.
        """
        return self._edge(0)

    @property
    def last_day(self) -> date:
        """Newest trading day that has rates.

        Raises:
            SourceError: as for :attr:`first_day`.
        """
        return self._edge(-1)

    def days(self) -> DayArray:
        """Read the (n,) trading days that have rates.

        Raises:
            SourceError: as for :attr:`first_day`.
        """
        return self._table()[0]

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the answers that count, and of the pairs computed from them.

        Raises:
            SourceError: the bank does not answer and nothing is kept.
        """
        self.answers.refresh()
        lines = list(self.answers.options.series.columns)
        lines += [f"{record.dataset} {record.sha256}" for record in self.answers.current()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def look(self) -> str:
        """Return the fingerprint; empty if there are no answers."""
        try:
            return self.fingerprint()
        except SourceError:
            return ""

    def waiting(self) -> str:
        """Say why the newest days are not there: the bank did not answer, or a day is unfinished.

        Raises:
            SourceError: the bank does not answer and nothing is kept.
        """
        self.answers.refresh()
        reasons = (self.answers.problem(), self.answers.merge(self.answers.current()).waiting)
        return "; ".join(filter(None, reasons))

    def prices(self, start: date, end: date) -> PriceTable:
        """Compute the prices of the trading days from ``start`` to ``end``; NaN without a rate.

        Raises:
            SourceError: the bank does not answer and nothing is kept, or an answer is damaged.
        """
        days, values, unread = self._table()
        ids = np.arange(len(days), dtype=np.int64)
        first = int(np.searchsorted(days, np.datetime64(start, "D")))
        stop = int(np.searchsorted(days, np.datetime64(end, "D"), side="right"))
        part = slice(first, max(first, stop))
        cells = [
            UnreadCell(cell.row - part.start, cell.column, cell.text)
            for cell in unread
            if part.start <= cell.row < part.stop
        ]
        series = self.answers.options.series
        return PriceTable(days[part], ids[part], series, values[part], cells)

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Return None, since the bank delivers its rates once."""
        return None

    def pairs(self) -> TargetPairs:
        """Return the targets that the market describes.

        Raises:
            MarketError: the targets do not fit the instruments.
        """
        return self.market.target_pairs(self.market.instruments())

    def published_labels(self, start: date, end: date) -> FloatArray | None:
        """Return None, since the bank publishes no labels."""
        return None

    def best_forecast(self, start: date, end: date) -> FloatArray | None:
        """Return None, since the mechanism of a real market is unknown."""
        return None

    def responses(self) -> tuple[ResponseRecord, ...]:
        """Return the records of all answers of the bank, oldest first.

        Raises:
            SourceError: they cannot be read.
        """
        return self.answers.store.records()

    def _edge(self, position: int) -> date:
        days = self._table()[0]
        if len(days):
            day: date = days[position].item()
            return day
        raise SourceError(
            "no trading day has rates",
            where=str(self.market.file),
            expected="a calendar that has days of the European Central Bank",
            found="no day in common",
        )

    def _table(self) -> tuple[DayArray, FloatArray, list[UnreadCell]]:
        """Return the trading days (n,), prices (n, c) and unread cells."""
        self.answers.refresh()
        answers = self.answers
        days, values, unread = _price(answers, answers.current())
        kept = np.flatnonzero(self._find_sessions(days))
        row_of = {int(row): i for i, row in enumerate(kept)}
        cells = [
            UnreadCell(row_of[cell.row], cell.column, cell.text)
            for cell in unread
            if cell.row in row_of
        ]
        return days[kept], values[kept], cells

    def _find_sessions(self, days: DayArray) -> BoolArray:
        calendar = self.market.calendar
        first, last = calendar.reach
        first, last = max(first, calendar.first_day or first), min(last, calendar.last_day or last)
        inside = (days >= np.datetime64(first)) & (days <= np.datetime64(last))
        inside[inside] = calendar.is_trading_day(days[inside], days[inside])
        return inside


@lru_cache(maxsize=2)
def _price(
    answers: EcbAnswers, current: tuple[ResponseRecord, ...]
) -> tuple[DayArray, FloatArray, list[UnreadCell]]:
    """Compute the prices of all days, and keep them until other answers count."""
    options, rates = answers.options, answers.merge(current).rates
    days = np.array(sorted(rates), dtype="datetime64[D]")
    by_column = dict(zip(options.series.columns, options.pairs, strict=True))
    return days, *price_pairs(days, rates, by_column)


def open_ecb(options: Value | None, market: MarketDescription, cache: Path) -> EcbSource:
    """Open the source ``ecb``. Nothing is asked of the bank yet.

    Args:
        options: the value of ``source: {ecb: ...}``; None if nothing is written there.
        market: the market, whose instruments are currency pairs such as EURUSD.
        cache: folder in which the bank's answers are kept.

    Raises:
        MarketError: an option is wrong, or an instrument is not a currency pair.
    """
    return open_ecb_at(read_ecb_options(options, market), market, cache, WaitingClock())


def open_ecb_at(
    options: EcbOptions, market: MarketDescription, cache: Path, clock: WaitingClock
) -> EcbSource:
    """Open the source ``ecb`` on a clock.

    Args:
        options: what is delivered, and where the bank is asked.
        market: the market.
        cache: folder in which the bank's answers are kept.
        clock: says when answers are old, and waits between attempts.
    """
    store = ResponseStore(cache)
    client = HttpClient(NAME, store, limits=_LIMITS, clock=clock)
    return EcbSource(market, EcbAnswers(options, client, store))
