"""Counts of rows and closes by day, and days with more rows than a market can have.

Counting them in files belongs in ``long_history`` and ``wide_history``.
"""

from collections.abc import Callable
from datetime import date

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.market.instruments import FIELDS


class DayCounts:
    """Counts of rows and closes by day.

    Args:
        instruments: number of described instruments.
    """

    def __init__(self, instruments: int) -> None:
        self._instruments = instruments
        self._rows: dict[date, int] = {}
        self._closes: dict[date, int] = {}

    def add_rows(self, day: date, count: int, find_file: Callable[[], str | None]) -> None:
        """Add rows of a day.

        Args:
            day: the day.
            count: their number.
            find_file: returns a file that has them, for the error.

        Raises:
            SourceError: the day has more rows than there are instruments and fields.
        """
        self._rows[day] = self._rows.get(day, 0) + count
        most = self._instruments * len(FIELDS)
        if self._rows[day] > most:
            raise SourceError(
                "a day has more rows than the market has instruments and fields",
                where=find_file(),
                expected=f"at most {most:,} rows of {self._instruments:,} instruments on a day",
                found=f"{self._rows[day]:,} rows of {day}",
                hint="remove the repeated rows",
            )

    def add_closes(self, day: date, count: int) -> None:
        """Add closes of a day."""
        self._closes[day] = self._closes.get(day, 0) + count

    @property
    def days(self) -> DayArray:
        """(n,) days with rows, ascending."""
        return np.array(sorted(self._rows), dtype="datetime64[D]")

    @property
    def closes(self) -> IntArray:
        """(n,) number of closes on each of the days."""
        return np.array([self._closes.get(day, 0) for day in sorted(self._rows)], dtype=np.int64)
