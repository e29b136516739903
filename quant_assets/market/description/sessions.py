"""The calendar of a described market: its trading days, and when a day is due.

Trading days are the joined sessions of exchanges, or the days of the data. Those of London with
Tokyo are in ``market.calendar``, which needs no library; other exchanges are asked of
``exchange_calendars`` in ``exchange_sessions``. ``calendar_names.txt`` holds its names;
``python -m quant_assets.market.description.sessions`` writes that file again, and a test compares.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from quant_assets.core.errors import CalendarError
from quant_assets.core.typing import BoolArray, DayArray
from quant_assets.market import calendar as london_and_tokyo
from quant_assets.market.description import exchange_sessions
from quant_assets.market.description.times import ZonedTime, read_time, read_zone
from quant_assets.market.description.values import Value

_TABLE = Path(__file__).with_name("calendar_names.txt")
_SHIPPED = frozenset({"XLON", "XTKS"})
_MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
_DAY_END = ZonedTime(time(23, 59), "UTC")
_LONGEST_CLOSURE = timedelta(days=366)
_LATE_AFTER_HOURS = 4.0
_KEYS = ("exchanges", "days", "due", "zone", "late_after_hours", "first_day", "last_day")


@dataclass(frozen=True)
class MarketCalendar:
    """The calendar of a market.

    Attributes:
        exchanges: names in ``exchange_calendars``; empty if the days are those of the data.
        due: when a trading day's prices are due; None if the description does not say.
        late_after_hours: hours after ``due`` from which missing prices are late.
        first_day: first day of the history; None if the description does not say.
        last_day: its last day; None if the history goes on.
        data_days: reads the (n,) days of the data, ascending, where these are the trading days.
    """

    exchanges: tuple[str, ...]
    due: ZonedTime | None = None
    late_after_hours: float = _LATE_AFTER_HOURS
    first_day: date | None = None
    last_day: date | None = None
    data_days: Callable[[], DayArray] | None = field(default=None, compare=False)

    def with_days(self, read: Callable[[], DayArray]) -> "MarketCalendar":
        """Return the calendar with a reader of the data's (n,) days, where these are its days."""
        return self if self.exchanges else replace(self, data_days=read)

    @property
    def completion(self) -> ZonedTime:
        """Time from which a day's prices are complete: ``due``, else the day's end in UTC."""
        return self.due or _DAY_END

    @property
    def reach(self) -> tuple[date, date]:
        """First and last day that prices may have, as the calendar is not asked beyond them."""
        first = london_and_tokyo.FIRST_DAY if self._is_shipped else exchange_sessions.FIRST_DAY
        return first, london_and_tokyo.LAST_DAY

    @property
    def open_weekdays(self) -> tuple[int, ...]:
        """Days of the week that may be trading days, ascending; Monday is 0."""
        if self._is_shipped:
            return _MONDAY_TO_FRIDAY
        if not self.exchanges:
            return tuple(range(7))
        return exchange_sessions.open_weekdays(self.exchanges)

    @property
    def closed_text(self) -> str:
        """Why a day is no trading day, as the end of a sentence."""
        if not self.exchanges:
            return "the data do not have it"
        names = ["London", "Tokyo"] if self._is_shipped else list(self.exchanges)
        *others, last = names
        return f"{', '.join(others)} and {last} are closed" if others else f"{last} is closed"

    def trading_days(self, start: date, end: date, of_data: DayArray | None = None) -> DayArray:
        """Return all trading days from ``start`` to ``end``, both included, ascending.

        Args:
            start: first day.
            end: last day.
            of_data: (n,) days of the data; used only where these are the trading days.

        Raises:
            CalendarError: the calendar does not reach so far, or the days of the data are needed.
        """
        if not self.exchanges:
            days = np.unique(self._require_days(of_data))
            return days[(days >= np.datetime64(start)) & (days <= np.datetime64(end))]
        if self._is_shipped:
            return london_and_tokyo.trading_days(start, end)
        return exchange_sessions.join_sessions(self.exchanges, start, end)

    def is_trading_day(self, days: DayArray, of_data: DayArray | None = None) -> BoolArray:
        """Return a mask that is true where one of (n,) days is a trading day.

        Raises:
            CalendarError: as for :meth:`trading_days`.
        """
        if not len(days):
            return np.zeros(0, dtype=bool)
        first, last = (date.fromisoformat(str(day)) for day in (days.min(), days.max()))
        return np.isin(days, self.trading_days(first, last, of_data))

    def newest_trading_day(self, day: date, of_data: DayArray | None = None) -> date:
        """Return ``day`` itself if it is a trading day, else the last trading day before it.

        Raises:
            CalendarError: there is none in the year before, or as for :meth:`trading_days`.
        """
        if self._is_shipped:
            return london_and_tokyo.newest_trading_day(day)
        days = self.trading_days(day - _LONGEST_CLOSURE, day, of_data)
        if not len(days):
            raise CalendarError("no trading day in the year before a day", found=str(day))
        return date.fromisoformat(str(days[-1]))

    def is_open(self, day: date, of_data: DayArray | None = None) -> bool:
        """Whether a day is a trading day.

        Raises:
            CalendarError: as for :meth:`trading_days`.
        """
        return bool(len(self.trading_days(day, day, of_data)))

    def closed_days(self, start: date, of_data: DayArray | None = None) -> DayArray:
        """Return the days from ``start`` on, as far as known, that are open weekdays and closed.

        Args:
            start: first day.
            of_data: (n,) days of the data; used only where these are the trading days. Days after
                the newest count as open.

        Raises:
            CalendarError: the days of the data are needed.
        """
        if self._is_shipped:
            closed = london_and_tokyo.closures()
            return closed[closed >= np.datetime64(start)]
        if self.exchanges:
            return exchange_sessions.closed_days(self.exchanges, start, self.open_weekdays)
        days = np.unique(self._require_days(of_data))
        return np.setdiff1d(np.arange(np.datetime64(start), days[-1]), days) if len(days) else days

    def complete_at(self, day: date) -> datetime:
        """Return the moment from which a day's prices are complete."""
        return self.completion.on(day)

    def due_at(self, day: date) -> datetime | None:
        """Return the moment at which a trading day's prices are due; None if none is set."""
        return self.due.on(day) if self.due else None

    def late_at(self, day: date) -> datetime | None:
        """Return the moment from which a day's missing prices are late; None if none is due."""
        return self.due.on(day) + timedelta(hours=self.late_after_hours) if self.due else None

    def _require_days(self, of_data: DayArray | None) -> DayArray:
        if of_data is not None:
            return of_data
        if self.data_days is not None:
            return self.data_days()
        raise CalendarError(
            "the trading days are those of the data, and none are given",
            hint="`quant-assets market check --data` reads them from the data",
        )

    @property
    def _is_shipped(self) -> bool:
        return set(self.exchanges) == _SHIPPED


def read_calendar(value: Value) -> MarketCalendar:
    """Read the key ``calendar``.

    Raises:
        MarketError: a calendar, time, zone or day is wrong, or keys exclude each other.
    """
    kind = value.alternative(("exchanges", "days"))
    entries = value.record(_KEYS)
    exchanges: tuple[str, ...] = ()
    if kind == "days":
        entries["days"].choice("kind of days", ["data"])
    else:
        items = entries["exchanges"].items()
        named = [item.choice("calendar", calendar_names()) for item in items]
        exchanges = tuple(dict.fromkeys(named))
    late_after = entries.get("late_after_hours")
    first, last = (
        entries[key].day() if key in entries else None for key in ("first_day", "last_day")
    )
    if first and last and first > last:
        raise entries["last_day"].error("the history ends before it begins", expected=f"{first} on")
    return MarketCalendar(
        exchanges,
        _read_due(entries),
        late_after.number(0, 720) if late_after else _LATE_AFTER_HOURS,
        first,
        last,
    )


def _read_due(entries: dict[str, Value]) -> ZonedTime | None:
    zone = read_zone(entries["zone"]) if "zone" in entries else "UTC"
    if "due" in entries:
        return ZonedTime(read_time(entries["due"]), zone)
    for key in ("zone", "late_after_hours"):
        if key in entries:
            raise entries[key].error("this key needs another", expected="`due: HH:MM` beside it")
    return None


@cache
def calendar_names() -> tuple[str, ...]:
    """Return the names of all calendars that a description may name."""
    return tuple(_TABLE.read_text().split())


def names_by_exchange_calendars() -> list[str]:
    """Return the names that ``exchange_calendars`` knows, those of aliases included."""
    import exchange_calendars

    return sorted(exchange_calendars.get_calendar_names(include_aliases=True))


if __name__ == "__main__":
    _TABLE.write_text("".join(f"{name}\n" for name in names_by_exchange_calendars()))
