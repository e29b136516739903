"""Slots of sessions: clocks that change, early closes, lunch, and days without a session."""

from datetime import date

import numpy as np
import pytest

from quant_assets.core.errors import CalendarError
from quant_assets.market.description.session_slots import SessionSlots, list_slots


def of_day(exchange: str, day: date, minutes: int = 15) -> SessionSlots:
    return list_slots(exchange, day, day, minutes)


@pytest.mark.parametrize(
    ("day", "first", "last", "count"),
    [
        (date(2024, 3, 8), "14:30", "20:45", 26),
        (date(2024, 3, 11), "13:30", "19:45", 26),
        (date(2024, 11, 1), "13:30", "19:45", 26),
        (date(2024, 11, 4), "14:30", "20:45", 26),
        (date(2024, 11, 29), "14:30", "17:45", 14),
    ],
)
def test_slots_follow_the_clock_and_early_closes(
    day: date, first: str, last: str, count: int
) -> None:
    slots = of_day("XNYS", day)
    assert [str(slots.starts[i]) for i in (0, -1)] == [f"{day}T{each}:00" for each in (first, last)]
    assert slots.places.tolist() == list(range(count))


def test_lunch_has_no_slots() -> None:
    slots = of_day("XTKS", date(2024, 3, 8))
    times = [str(start)[11:16] for start in slots.starts]
    assert times[9:11] == ["02:15", "03:30"]
    assert slots.places.tolist() == list(range(20))


def test_the_last_slot_may_be_shorter() -> None:
    assert len(of_day("XNYS", date(2024, 3, 8), 60).starts) == 7


def test_places_and_counts_are_looked_up() -> None:
    slots = list_slots("XNYS", date(2024, 11, 27), date(2024, 12, 2), 15)
    days = np.array(["2024-11-27", "2024-11-28", "2024-11-29"], dtype="datetime64[D]")
    assert slots.count(days).tolist() == [26, 0, 14]
    starts = ["2024-11-29T14:45", "2024-11-29T14:50", "2024-11-29T18:00", "2024-11-27T14:30"]
    of_starts = days[[2, 2, 2, 2]]
    places = slots.find(of_starts, np.array(starts, dtype="datetime64[s]"))
    assert places.tolist() == [1, -1, -1, -1]


def test_a_holiday_has_none() -> None:
    slots = of_day("XNYS", date(2024, 12, 25))
    days = np.array(["2024-12-25"], dtype="datetime64[D]")
    assert slots.find(days, days.astype("datetime64[s]")).tolist() == [-1]
    assert slots.count(days).tolist() == [0]


def test_a_calendar_has_its_reach() -> None:
    with pytest.raises(CalendarError):
        of_day("XKRX", date(1900, 1, 2))
