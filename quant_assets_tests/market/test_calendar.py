"""Trading days, against the exchanges' own calendars."""

from datetime import date

import numpy as np
import pytest

from quant_assets.core.errors import CalendarError
from quant_assets.market.calendar import (
    FIRST_DAY,
    LAST_DAY,
    closures,
    closures_by_exchange_calendars,
    is_trading_day,
    newest_trading_day,
    trading_days,
)

# Weekdays without a row in the competition's files, from 2018-01-02 to 2025-07-24.
LEFT_OUT = (
    "2019-01-01 2019-05-06 2020-01-01 2021-01-01 2021-05-03 2022-01-03 "
    "2022-09-19 2023-01-02 2024-01-01 2024-05-06 2025-01-01 2025-05-05"
)


def test_the_table_is_what_the_exchanges_say() -> None:
    np.testing.assert_array_equal(closures(), closures_by_exchange_calendars())


def test_the_competitions_days() -> None:
    days = trading_days(date(2018, 1, 2), date(2025, 7, 24))
    weekdays = np.arange(days[0], days[-1] + 1)
    weekdays = weekdays[np.is_busday(weekdays)]
    assert len(days) == 1961
    assert np.setdiff1d(weekdays, days).astype(str).tolist() == LEFT_OUT.split()


def test_ends_are_included_if_they_trade() -> None:
    days = trading_days(date(2024, 5, 3), date(2024, 5, 7))
    assert days.tolist() == [date(2024, 5, 3), date(2024, 5, 7)]
    assert len(trading_days(date(2024, 5, 4), date(2024, 5, 6))) == 0
    assert is_trading_day(np.array(["2024-05-05", "2024-05-07"], "datetime64[D]")).tolist() == [
        False,
        True,
    ]


@pytest.mark.parametrize("day", ["2024-05-03", "2024-05-04", "2024-05-05", "2024-05-06"])
def test_newest_trading_day(day: str) -> None:
    assert newest_trading_day(date.fromisoformat(day)) == date(2024, 5, 3)


@pytest.mark.parametrize("day", [date(1999, 12, 31), date(2031, 1, 1)])
def test_days_outside_the_calendar_are_refused(day: date) -> None:
    with pytest.raises(CalendarError, match=str(day)):
        is_trading_day(np.array([FIRST_DAY, day, LAST_DAY], dtype="datetime64[D]"))
