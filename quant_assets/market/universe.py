"""The universe: which instruments a market has on each day, from their closes up to that day.

Arrays only. What a description says about it belongs in ``market.description``; the stored table
is read in ``lake.readers.universe``.
"""

from enum import IntEnum

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, DayArray, FloatArray, IntArray


class UniverseState(IntEnum):
    """Why an instrument is in the universe on a day, or is not."""

    LISTED = 0
    NOT_YET_LISTED = 1
    NO_PRICE = 2
    DELISTED = 3

    def text(self, limit: int) -> str:
        """The state as the table has it.

        >>> UniverseState.NO_PRICE.text(20)
        'no price for 20 days'
        """
        if self is UniverseState.NO_PRICE:
            return f"no price for {limit} days"
        return self.name.lower().replace("_", " ")


def find_unlisted(days: DayArray, listed: DayArray, delisted: DayArray) -> AnyArray:
    """Find the days on which instruments cannot trade, by what a description says.

    Returns an array of shape (n, k) of :class:`UniverseState`: ``NOT_YET_LISTED`` before the first
    day of trading, ``DELISTED`` after the last, else ``LISTED``.

    Args:
        days: (n,) trading days.
        listed: (k,) first day of trading of each instrument; NaT where none is said.
        delisted: (k,) last day of trading of each instrument; NaT where none is said.
    """
    # A comparison with NaT is false.
    before = np.where(days[:, None] < listed, UniverseState.NOT_YET_LISTED, UniverseState.LISTED)
    return np.where(days[:, None] > delisted, UniverseState.DELISTED, before)


def find_states(days: DayArray, first_closes: DayArray, close: FloatArray, limit: int) -> AnyArray:
    """Find the state of each instrument on the days, from closes up to each day.

    An instrument is in the universe from its first close on, until ``limit`` days in a row have no
    close. It is in the universe again from its next close on. What a description says of listings
    is found by :func:`find_unlisted`.

    Returns an array of shape (n, k) of :class:`UniverseState`. Row t depends on rows up to t only.

    Args:
        days: (n,) trading days, ascending.
        first_closes: (k,) day of the first close of each instrument; NaT without one.
        close: (h + n, k) closes of the days and of h days before them, where h is ``limit`` - 1 or
            the whole history; NaN where nothing was observed.
        limit: number of days without a close after which an instrument has left.

    Examples:
        One instrument begins on the second day and ends on the third:

        >>> days = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")
        >>> close = np.array([[np.nan], [1.0], [2.0], [np.nan], [np.nan]])
        >>> find_states(days, days[[1]], close, 2).ravel()
        array([1, 0, 0, 0, 2])
    """
    rows = np.arange(len(close))[:, None]
    last: IntArray = np.maximum.accumulate(np.where(np.isnan(close), -limit, rows), axis=0)
    states = np.where(rows - last >= limit, UniverseState.NO_PRICE, UniverseState.LISTED)
    states = states[len(close) - len(days) :]
    # A comparison with NaT is false.
    begun: BoolArray = days[:, None] >= first_closes
    return np.where(begun, states, UniverseState.NOT_YET_LISTED)
