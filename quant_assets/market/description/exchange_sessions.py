"""Sessions of exchanges by ``exchange_calendars``, whose import takes about a second.

What a market makes of them belongs in ``description.sessions``.
"""

from datetime import date
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.core.errors import CalendarError
from quant_assets.core.typing import DayArray
from quant_assets.market.calendar import LAST_DAY

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

FIRST_DAY = date(1970, 1, 1)
"""First day for which the sessions of an exchange are asked, where nothing else is said."""
_EPOCH_WEEKDAY = FIRST_DAY.weekday()


def join_sessions(names: tuple[str, ...], start: date, end: date) -> DayArray:
    """Return the days from ``start`` to ``end`` on which one of several exchanges is open.

    Args:
        names: names of the exchanges.
        start: first day.
        end: last day, included.

    Raises:
        CalendarError: a calendar does not reach so far.
    """
    if start > end:
        return np.zeros(0, dtype="datetime64[D]")
    days = np.unique(np.concatenate([_sessions(name, start.year, end.year) for name in names]))
    return days[(days >= np.datetime64(start)) & (days <= np.datetime64(end))]


@cache
def open_weekdays(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the days of the week on which one of several exchanges has ever been open.

    Args:
        names: names of the exchanges.
    """
    days = np.concatenate([_sessions(name, *_known_years(name)) for name in names])
    return tuple(np.unique(_weekday(days)).tolist())


def closed_days(names: tuple[str, ...], start: date, weekdays: tuple[int, ...]) -> DayArray:
    """Return the days of the week from ``start`` on on which all of several exchanges are closed.

    Args:
        names: names of the exchanges.
        start: first day. Days before the first or after the last that all calendars know count as
            open.
        weekdays: the days of the week; Monday is 0.
    """
    known = [_known_years(name) for name in names]
    first = max(start.year, *(years[0] for years in known))
    last = min(years[1] for years in known)
    if first > last:
        return np.zeros(0, dtype="datetime64[D]")
    all_days = np.arange(
        np.datetime64(max(start, date(first, 1, 1))), np.datetime64(f"{last + 1}-01-01")
    )
    asked = all_days[np.isin(_weekday(all_days), weekdays)]
    return np.setdiff1d(asked, join_sessions(names, date(first, 1, 1), date(last, 12, 31)))


def _weekday(days: DayArray) -> np.ndarray:
    """Return the day of the week of each day; Monday is 0."""
    return (days.astype(np.int64) + _EPOCH_WEEKDAY) % 7


@cache
def _known_years(name: str) -> tuple[int, int]:
    """Return the first and the last whole year that a calendar knows, of those to LAST_DAY."""
    import exchange_calendars

    exchange = exchange_calendars.get_calendar(name)
    first, last = exchange.bound_min(), exchange.bound_max()
    first_year = first.year + ((first.month, first.day) != (1, 1)) if first else 0
    last_year = last.year - ((last.month, last.day) != (12, 31)) if last else LAST_DAY.year
    return max(first_year, FIRST_DAY.year), min(last_year, LAST_DAY.year)


@lru_cache(64)
def _sessions(name: str, first_year: int, last_year: int) -> DayArray:
    """Return the sessions of an exchange from the first to the last day of some years."""
    exchange = open_exchange(name, first_year, last_year)
    return np.asarray(exchange.sessions.to_numpy(), dtype="datetime64[D]")


def open_exchange(name: str, first_year: int, last_year: int) -> "ExchangeCalendar":
    """Open the calendar of an exchange from the first to the last day of some years.

    Raises:
        CalendarError: the calendar does not reach so far.
    """
    import exchange_calendars

    start, end = f"{first_year}-01-01", f"{last_year}-12-31"
    try:
        return exchange_calendars.get_calendar(name, start=start, end=end)
    except (ValueError, exchange_calendars.errors.CalendarError) as error:
        raise CalendarError(
            f"the calendar {name} does not reach so far", found=f"{start} to {end}: {error}"
        ) from None
