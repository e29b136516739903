"""Moments in UTC from which values count as known, by a market's calendar."""

from datetime import UTC, date, datetime, timedelta

import numpy as np

from quant_assets.core.typing import DayArray
from quant_assets.market.description.sessions import MarketCalendar


def close_of_days(calendar: MarketCalendar, days: DayArray) -> DayArray:
    """Return the moments by which a value must be known to count as known at the close of a day.

    It is the time at which the calendar calls a day's prices complete. Returns an array of shape
    (n,), in UTC.

    Args:
        calendar: the market's calendar.
        days: (n,) days.
    """
    return np.array(
        [to_utc(calendar.complete_at(day)) for day in days.astype("datetime64[D]").tolist()],
        dtype="datetime64[us]",
    )


def known_after(calendar: MarketCalendar, day: date, lag: int) -> np.datetime64:
    """Return the close, in UTC, of the day that is so many calendar days after a day.

    A value that became known on a day, at an unknown time, is known after a lag of 1.

    Args:
        calendar: the market's calendar.
        day: the day.
        lag: number of calendar days.
    """
    return to_utc(calendar.complete_at(day + timedelta(days=lag)))


def to_utc(moment: datetime) -> np.datetime64:
    """Convert a moment with a zone to UTC without a zone, in microseconds."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
