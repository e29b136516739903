"""Calendars of described markets: sessions, days of the data, and when a day is due."""

from datetime import UTC, date, datetime, time

import numpy as np
import pytest

from quant_assets.core.errors import CalendarError
from quant_assets.market.description import exchange_sessions
from quant_assets.market.description.sessions import (
    MarketCalendar,
    calendar_names,
    names_by_exchange_calendars,
)
from quant_assets.market.description.times import ZonedTime


def test_names_of_calendars_are_those_of_the_library() -> None:
    assert list(calendar_names()) == names_by_exchange_calendars()


def test_sessions_of_exchanges_are_joined() -> None:
    new_york, oslo = MarketCalendar(("XNYS",)), MarketCalendar(("XOSL",))
    both = MarketCalendar(("XNYS", "XOSL"))
    span = (date(2016, 12, 1), date(2017, 7, 31))
    days = [found.trading_days(*span) for found in (new_york, oslo, both)]
    np.testing.assert_array_equal(days[2], np.union1d(days[0], days[1]))
    assert len(days[2]) > max(len(days[0]), len(days[1]))
    # Independence Day, and the national day of Norway.
    assert date(2017, 7, 4) not in days[0].tolist()
    assert date(2017, 5, 17) not in days[1].tolist()
    assert new_york.newest_trading_day(date(2017, 7, 4)) == date(2017, 7, 3)
    asked = np.array(["2017-07-04", "2017-07-03", "2017-07-01"], dtype="datetime64[D]")
    assert new_york.is_trading_day(asked).tolist() == [False, True, False]
    assert new_york.is_trading_day(asked[:0]).tolist() == []


def test_the_joined_calendar_of_london_and_tokyo_is_that_of_the_library() -> None:
    span = (date(2020, 1, 1), date(2021, 12, 31))
    shipped = MarketCalendar(("XTKS", "XLON")).trading_days(*span)
    joined = [MarketCalendar((name,)).trading_days(*span) for name in ("XLON", "XTKS")]
    np.testing.assert_array_equal(shipped, np.union1d(*joined))


def test_closed_days_of_an_exchange_are_the_weekdays_without_a_session() -> None:
    new_york = MarketCalendar(("XNYS",))
    start, end = date(2021, 3, 1), date(2024, 12, 31)
    days = np.arange(np.datetime64(start), np.datetime64(end) + 1)
    weekdays = days[np.is_busday(days)]
    expected = np.setdiff1d(weekdays, new_york.trading_days(start, end))
    closed = new_york.closed_days(start)
    np.testing.assert_array_equal(closed[closed <= np.datetime64(end)], expected)
    assert closed.max() > np.datetime64("2030-01-01")
    assert new_york.open_weekdays == (0, 1, 2, 3, 4)
    assert [new_york.is_open(date(2024, 7, day)) for day in (3, 4, 5, 6)] == [
        True,
        False,
        True,
        False,
    ]


def test_closed_days_of_an_exchange_end_where_its_calendar_ends() -> None:
    """Saudi Arabia trades from Sunday to Thursday; its calendar knows the years 2021 to 2029."""
    riyadh = MarketCalendar(("XSAU",))
    assert riyadh.open_weekdays == (0, 1, 2, 3, 6)
    closed = riyadh.closed_days(date(2018, 1, 1))
    weekdays = {day.weekday() for day in closed.tolist()}
    assert weekdays <= set(riyadh.open_weekdays)
    assert (closed.min().item().year, closed.max().item().year) == (2021, 2029)
    assert not len(riyadh.closed_days(date(2030, 1, 1)))


def test_the_shipped_calendar_has_the_closed_days_of_the_library() -> None:
    shipped = MarketCalendar(("XLON", "XTKS"))
    start = date(2020, 1, 1)
    expected = exchange_sessions.closed_days(shipped.exchanges, start, (0, 1, 2, 3, 4))
    np.testing.assert_array_equal(shipped.closed_days(start), expected)
    assert shipped.open_weekdays == (0, 1, 2, 3, 4)
    assert shipped.reach == (date(2000, 1, 4), date(2030, 12, 31))


def test_a_span_that_ends_before_it_begins_has_no_days() -> None:
    for exchanges in (("XNYS",), ("XLON", "XTKS")):
        days = MarketCalendar(exchanges).trading_days(date(2025, 1, 1), date(2024, 12, 31))
        assert len(days) == 0


def test_why_a_day_is_closed() -> None:
    texts = [
        MarketCalendar(names).closed_text for names in (("XTKS", "XLON"), ("XNYS",), ("A", "B"), ())
    ]
    assert texts == [
        "London and Tokyo are closed",
        "XNYS is closed",
        "A and B are closed",
        "the data do not have it",
    ]


def test_days_of_the_data() -> None:
    found = MarketCalendar(())
    data = np.array(["2020-01-05", "2020-01-03", "2020-01-05", "2020-02-01"], dtype="datetime64[D]")
    days = found.trading_days(date(2020, 1, 1), date(2020, 1, 31), data)
    assert days.astype(str).tolist() == ["2020-01-03", "2020-01-05"]
    assert found.newest_trading_day(date(2020, 1, 4), data) == date(2020, 1, 3)
    with pytest.raises(CalendarError, match="no trading day in the year"):
        found.newest_trading_day(date(2020, 1, 1), data)
    with pytest.raises(CalendarError, match="those of the data, and none are given"):
        found.trading_days(date(2020, 1, 1), date(2020, 1, 31))
    with pytest.raises(CalendarError, match="those of the data, and none are given"):
        found.closed_days(date(2020, 1, 1))
    assert found.closed_days(date(2020, 1, 2), data[:3]).astype(str).tolist() == [
        "2020-01-02",
        "2020-01-04",
    ]
    assert not len(found.closed_days(date(2020, 1, 2), data[:0]))
    assert found.open_weekdays == tuple(range(7))
    assert found.due_at(date(2020, 1, 3)) is None
    assert found.late_at(date(2020, 1, 3)) is None
    assert found.complete_at(date(2020, 1, 3)) == datetime(2020, 1, 3, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize("year", [1900, 2100])
def test_a_calendar_that_does_not_reach_so_far(year: int) -> None:
    with pytest.raises(CalendarError, match="the calendar XHKG does not reach so far"):
        MarketCalendar(("XHKG",)).trading_days(date(year, 1, 1), date(year, 2, 1))


def test_a_day_is_due_in_its_zone() -> None:
    found = MarketCalendar(("XNYS",), ZonedTime(time(17), "America/New_York"), 1.5)
    summer, winter = found.due_at(date(2024, 7, 1)), found.late_at(date(2024, 1, 2))
    assert summer == found.complete_at(date(2024, 7, 1)) == datetime(2024, 7, 1, 21, tzinfo=UTC)
    assert winter == datetime(2024, 1, 2, 23, 30, tzinfo=UTC)
