"""The trading day of a ``date_id`` of a gateway: stored, in ``calendar.csv``, or counted on.

How a folder dates its rows belongs in ``sources.competition.days``.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from quant_assets.core.errors import SourceError, SubmissionError
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.kaggle.problems import DAY_COLUMN
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.sources.competition.days import read_days_of_ids
from quant_assets.sources.competition.folder_files import FolderFiles

_WEEKEND = 2
_SLACK = 30
"""Calendar days that are looked at beyond those that a count of trading days usually takes."""


@dataclass(frozen=True)
class DayNumbers:
    """The numbers of the days of a market.

    Attributes:
        stored: (n,) ids of the stored days, ascending.
        days: (n,) the stored days.
        calendar: the market's calendar, by which days after the newest stored one are counted.
        folder: a folder whose ``calendar.csv`` dates later days; None without one.
    """

    stored: IntArray
    days: DayArray
    calendar: MarketCalendar
    folder: Path | None = None

    def find_day(self, date_id: int) -> date:
        """Return the trading day of an id.

        Raises:
            SubmissionError: the id lies before or between the stored days, or none is stored.
            CalendarError: the calendar does not reach so far.
        """
        at = int(np.searchsorted(self.stored, date_id))
        if at < len(self.stored):
            if self.stored[at] != date_id:
                raise SubmissionError(
                    f"a {DAY_COLUMN} has no trading day",
                    expected=f"a stored day, {self.stored[0]} to {self.stored[-1]}, or a later one",
                    found=date_id,
                )
            return _to_date(self.days[at])
        if not len(self.stored):
            raise SubmissionError(f"no day is stored from which a {DAY_COLUMN} could be counted")
        return self._look_up(date_id) or self._count(date_id)

    def _look_up(self, date_id: int) -> date | None:
        """Return the day that ``calendar.csv`` gives an id; None if it does not."""
        if self.folder is None:
            return None
        files = FolderFiles(self.folder)
        if not files.calendar.exists():
            return None
        try:
            found = read_days_of_ids(
                np.array([date_id]), lambda _: (files.test, 1), files.calendar, date.min
            )
        except SourceError:
            return None
        return _to_date(found[0])

    def _count(self, date_id: int) -> date:
        count = date_id - int(self.stored[-1])
        first = _to_date(self.days[-1]) + timedelta(days=1)
        span = count * 7 // (7 - _WEEKEND) + _SLACK
        last = min(first + timedelta(days=span), self.calendar.reach[1])
        later = self.calendar.trading_days(first, last)
        if len(later) < count:
            raise SubmissionError(
                f"a {DAY_COLUMN} lies beyond the calendar",
                expected=f"at most {int(self.stored[-1]) + len(later)}",
                found=date_id,
            )
        return _to_date(later[count - 1])


def read_day_numbers(lake: Lake, calendar: MarketCalendar, folder: Path | None) -> DayNumbers:
    """Read the numbers of the stored days.

    Args:
        lake: the lake.
        calendar: the market's calendar.
        folder: a folder that may hold a ``calendar.csv``.

    Raises:
        LakeError: no day is stored.
    """
    days = read_days(lake, MARKET_FEATURES)
    return DayNumbers(read_date_ids(lake, days), days, calendar, folder)


def _to_date(day: np.datetime64) -> date:
    return date.fromisoformat(str(day.astype("datetime64[D]")))
