"""Days and targets that callers name: which there are, and what to say of the others."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TypeVar

from quant_assets.core.errors import CalendarError, UnknownNameError, suggest_names
from quant_assets.market.description.sessions import MarketCalendar

T = TypeVar("T")


def find_day(days: Mapping[date, T], day: date | None, calendar: MarketCalendar, what: str) -> T:
    """Return what is known of a day, or of the newest day.

    Args:
        days: what is known, by day.
        day: the day; None for the newest.
        calendar: calendar of the market.
        what: what the days have, for the error.

    Raises:
        CalendarError: the day is not a trading day, or has nothing; the nearest days are given.
    """
    if not days:
        raise CalendarError(
            f"there is no {what} yet", hint="`quant-assets load` computes the history of a market"
        )
    if day is None:
        return days[max(days)]
    if day in days:
        return days[day]
    closed = _is_closed(calendar, day)
    raise CalendarError(
        f"the day is no trading day: {calendar.closed_text}"
        if closed
        else f"there is no {what} for the day",
        where="path.day",
        expected=f"a trading day from {min(days)} to {max(days)}",
        found=str(day),
        hint=f"the nearest are {' and '.join(map(str, nearest_days(days, day)))}",
    )


def nearest_days(days: Collection[date], day: date) -> list[date]:
    """Return the nearest day before and the nearest day after a day, as far as there are any.

    >>> nearest_days([date(2024, 1, 2), date(2024, 1, 5), date(2024, 1, 8)], date(2024, 1, 6))
    [datetime.date(2024, 1, 5), datetime.date(2024, 1, 8)]
    """
    before = max((known for known in days if known < day), default=None)
    after = min((known for known in days if known > day), default=None)
    return [known for known in (before, after) if known is not None]


def _is_closed(calendar: MarketCalendar, day: date) -> bool:
    """Whether a calendar of exchanges says that a day is no trading day."""
    first, last = calendar.reach
    if not calendar.exchanges or not first <= day <= last:
        return False
    return not calendar.is_open(day)


def choose_targets(known: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Return the targets that are asked for, in the order of the market; all if none is named.

    Raises:
        UnknownNameError: the market has no such target.
    """
    for name in asked:
        require_name("target", name, known, where="query.target")
    return tuple(known) if not asked else tuple(name for name in known if name in set(asked))


def require_name(kind: str, name: str, known: Sequence[str], where: str) -> None:
    """Require that a name is known.

    Args:
        kind: what has the name.
        name: the name.
        known: the known names, of which the error gives the nearest.
        where: the parameter.

    Raises:
        UnknownNameError: the name is unknown.
    """
    if name in known:
        return
    shown = ", ".join(known) if len(known) <= 20 else f"{', '.join(known[:3])} … {known[-1]}"
    raise UnknownNameError(
        f"unknown {kind}",
        where=where,
        expected=f"one of {shown}" if known else f"there is no {kind} yet",
        found=name,
        hint=suggest_names(name, known),
    )
