"""The slots of an exchange's sessions: intervals of equal length from the open to the close.

Which days are sessions belongs in ``exchange_sessions``.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from quant_assets.core.typing import AnyArray, DayArray, IntArray
from quant_assets.market.description.exchange_sessions import open_exchange


@dataclass(frozen=True)
class SessionSlots:
    """The slots of the sessions of some days.

    Attributes:
        days: (m,) day of each slot's session.
        starts: (m,) when each slot begins, UTC, ``datetime64[s]``, ascending.
        places: (m,) number of the slot within its session, from 0.
    """

    days: DayArray
    starts: DayArray
    places: IntArray

    def find(self, days: DayArray, starts: DayArray) -> IntArray:
        """Return the (r,) place of each of r starts in the session of its day; -1 if it has none.

        Args:
            days: (r,) days.
            starts: (r,) moments, UTC.
        """
        if not len(self.starts):
            return np.full(len(starts), -1)
        at = np.minimum(np.searchsorted(self.starts, starts), len(self.starts) - 1)
        known = (self.starts[at] == starts) & (self.days[at] == days)
        return np.where(known, self.places[at], -1)

    def count(self, days: DayArray) -> IntArray:
        """Return the (n,) number of slots of the sessions of n days."""
        left = np.searchsorted(self.days, days)
        return np.searchsorted(self.days, days, side="right") - left


def list_slots(exchange: str, start: date, end: date, minutes: int) -> SessionSlots:
    """List the slots of an exchange from its schedule, without breaks; the last may be shorter.

    Args:
        exchange: its name in ``exchange_calendars``.
        start: first day.
        end: last day, included.
        minutes: length of a slot.

    Raises:
        CalendarError: the calendar does not reach so far.
    """
    all_days, *times = _read_schedule(exchange, start.year, end.year)
    within = (all_days >= np.datetime64(start)) & (all_days <= np.datetime64(end))
    step = np.timedelta64(60 * minutes, "s")
    days: list[AnyArray] = []
    starts: list[AnyArray] = []
    places: list[AnyArray] = []
    columns = (column[within].astype("datetime64[s]") for column in (all_days, *times))
    for day, opens, break_start, break_end, closes in zip(*columns, strict=True):
        spans = [(opens, closes)]
        if not np.isnat(break_start):
            spans = [(opens, break_start), (break_end, closes)]
        own = np.concatenate([np.arange(first, last, step) for first, last in spans])
        days.append(np.full(len(own), day, dtype="datetime64[D]"))
        starts.append(own)
        places.append(np.arange(len(own)))
    empty = np.empty(0, dtype="datetime64[s]")
    return SessionSlots(
        np.concatenate([empty.astype("datetime64[D]"), *days]),
        np.concatenate([empty, *starts]),
        np.concatenate([np.empty(0, dtype=np.int64), *places]),
    )


@lru_cache(16)
def _read_schedule(exchange: str, first_year: int, last_year: int) -> tuple[AnyArray, ...]:
    """Return sessions, opens, starts and ends of breaks, and closes of some years, UTC."""
    schedule = open_exchange(exchange, first_year, last_year).schedule
    names = ("open", "break_start", "break_end", "close")
    times = (schedule[name].dt.tz_localize(None).to_numpy() for name in names)
    return (schedule.index.to_numpy().astype("datetime64[D]"), *times)
