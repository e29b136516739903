"""A folder of price files as a source: CSV, gzipped CSV or Parquet, long, wide or by instrument.

``history`` finds series and days, ``long_cells`` and ``wide_cells`` read prices. Nothing is cleaned
or computed.
"""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.targets import PairsFile
from quant_assets.market.description.values import Value
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.files.actions import read_actions
from quant_assets.sources.files.digests import digest_content, digest_state
from quant_assets.sources.files.headers import list_files
from quant_assets.sources.files.history import PriceHistory, Request, read_history
from quant_assets.sources.files.layout import ACTIONS
from quant_assets.sources.files.long_cells import read_long
from quant_assets.sources.files.options import FileOptions, read_options
from quant_assets.sources.files.trading_days import TradingDays, find_trading_days
from quant_assets.sources.files.wide_cells import read_wide
from quant_assets.sources.prices_only import PricesOnly
from quant_assets.sources.protocol import Source


def open_files(options: Value | None, market: MarketDescription, cache: Path) -> Source:
    """Open a folder of price files, or one file, and its folder of bars if there is one.

    Args:
        options: ``folder``, ``columns``, ``other_days`` and ``bars``; None for the defaults.
        market: the description of the market.
        cache: not used, as the files are at hand.

    Raises:
        MarketError: an option cannot be used.
    """
    read = read_options(options, market.file.parent)
    if read.bars is None:
        return PriceFolder(read, market)
    # A folder of bars is a folder of prices, so its module imports this one.
    from quant_assets.sources.files.bar_folder import BarFolder

    return BarFolder(read, market, read.bars)


@dataclass(frozen=True)
class PriceFolder(PricesOnly):
    """A source that reads price files of one layout.

    Symbols and columns that a list of instruments does not have are left out. The series follow
    from all files, so that they are the same whatever days are read.

    Attributes:
        options: where the files are, and how they are read.
        market: the description of the market.
    """

    options: FileOptions
    market: MarketDescription

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""
        return "files"

    @property
    def as_traded(self) -> bool:
        """Whether the options name columns of splits or dividends."""
        return any(ours in ACTIONS for ours, _ in self.options.columns)

    @property
    def first_day(self) -> date:
        """First trading day of the files.

        Raises:
            SourceError: the files cannot be read as a whole, or no day has come.
        """
        first: date = self._require_days()[0].item()
        return first

    @property
    def last_day(self) -> date:
        """Newest trading day of the files that has come.

        Raises:
            SourceError: the files cannot be read as a whole, or no day has come.
        """
        last: date = self._require_days()[-1].item()
        return last

    def days(self) -> DayArray:
        """Read the (n,) trading days that have come.

        Raises:
            SourceError: the files cannot be read, or no day has come.
        """
        return self._require_days()

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the files' names and contents and the options.

        Raises:
            SourceError: a file cannot be read.
        """
        columns = [(ours, column.name) for ours, column in self.options.columns]
        parameters = f"{columns} {self.options.skip_other_days}"
        files = [p for p in list_files(self.options.place) if p.name not in self._leave_out]
        pairs = [path for path in self._pairs_files() if path.exists()]
        return digest_content([*files, *pairs[:1]], parameters)

    def look(self) -> str:
        """Return a digest of each file's place on disk, size and times, links followed."""
        try:
            files = list_files(self.options.place)
        except SourceError:
            files = []
        return digest_state([*files, *self._pairs_files()])

    def waiting(self) -> str:
        """Say why the newest day has not come; empty if it has.

        Raises:
            SourceError: the files cannot be read as a whole.
        """
        return self._days(self._history()).waiting

    def prices(self, start: date, end: date) -> PriceTable:
        """Read the prices of the days from ``start`` to ``end``; NaN where empty or unread.

        ``date_ids`` number all days of the files that have come, from 0.

        Raises:
            SourceError: the files cannot be read as a whole, or two rows contradict each other.
        """
        history = self._history()
        days = self._days(history).days
        first = int(np.searchsorted(days, np.datetime64(start, "D")))
        stop = int(np.searchsorted(days, np.datetime64(end, "D"), side="right"))
        read = read_wide if history.groups[0].layout == "wide" else read_long
        table = read(history, days[first:stop]).table(np.arange(first, max(first, stop)))
        return replace(
            table,
            actions=[
                replace(action, row=action.row - first)
                for action in read_actions(history, days)
                if first <= action.row < stop
            ],
        )

    def pairs(self) -> TargetPairs:
        """Return the targets of the description; a file of pairs may lie beside the prices.

        Raises:
            SourceError: the files cannot be read as a whole.
            MarketError: the targets cannot be read, or do not fit the instruments.
        """
        beside = next((path for path in self._pairs_files() if path.exists()), None)
        instruments = self._history().named.instruments
        return self.market.target_pairs(instruments, beside.parent if beside else None)

    @property
    def _leave_out(self) -> tuple[str, ...]:
        return tuple(path.name for path in self._pairs_files())

    def _pairs_files(self) -> list[Path]:
        """Return where a file of pairs may lie: beside the description, or with the prices."""
        rule, place = self.market.targets, self.options.place
        if not isinstance(rule, PairsFile):
            return []
        folder = place.parent if place.is_file() else place
        return list(dict.fromkeys([self.market.file.parent / rule.file, folder / rule.file]))

    def _history(self) -> PriceHistory:
        options = self.options
        request = Request(options.place, options.columns, self._leave_out, self.market)
        return read_history(request, PriceFolder.look(self))

    def _days(self, history: PriceHistory) -> TradingDays:
        return find_trading_days(
            history.days,
            history.closes,
            self.market.calendar,
            self.options.skip_other_days,
            history.place_of,
        )

    def _require_days(self) -> DayArray:
        trading_days = self._days(self._history())
        if not len(trading_days.days):
            raise SourceError(
                "no day of prices has come",
                where=str(self.options.place),
                expected="a close on some trading day",
                found=trading_days.waiting or "no rows of described instruments on trading days",
            )
        return trading_days.days
