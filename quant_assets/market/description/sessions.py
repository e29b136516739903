"""The calendar of a described market: its trading days, and when a day is due.

Trading days are the joined sessions of exchanges, or the days of the data. Those of London with
Tokyo are in ``market.calendar``, which needs no library; other exchanges are asked of
``exchange_calendars``, whose import takes about a second. ``calendar_names.txt`` holds its names;
``python -m quant_assets.market.description.sessions`` writes that file again, and a test compares.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from quant_assets.core.errors import CalendarError
from quant_assets.core.typing import BoolArray, DayArray
from quant_assets.market import calendar as london_and_tokyo
from quant_assets.market.description.times import ZonedTime, read_time, read_zone
from quant_assets.market.description.values import Value

_TABLE = Path(__file__).with_name("calendar_names.txt")
_SHIPPED = frozenset({"XLON", "XTKS"})
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
    """

    exchanges: tuple[str, ...]
    due: ZonedTime | None = None
    late_after_hours: float = _LATE_AFTER_HOURS
    first_day: date | None = None
    last_day: date | None = None

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
            days = np.unique(_require_days(of_data))
            return days[(days >= np.datetime64(start)) & (days <= np.datetime64(end))]
        if set(self.exchanges) == _SHIPPED:
            return london_and_tokyo.trading_days(start, end)
        joined = [_sessions(name, start.year, end.year) for name in self.exchanges]
        days = np.unique(np.concatenate(joined))
        return days[(days >= np.datetime64(start)) & (days <= np.datetime64(end))]

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
        if set(self.exchanges) == _SHIPPED:
            return london_and_tokyo.newest_trading_day(day)
        days = self.trading_days(day - _LONGEST_CLOSURE, day, of_data)
        if not len(days):
            raise CalendarError("no trading day in the year before a day", found=str(day))
        return date.fromisoformat(str(days[-1]))

    def due_at(self, day: date) -> datetime | None:
        """Return the moment at which a trading day's prices are due; None if none is set."""
        return self.due.on(day) if self.due else None

    def late_at(self, day: date) -> datetime | None:
        """Return the moment from which a day's missing prices are late; None if none is due."""
        return self.due.on(day) + timedelta(hours=self.late_after_hours) if self.due else None


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
        _read_day(entries[key]) if key in entries else None for key in ("first_day", "last_day")
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


def _read_day(value: Value) -> date:
    try:
        return date.fromisoformat(value.text())
    except ValueError:
        raise value.error("not a day", expected="a day such as 2014-01-02") from None


@cache
def calendar_names() -> tuple[str, ...]:
    """Return the names of all calendars that a description may name."""
    return tuple(_TABLE.read_text().split())


@lru_cache(64)
def _sessions(name: str, first_year: int, last_year: int) -> DayArray:
    """Return the sessions of an exchange from the first to the last day of some years."""
    import exchange_calendars

    start, end = f"{first_year}-01-01", f"{last_year}-12-31"
    try:
        exchange = exchange_calendars.get_calendar(name, start=start, end=end)
    except (ValueError, exchange_calendars.errors.CalendarError) as error:
        raise CalendarError(
            f"the calendar {name} does not reach so far", found=f"{start} to {end}: {error}"
        ) from None
    return np.asarray(exchange.sessions.to_numpy(), dtype="datetime64[D]")


def _require_days(of_data: DayArray | None) -> DayArray:
    if of_data is None:
        raise CalendarError(
            "the trading days are those of the data, and none are given",
            hint="`quant-assets market check --data` reads them from the data",
        )
    return of_data


def names_by_exchange_calendars() -> list[str]:
    """Return the names that ``exchange_calendars`` knows, those of aliases included."""
    import exchange_calendars

    return sorted(exchange_calendars.get_calendar_names(include_aliases=True))


if __name__ == "__main__":
    _TABLE.write_text("".join(f"{name}\n" for name in names_by_exchange_calendars()))
