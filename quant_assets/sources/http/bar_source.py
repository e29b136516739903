"""The source of daily bars of a vendor: one class for all vendors, which ``vendor`` describes.

Asking belongs in ``bar_answers``, options in ``bar_options``, days that have come in ``bar_table``,
bars within the day in ``minute_source``.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.market.description.listings import listing_days
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.values import Value
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.http.bar_answers import BarAnswers
from quant_assets.sources.http.bar_options import BarOptions, read_bar_options
from quant_assets.sources.http.bar_table import (
    LATE_AFTER,
    count_days_delivered,
    drop_actions,
    find_covered,
    join_spans,
    join_symbols,
    lay_out,
    list_actions,
    take_sessions,
)
from quant_assets.sources.http.bars import Bars
from quant_assets.sources.http.readings import SymbolReadings
from quant_assets.sources.http.responses import ResponseStore
from quant_assets.sources.http.vendor import Vendor, vendor_of_minutes
from quant_assets.sources.http.vendor_source import VendorSource, find_sessions
from quant_assets.sources.http.waiting import WaitingClock


@dataclass(frozen=True)
class DeliveredBars:
    """The bars that have come.

    Attributes:
        table: prices of the trading days that have come.
        waiting: why the newest days have not come; empty if all have.
        digest: SHA-256 of the table.
    """

    table: PriceTable
    waiting: str
    digest: str


@dataclass(frozen=True)
class BarSource(VendorSource):
    """A source that delivers bars as they were traded, from kept answers of a vendor.

    A symbol that cannot be read makes the newest day wait, and :meth:`waiting` says why.

    Attributes:
        market: the market, whose instruments are symbols of the vendor.
        answers: the kept answers.
    """

    answers: BarAnswers

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""
        return self.answers.vendor.name

    @property
    def as_traded(self) -> bool:
        """Whether the vendor gives splits and dividends beside prices as traded."""
        return self.answers.vendor.has_splits

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the days that have come, with prices, splits and dividends.

        Raises:
            SourceError: the vendor does not answer and too little is kept.
        """
        return self._read().digest

    def waiting(self) -> str:
        """Say why the newest days are not there: a symbol cannot be read, or lacks its bar.

        Raises:
            SourceError: the vendor does not answer and too little is kept.
        """
        delivered = self._read()
        problems = self.answers.problems()
        failed = (f"{symbol}: {text}" if symbol else text for symbol, text in problems.items())
        return "; ".join(filter(None, (delivered.waiting, *failed)))

    def complete(self, note: Callable[[str], None]) -> None:
        """Ask for all symbols that are old, however long it takes.

        Args:
            note: is called with the progress.

        Raises:
            SourceError: nothing can be kept, or another process asks all the time.
        """
        self.answers.complete(note)

    @property
    def _store(self) -> ResponseStore:
        return self.answers.store

    def _table(self) -> PriceTable:
        return self._read().table

    def _read(self) -> DeliveredBars:
        answers = self.answers
        answers.refresh()
        current = answers.current()
        lacking = [
            symbol
            for symbol, own in zip(answers.options.symbols, current, strict=True)
            if own.whole is None
        ]
        if lacking:
            raise _lacking_error(answers, lacking)
        return _join(self.market, answers, current)


def cut_days(delivered: DeliveredBars, count: int, waiting: str) -> DeliveredBars:
    """Return the first days that have come.

    Args:
        delivered: the bars that have come.
        count: number of days.
        waiting: why the others have not come.
    """
    table = delivered.table
    kept = replace(
        table,
        days=table.days[:count],
        date_ids=table.date_ids[:count],
        values=table.values[:count],
        actions=[action for action in table.actions if action.row < count],
    )
    return DeliveredBars(kept, waiting, _digest(kept))


def _lacking_error(answers: BarAnswers, lacking: list[str]) -> SourceError:
    problems = answers.problems()
    shown = [f"{name}: {problems[name]}" for name in ("", *lacking) if name in problems]
    count = len(answers.options.symbols)
    return SourceError(
        "symbols of a vendor are not read yet",
        where=str(answers.store.folder),
        expected=f"the bars of {count} symbols",
        found=f"none of {len(lacking)}, such as {lacking[0]}"
        + (f"; {'; '.join(shown[:2]).removeprefix(': ')}" if shown else ""),
        hint="what came is kept: `quant-assets load` goes on asking",
    )


@lru_cache(maxsize=2)
def _join(
    market: MarketDescription, answers: BarAnswers, current: tuple[SymbolReadings, ...]
) -> DeliveredBars:
    """Join the bars of all symbols, and keep them until other readings count."""
    options, vendor = answers.options, answers.vendor
    bars: list[Bars] = [each for own in current if (each := answers.read_bars(own))]
    moments = dict(zip(options.symbols, (own.at for own in current if own.at), strict=True))
    asked = {symbol: vendor.finished_day(at) for symbol, at in moments.items()}
    joined = join_symbols(
        join_spans(options.spans, options.names, dict(zip(asked, bars, strict=True))),
        options.first_day,
    )
    listed, delisted = listing_days(options.names, market.listings)
    joined = drop_actions(joined, listed, delisted)
    joined = take_sessions(joined, find_sessions(market, joined.days))
    asking = [at for name, at in moments.items() if not options.is_complete(name, asked[name])]
    settled = vendor.finished_day(min(asking or moments.values()) - LATE_AFTER)
    names, covered = options.names, find_covered(options, asked)
    count, waiting = count_days_delivered(joined, names, covered, settled, delisted)
    values = lay_out(joined, options)[:count]
    ids = np.arange(count, dtype=np.int64)
    actions = list_actions(joined, names, count)
    table = PriceTable(joined.days[:count], ids, options.series, values, actions=actions)
    return DeliveredBars(table, waiting, _digest(table))


def _digest(table: PriceTable) -> str:
    digest = hashlib.sha256("\n".join(table.columns).encode())
    for part in (table.days, np.where(np.isnan(table.values), np.nan, table.values)):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(repr(table.actions).encode())
    return digest.hexdigest()


def open_bars(
    vendor: Vendor, options: Value | None, market: MarketDescription, cache: Path
) -> BarSource:
    """Open a vendor of bars as a source. Nothing is asked yet.

    Args:
        vendor: the vendor.
        options: the value below the vendor's name in ``source``; None if nothing is written there.
        market: the market.
        cache: folder in which the vendor's answers are kept.

    Raises:
        MarketError: an option is wrong, or the vendor lacks a field of an instrument.
        SettingsError: the vendor's key is missing.
        SourceError: the user has not accepted terms that forbid automated access.
    """
    read = read_bar_options(vendor, options, market)
    return open_bars_at(vendor, read, market, cache, WaitingClock())


def open_bars_at(
    vendor: Vendor,
    options: BarOptions,
    market: MarketDescription,
    cache: Path,
    clock: WaitingClock,
) -> BarSource:
    """Open a vendor of bars on a clock, see :func:`open_bars`.

    Args:
        vendor: the vendor.
        options: what is delivered, and where the vendor is asked.
        market: the market.
        cache: folder in which the vendor's answers are kept.
        clock: says when answers are old, and waits between requests.
    """
    store = ResponseStore(cache)
    client = vendor.open_client(store, clock)
    answers = BarAnswers(vendor, options, client, store)
    if not options.minutes:
        return BarSource(market, answers)
    # It is a source of daily bars, so its module imports this one.
    from quant_assets.sources.http.minute_source import MinuteSource

    own = vendor_of_minutes(vendor, options.minutes)
    return MinuteSource(market, answers, BarAnswers(own, options, client, store))
