"""A time of day in a zone: the close of an instrument, or when a day is due.

Days and calendars belong in ``description.sessions``.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo, available_timezones

from quant_assets.core.errors import suggest_names
from quant_assets.market.description.values import Value


@dataclass(frozen=True)
class ZonedTime:
    """A time of day in a zone.

    Attributes:
        time: hour and minute.
        zone: IANA name of the zone.
    """

    time: time
    zone: str

    def on(self, day: date) -> datetime:
        """Return the moment on a day, in the zone.

        >>> ZonedTime(time(16), "America/New_York").on(date(2024, 7, 1)).isoformat()
        '2024-07-01T16:00:00-04:00'
        """
        return datetime.combine(day, self.time, ZoneInfo(self.zone))

    def day_of(self, moment: datetime) -> date:
        """Return the day that it is in the zone at a moment.

        >>> from datetime import UTC
        >>> ZonedTime(time(9), "Asia/Tokyo").day_of(datetime(2024, 7, 1, 22, tzinfo=UTC))
        datetime.date(2024, 7, 2)
        """
        return moment.astimezone(ZoneInfo(self.zone)).date()

    def __str__(self) -> str:
        return f"{self.time:%H:%M} {self.zone}"


def read_time(value: Value) -> time:
    """Read a time of day, written HH:MM.

    Raises:
        MarketError: it is none.
    """
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value.text()):
        return time.fromisoformat(value.text())
    raise value.error("not a time of day", expected="HH:MM from 00:00 to 23:59")


def read_zone(value: Value) -> str:
    """Read the IANA name of a zone.

    Raises:
        MarketError: there is no such zone.
    """
    name = value.text()
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise value.error(
            "unknown time zone",
            expected="an IANA name, such as UTC or Europe/London",
            hint=suggest_names(name, available_timezones()),
        ) from None
    return name
