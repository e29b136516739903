"""The source ``ecb``: euro reference rates of the European Central Bank, and their cross rates.

Rates are published at about 16:00 in Frankfurt for the same day, for information only: they are no
prices at which anyone traded. Asking belongs in ``ecb_answers``, options in ``ecb_options``.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import Value
from quant_assets.sources.deliveries import PriceTable, UnreadCell
from quant_assets.sources.http.client import HttpClient
from quant_assets.sources.http.currency_pairs import price_pairs
from quant_assets.sources.http.ecb_answers import NAME, EcbAnswers
from quant_assets.sources.http.ecb_options import EcbOptions, read_ecb_options
from quant_assets.sources.http.responses import ResponseRecord, ResponseStore
from quant_assets.sources.http.vendor_source import VendorSource, find_sessions
from quant_assets.sources.http.waiting import Limits, WaitingClock

# A sensor's tick, which has 60 seconds, waits for two requests to a bank that does not answer.
_LIMITS = Limits(connect_s=5.0, read_s=10.0, whole_s=30.0, attempts=2, longest_pause_s=4.0)


@dataclass(frozen=True)
class EcbSource(VendorSource):
    """A source that delivers closes of currency pairs from kept answers of the bank.

    If asking the bank fails, the kept answers count, and :meth:`waiting` says so.

    Attributes:
        market: the market, whose calendar says which days are trading days.
        answers: the kept answers.
    """

    answers: EcbAnswers

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""
        return NAME

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the answers that count, and of the pairs computed from them.

        Raises:
            SourceError: the bank does not answer and nothing is kept.
        """
        self.answers.refresh()
        lines = list(self.answers.options.series.columns)
        lines += [f"{record.dataset} {record.sha256}" for record in self.answers.current()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def waiting(self) -> str:
        """Say why the newest days are not there: the bank did not answer, or a day is unfinished.

        Raises:
            SourceError: the bank does not answer and nothing is kept.
        """
        self.answers.refresh()
        reasons = (self.answers.problem(), self.answers.merge(self.answers.current()).waiting)
        return "; ".join(filter(None, reasons))

    @property
    def _store(self) -> ResponseStore:
        return self.answers.store

    def _table(self) -> PriceTable:
        self.answers.refresh()
        answers = self.answers
        days, values, unread = _price(answers, answers.current())
        kept = np.flatnonzero(find_sessions(self.market, days))
        row_of = {int(row): i for i, row in enumerate(kept)}
        cells = [
            UnreadCell(row_of[cell.row], cell.column, cell.text)
            for cell in unread
            if cell.row in row_of
        ]
        ids = np.arange(len(kept), dtype=np.int64)
        return PriceTable(days[kept], ids, answers.options.series, values[kept], cells)


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
