"""Which days of price files are trading days, and which of the newest have come.

Reading the days belongs in ``history``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import CalendarError, SourceError
from quant_assets.core.typing import BoolArray, DayArray, IntArray
from quant_assets.market.description.sessions import MarketCalendar


@dataclass(frozen=True)
class TradingDays:
    """The trading days of price files.

    Attributes:
        days: (n,) trading days that have come, ascending.
        waiting: why the newest days have not come; empty if all have.
    """

    days: DayArray
    waiting: str


def find_trading_days(
    days: DayArray,
    closes: IntArray,
    calendar: MarketCalendar,
    skip_other_days: bool,
    place_of: Callable[[date], str],
) -> TradingDays:
    """Find the trading days among the days of files.

    Days outside the calendar's ``first_day`` and ``last_day`` are left out. The newest day has come
    if it has at least half as many closes as the day before, and one at least.

    Args:
        days: (n,) days of the files, ascending.
        closes: (n,) number of closes on each.
        calendar: the calendar of the market.
        skip_other_days: leave out days that are no trading days; otherwise they are refused.
        place_of: returns a file that has a row of a day.

    Raises:
        SourceError: a day is no trading day, or the calendar does not reach so far.
    """
    first, last = calendar.first_day, calendar.last_day
    within = np.ones(len(days), dtype=bool)
    if first is not None:
        within &= days >= np.datetime64(first)
    if last is not None:
        within &= days <= np.datetime64(last)
    days, closes = days[within], closes[within]
    if calendar.exchanges:
        is_open = _find_open(days, calendar, place_of)
        if not skip_other_days and not is_open.all():
            raise _other_day_error(days[~is_open], calendar, place_of)
        days, closes = days[is_open], closes[is_open]
    count = len(days)
    while count and not _has_come(closes[:count]):
        count -= 1
    return TradingDays(days[:count], _describe_lack(days, closes, count))


def _find_open(
    days: DayArray, calendar: MarketCalendar, place_of: Callable[[date], str]
) -> BoolArray:
    first, last = calendar.reach
    beyond = days[(days < np.datetime64(first)) | (days > np.datetime64(last))]
    try:
        if not len(beyond):
            return calendar.is_trading_day(days)
        reason = f"{beyond[0]}"
    except CalendarError as error:
        beyond, reason = days, str(error.found or error.problem)
    raise SourceError(
        "the calendar does not know the days of the price files",
        where=place_of(beyond[0].item()),
        expected=f"days from {first} to {last}",
        found=reason,
        hint="set `first_day` of the calendar, or correct the days",
    )


def _other_day_error(
    closed: DayArray, calendar: MarketCalendar, place_of: Callable[[date], str]
) -> SourceError:
    more = f", the first of {len(closed):,} such days" if len(closed) > 1 else ""
    return SourceError(
        "a price file has rows of a day that is no trading day",
        where=place_of(closed[0].item()),
        expected=f"sessions of {' or '.join(calendar.exchanges)}",
        found=f"{closed[0]}{more}; {calendar.closed_text}",
        hint="`other_days: skip` leaves such rows out; `days: data` in `calendar` takes all days",
    )


def _has_come(closes: IntArray) -> bool:
    return bool(closes[-1] > 0 and (len(closes) < 2 or 2 * closes[-1] >= closes[-2]))


def _describe_lack(days: DayArray, closes: IntArray, count: int) -> str:
    if count == len(days):
        return ""
    before = f" of the {closes[count - 1]:,} on {days[count - 1]}, and half are needed"
    text = f"{days[count]} has {closes[count]:,} closes{before if count else ''}"
    more = len(days) - count - 1
    return f"{text}; {more:,} later days wait too" if more else text
