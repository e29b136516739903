"""A folder of price files with a folder of bar files beside it, as one source.

Reading daily prices belongs in ``source``, reading bars in ``bar_reader``.
"""

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray
from quant_assets.market.description.session_slots import list_slots
from quant_assets.sources.deliveries import BarTable
from quant_assets.sources.files.bar_checks import BarRules
from quant_assets.sources.files.bar_options import BarOptions
from quant_assets.sources.files.bar_reader import read_bar_table
from quant_assets.sources.files.digests import digest_content, digest_state
from quant_assets.sources.files.headers import list_files
from quant_assets.sources.files.source import PriceFolder


@dataclass(frozen=True)
class BarFolder(PriceFolder):
    """A source of daily prices and of bars within the day.

    Attributes:
        bar_options: where the bar files are, and how they are read.
    """

    bar_options: BarOptions

    @property
    def bar_minutes(self) -> int:
        """Length of the bars in minutes."""
        return self.bar_options.minutes

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the names and contents of price and bar files and the options.

        Raises:
            SourceError: a file cannot be read.
        """
        options = self.bar_options
        columns = [(ours, column.name) for ours, column in options.columns]
        parameters = (columns, options.zone, options.minutes, options.at_end, options.skip_others)
        return digest_content(list_files(options.place), f"{super().fingerprint()} {parameters}")

    def look(self) -> str:
        """Return a digest of the places on disk, sizes and times of price and bar files."""
        try:
            files = list_files(self.bar_options.place)
        except SourceError:
            files = []
        return hashlib.sha256(f"{super().look()} {digest_state(files)}".encode()).hexdigest()

    def bars(self, start: date, end: date) -> BarTable:
        """Read the bars of the trading days from ``start`` to ``end``, both included.

        A bar belongs to the trading day of the local date of its start, in the zone of the bars.

        Raises:
            SourceError: a file cannot be read, or a bar does not fit the market.
        """
        calendar, options = self.market.calendar, self.bar_options
        days = self._trading_days(start, end)
        slots = [list_slots(name, start, end, options.minutes) for name in calendar.exchanges]
        rules = BarRules(days, slots, options.minutes, options.skip_others)
        named = self._history().named
        names = [instrument.name for instrument in named.instruments]
        return read_bar_table(options, names, named.symbols, rules, start, end)

    def _trading_days(self, start: date, end: date) -> DayArray:
        calendar = self.market.calendar
        if calendar.exchanges:
            return calendar.trading_days(start, end)
        days = self.days()
        return days[(days >= np.datetime64(start)) & (days <= np.datetime64(end))]
