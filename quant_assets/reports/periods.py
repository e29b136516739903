"""The periods of reports: which days each covers, and the name of its file."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from quant_assets.core.errors import unknown_name


@dataclass(frozen=True)
class Period:
    """A kind of period, such as a week. A report's period ends with the report's day.

    Attributes:
        name: daily, weekly or monthly.
        word: noun for one period, such as week.
        within: phrase for what lies in the period, such as "in the week".
        first_day: gives the first calendar day of the period from its last.
        label: gives the label of the period that a day lies in, which names the file.
    """

    name: str
    word: str
    within: str
    first_day: Callable[[date], date]
    label: Callable[[date], str]

    @property
    def key(self) -> tuple[str, str]:
        """Asset key of the page."""
        return "monitoring", "report" if self.name == "daily" else f"{self.name}_report"

    def file(self, day: date) -> str:
        """Path of the page that ends with a day, below the reports folder."""
        return f"{self.name}/{self.label(day)}.html"


def _label_week(day: date) -> str:
    """Label the ISO week of a day, like 2023-W52."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


DAILY = Period("daily", "day", "on the day", lambda day: day, date.isoformat)
WEEKLY = Period(
    "weekly", "week", "in the week", lambda day: day - timedelta(days=day.weekday()), _label_week
)
MONTHLY = Period(
    "monthly", "month", "in the month", lambda day: day.replace(day=1), lambda day: f"{day:%Y-%m}"
)
PERIODS = {period.name: period for period in (DAILY, WEEKLY, MONTHLY)}


def find_period(name: str) -> Period:
    """Find the period of a name.

    Raises:
        UnknownNameError: no period has this name.
    """
    if name not in PERIODS:
        raise unknown_name("period of a report", name, list(PERIODS))
    return PERIODS[name]
