"""Calendars of described markets: sessions, days of the data, and when a day is due."""

from datetime import UTC, date, datetime, time

import numpy as np
import pytest

from quant_assets.core.errors import CalendarError
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
    assert found.due_at(date(2020, 1, 3)) is None
    assert found.late_at(date(2020, 1, 3)) is None


@pytest.mark.parametrize("year", [1900, 2100])
def test_a_calendar_that_does_not_reach_so_far(year: int) -> None:
    with pytest.raises(CalendarError, match="the calendar XHKG does not reach so far"):
        MarketCalendar(("XHKG",)).trading_days(date(year, 1, 1), date(year, 2, 1))


def test_a_day_is_due_in_its_zone() -> None:
    found = MarketCalendar(("XNYS",), ZonedTime(time(17), "America/New_York"), 1.5)
    summer, winter = found.due_at(date(2024, 7, 1)), found.late_at(date(2024, 1, 2))
    assert summer == datetime(2024, 7, 1, 21, tzinfo=UTC)
    assert winter == datetime(2024, 1, 2, 23, 30, tzinfo=UTC)
