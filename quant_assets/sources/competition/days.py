"""From ``date_id`` to trading day: by the folder's ``calendar.csv``, or by counting trading days.

Prices and labels are read elsewhere; which days are trading days is known to ``market.calendar``.
"""

from datetime import date
from pathlib import Path

import numpy as np

from quant_assets.core.errors import CalendarError
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.market.calendar import FIRST_DAY, LAST_DAY, is_trading_day, trading_days
from quant_assets.sources.competition.file_errors import file_error, line_number_of, whole_number
from quant_assets.sources.competition.files import ID, read_rows


def read_days_of_ids(ids: IntArray, path: Path, calendar: Path, start: date) -> DayArray:
    """(n,) trading day of each ``date_id`` of the file ``path``.

    Args:
        ids: (n,) strictly ascending.
        path: file the ids stand in.
        calendar: ``calendar.csv``; need not exist.
        start: day of ``date_id`` 0 if it does not.

    Raises:
        SourceError: an id has no day, or without a calendar an id is left out.
    """
    return _listed(ids, path, calendar) if calendar.exists() else _counted(ids, path, start)


def _counted(ids: IntArray, path: Path, start: date) -> DayArray:
    gaps = np.flatnonzero(np.diff(ids) != 1)
    if len(gaps):
        row = int(gaps[0]) + 1
        raise file_error(
            f"a {ID} is left out",
            path,
            line=line_number_of(row),
            column=ID,
            expected=f"{ids[row - 1] + 1}, the next trading day",
            found=int(ids[row]),
            hint="add the missing rows, or a calendar.csv with date_id,date",
        )
    counted = trading_days(start, LAST_DAY) if FIRST_DAY <= start <= LAST_DAY else np.array([])
    if not len(counted) or counted[0] != np.datetime64(start) or ids[-1] >= len(counted):
        raise file_error(
            f"a {ID} lies outside the trading calendar",
            path,
            column=ID,
            expected=f"trading days counted from {start}, a trading day, to {LAST_DAY}",
            found=f"{ids[0]} to {ids[-1]}",
            hint="check the day of date_id 0 and the ids, or add a calendar.csv",
        )
    return counted[ids]


def _listed(ids: IntArray, path: Path, calendar: Path) -> DayArray:
    known, days = _read_calendar(calendar)
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    missing = np.flatnonzero(known[at] != ids)
    if len(missing):
        raise file_error(
            f"a {ID} of {path.name} has no date",
            calendar,
            column=ID,
            expected=f"a row for {ids[missing[0]]}",
            found=f"{len(known)} rows, {known[0]} to {known[-1]}",
            hint="complete calendar.csv, or remove it if the ids count trading days",
        )
    return days[at]


def _read_calendar(path: Path) -> tuple[IntArray, DayArray]:
    ids: list[int] = []
    days: list[date] = []
    for line, (id_text, day_text) in read_rows(path, (ID, "date")):
        number = whole_number(path, ID, id_text, line)
        try:
            day = date.fromisoformat(day_text)
        except ValueError as error:
            raise file_error(
                "not a date",
                path,
                line=line,
                column="date",
                expected="a date like 2018-01-02",
                found=repr(day_text),
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
    return np.array(ids), _checked_trading_days(path, np.array(days, dtype="datetime64[D]"))


def _checked_trading_days(path: Path, days: DayArray) -> DayArray:
    try:
        wrong = np.flatnonzero(~is_trading_day(days))
        found = f"{days[wrong[0]]}" if len(wrong) else ""
    except CalendarError as error:
        raise file_error(
            error.problem, path, column="date", expected=error.expected, found=error.found
        ) from error
    if found:
        raise file_error(
            "a date is no trading day",
            path,
            line=line_number_of(int(wrong[0])),
            column="date",
            expected="a weekday on which London or Tokyo is open",
            found=found,
            hint="correct the date, or remove the row and its prices",
        )
    return days
