"""Periods that a report is about: which days, and the name of its file."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from quant_assets.core.errors import unknown_name


@dataclass(frozen=True)
class Period:
    """A kind of period that ends with the day it is known of.

    Attributes:
        name: daily, weekly or monthly.
        word: what one of them is called.
        within: that something lies in it.
        first: its first calendar day, from its last.
        label: of the one that a day lies in; names the file.
    """

    name: str
    word: str
    within: str
    first: Callable[[date], date]
    label: Callable[[date], str]

    @property
    def key(self) -> tuple[str, str]:
        """Asset key of its page."""
        return "monitoring", "report" if self.name == "daily" else f"{self.name}_report"

    def file(self, day: date) -> str:
        """Path of its page below the reports folder."""
        return f"{self.name}/{self.label(day)}.html"


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


DAILY = Period("daily", "day", "on the day", lambda day: day, date.isoformat)
WEEKLY = Period(
    "weekly", "week", "in the week", lambda day: day - timedelta(days=day.weekday()), _week
)
MONTHLY = Period(
    "monthly", "month", "in the month", lambda day: day.replace(day=1), lambda day: f"{day:%Y-%m}"
)
PERIODS = {one.name: one for one in (DAILY, WEEKLY, MONTHLY)}


def find_period(name: str) -> Period:
    """The period of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in PERIODS:
        raise unknown_name("period of a report", name, list(PERIODS))
    return PERIODS[name]
