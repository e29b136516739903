"""The trading day of each ``date_id``: from ``calendar.csv``, or by counting trading days.

Prices and labels are read elsewhere. ``market.calendar`` defines the trading days.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from quant_assets.core.errors import CalendarError
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.market.calendar import FIRST_DAY, LAST_DAY, is_trading_day, trading_days
from quant_assets.sources.competition.csv_text import find_line, read_small_file
from quant_assets.sources.competition.file_errors import (
    file_error,
    looks_like_date,
    parse_whole_number,
    quote,
)
from quant_assets.sources.competition.file_state import is_there, until_changed
from quant_assets.sources.competition.files import ID

Place = Callable[[int], tuple[Path, int]]
"""Returns the file and the line of the id at a position, for error messages."""


def read_days_of_ids(ids: IntArray, place: Place, calendar: Path, start: date) -> DayArray:
    """Find the (n,) trading day of each ``date_id``.

    Args:
        ids: (n,) ids, strictly ascending.
        place: returns the file and the line of an id.
        calendar: path of ``calendar.csv``, which need not exist.
        start: day of ``date_id`` 0, used if there is no calendar.

    Raises:
        SourceError: an id has no day, or without a calendar the ids have a gap.
    """
    if is_there(calendar):
        return _look_up_days(ids, place, calendar)
    return _count_days(ids, place, start)


def _count_days(ids: IntArray, place: Place, start: date) -> DayArray:
    _refuse_dates(ids, place)
    gaps = np.flatnonzero(np.diff(ids) != 1)
    if len(gaps):
        row = int(gaps[0]) + 1
        path, line = place(row)
        raise file_error(
            f"a {ID} is left out",
            path,
            line=line,
            column=ID,
            expected=f"{ids[row - 1] + 1}, the next trading day",
            found=int(ids[row]),
            hint="add the missing rows, or a calendar.csv with date_id,date",
        )
    counted = trading_days(start, LAST_DAY) if FIRST_DAY <= start <= LAST_DAY else np.array([])
    if not len(counted) or counted[0] != np.datetime64(start) or ids[-1] >= len(counted):
        path, line = place(
            int(np.searchsorted(ids, len(counted))) if ids[-1] >= len(counted) else 0
        )
        raise file_error(
            f"a {ID} lies outside the trading calendar",
            path,
            line=line,
            column=ID,
            expected=f"trading days counted from {start}, a trading day, to {LAST_DAY}",
            found=f"{ids[0]} to {ids[-1]}",
            hint="check QUANT_FIRST_DAY, the day of date_id 0, and the ids, or add a calendar.csv",
        )
    return counted[ids]


def _refuse_dates(ids: IntArray, place: Place) -> None:
    if not (looks_like_date(int(ids[0])) and looks_like_date(int(ids[-1]))):
        return
    path, line = place(0)
    first = str(ids[0])
    raise file_error(
        f"each {ID} is a date, and there is no calendar.csv",
        path,
        line=line,
        column=ID,
        expected="0, 1, 2, …, which count trading days",
        found=f"{first} to {ids[-1]}",
        hint=f"add a calendar.csv with the columns {ID},date and rows like "
        f"{first},{first[:4]}-{first[4:6]}-{first[6:]}, or number the rows 0, 1, 2, …",
    )


def _look_up_days(ids: IntArray, place: Place, calendar: Path) -> DayArray:
    known, days = _read_calendar(calendar)
    positions = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    missing = np.flatnonzero(known[positions] != ids)
    if len(missing):
        path, line = place(int(missing[0]))
        raise file_error(
            f"a {ID} of {path.name} has no date",
            calendar,
            column=ID,
            expected=f"a row for {ids[missing[0]]}, which is on line {line}",
            found=f"{len(known)} rows, {known[0]} to {known[-1]}",
            hint="complete calendar.csv, or remove it if the ids count trading days",
        )
    return days[positions]


@until_changed(2)
def _read_calendar(path: Path) -> tuple[IntArray, DayArray]:
    ids: list[int] = []
    days: list[date] = []
    for line, (id_text, day_text) in read_small_file(path, (ID, "date")):
        number = parse_whole_number(path, ID, id_text, line)
        try:
            day = date.fromisoformat(day_text)
        except ValueError as error:
            raise file_error(
                "not a date",
                path,
                line=line,
                column="date",
                expected="a date like 2018-01-02",
                found=quote(day_text),
                hint="write dates as year-month-day",
            ) from error
        if ids and (number <= ids[-1] or day <= days[-1]):
            raise file_error(
                "the calendar is not in ascending order",
                path,
                line=line,
                expected=f"more than {ids[-1]},{days[-1]}, the row before",
                found=f"{number},{day}",
                hint="sort the rows and remove repeated ones",
            )
        ids.append(number)
        days.append(day)
    calendar_days = np.array(days, dtype="datetime64[D]")
    _check_trading_days(path, calendar_days)
    return np.array(ids), calendar_days


def _check_trading_days(path: Path, days: DayArray) -> None:
    try:
        wrong = np.flatnonzero(~is_trading_day(days))
    except CalendarError as error:
        raise file_error(
            error.problem,
            path,
            column="date",
            expected=error.expected,
            found=error.found,
            hint="correct the date, or leave out the rows before",
        ) from error
    if len(wrong):
        raise file_error(
            "a date is no trading day",
            path,
            line=find_line(path, int(wrong[0])),
            column="date",
            expected="a weekday on which London or Tokyo is open",
            found=f"{days[wrong[0]]}",
            hint="correct the date, or remove the row and its prices",
        )
