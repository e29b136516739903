"""Trading days: the sessions of London or Tokyo, as a weekday calendar with its closures.

This module holds dates only; prices and partitions belong elsewhere. The file ``closures.txt``
lists the weekdays on which both exchanges are closed, because importing ``exchange_calendars``
costs over a second. ``python -m quant_assets.market.calendar`` writes the file again from that
library, and a test compares the two.
"""

from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from quant_assets.core.errors import CalendarError
from quant_assets.core.typing import BoolArray, DayArray

FIRST_DAY, LAST_DAY = date(2000, 1, 4), date(2030, 12, 31)
_TABLE = Path(__file__).with_name("closures.txt")


@cache
def closures() -> DayArray:
    """Return the weekdays from FIRST_DAY to LAST_DAY on which London and Tokyo are both closed."""
    return np.array(_TABLE.read_text().split(), dtype="datetime64[D]")


@cache
def _calendar() -> np.busdaycalendar:
    return np.busdaycalendar(holidays=closures())


def is_trading_day(days: DayArray) -> BoolArray:
    """Return a mask that is true where a day is a trading day.

    Args:
        days: (n,) days in any order.

    Raises:
        CalendarError: a day lies outside FIRST_DAY to LAST_DAY.
    """
    _check_covered(days)
    return np.is_busday(days, busdaycal=_calendar())


def trading_days(start: date, end: date) -> DayArray:
    """Return all trading days from ``start`` to ``end``, both included, ascending.

    >>> from datetime import date
    >>> trading_days(date(2024, 12, 30), date(2025, 1, 2)).astype(str).tolist()
    ['2024-12-30', '2024-12-31', '2025-01-02']

    Raises:
        CalendarError: a day lies outside FIRST_DAY to LAST_DAY.
    """
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + np.timedelta64(1, "D"))
    return days[is_trading_day(days)]


def newest_trading_day(day: date) -> date:
    """Return ``day`` itself if it is a trading day, else the last trading day before it."""
    newest = np.busday_offset(np.datetime64(day, "D"), 0, roll="backward", busdaycal=_calendar())
    return date.fromisoformat(str(newest))


def _check_covered(days: DayArray) -> None:
    outside = days[(days < np.datetime64(FIRST_DAY)) | (days > np.datetime64(LAST_DAY))]
    if len(outside):
        raise CalendarError(
            "date outside the trading calendar",
            expected=f"{FIRST_DAY} to {LAST_DAY}",
            found=str(outside[0]),
            hint="check the date; a later release of this package extends the calendar",
        )


def closures_by_exchange_calendars() -> DayArray:
    """Compute :func:`closures` from ``exchange_calendars``."""
    import exchange_calendars

    weekdays = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY) + 1)
    weekdays = weekdays[np.is_busday(weekdays)]
    for name in ("XLON", "XTKS"):
        exchange = exchange_calendars.get_calendar(name, start=str(FIRST_DAY), end=str(LAST_DAY))
        sessions = exchange.sessions.to_numpy().astype("datetime64[D]")
        weekdays = weekdays[~np.isin(weekdays, sessions)]
    return weekdays


if __name__ == "__main__":
    _TABLE.write_text("".join(f"{day}\n" for day in closures_by_exchange_calendars()))
