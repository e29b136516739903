"""Times of schedules that follow from when a trading day's prices are complete.

Schedules at fixed hours need none of this.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from quant_assets.market.description.sessions import MarketCalendar

_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True)
class DailyTime:
    """A time some minutes after the prices of each trading day are complete.

    Attributes:
        calendar: calendar of the market.
        minutes: how many minutes after; the time may fall on the next day.
    """

    calendar: MarketCalendar
    minutes: int = 0

    @property
    def cron(self) -> str:
        """The cron schedule, in :attr:`zone`.

        >>> from datetime import time
        >>> from quant_assets.market.description.times import ZonedTime
        >>> calendar = MarketCalendar(("XLON", "XTKS"), ZonedTime(time(22), "UTC"))
        >>> DailyTime(calendar, 30).cron, DailyTime(calendar, 150).cron
        ('30 22 * * 1-5', '30 0 * * 2-6')
        """
        hour, minute = divmod(self._minute % _MINUTES_A_DAY, 60)
        weekdays = [day + 1 + self._days_later for day in self.calendar.open_weekdays]
        return f"{minute} {hour} * * {_join_weekdays(weekdays)}"

    @property
    def zone(self) -> str:
        """The zone of the calendar's times."""
        return self.calendar.completion.zone

    def day_of(self, moment: datetime) -> date:
        """Return the day whose time a moment is."""
        today = self.calendar.completion.day_of(moment)
        return today - timedelta(days=self._days_later)

    def __str__(self) -> str:
        hour, minute = divmod(self._minute % _MINUTES_A_DAY, 60)
        return f"{hour:02}:{minute:02} {self.zone}"

    @property
    def _minute(self) -> int:
        """Minutes from the beginning of the trading day."""
        time = self.calendar.completion.time
        return 60 * time.hour + time.minute + self.minutes

    @property
    def _days_later(self) -> int:
        return self._minute // _MINUTES_A_DAY


def _join_weekdays(weekdays: list[int]) -> str:
    """Write days of the week as cron does: Monday is 1, Sunday 0."""
    first, last = weekdays[0], weekdays[-1]
    if last - first == len(weekdays) - 1 and last <= 6:
        return f"{first}-{last}"
    return ",".join(str(day % 7) for day in weekdays)
