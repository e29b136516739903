"""Timestamps of bars as files write them: local times of a zone, or moments with an offset.

Which bars a market can have belongs in ``bar_checks``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from quant_assets.core.errors import SourceError
from quant_assets.market.description.values import quote

SQL_PATTERN = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.0+)?)? ?(Z|UTC|[+-]\d{2}(:?\d{2})?)?"
"""Pattern of all timestamps, which DuckDB understands too."""
_TIME = re.compile(SQL_PATTERN, re.ASCII)
_CLOCK_CHANGE = timedelta(hours=1)
_FORMS = "2024-03-08 09:30, 2024-03-08T09:30:00-05:00 or 2024-03-08T14:30:00Z"


@dataclass(frozen=True)
class BarTime:
    """When a bar begins.

    Attributes:
        day: its date in the zone of the bars.
        second: the moment in seconds since 1970, UTC.
        clock: seconds since midnight on the zone's clock.
        problem: why the local time is no moment, or two; empty if it is one.
    """

    day: date
    second: int
    clock: int
    problem: str


class BarTimes:
    """When bars begin, by their timestamps.

    Args:
        zone: IANA name of the zone of times without an offset, and of the days.
        lead: time by which bars begin before their timestamps.
        place_of: returns the file and row of a timestamp, for errors.
    """

    def __init__(self, zone: str, lead: timedelta, place_of: Callable[[str | None], str]) -> None:
        self._zone = ZoneInfo(zone)
        self._lead = lead
        self._place_of = place_of
        self._offsets: dict[timedelta | None, str] = {}

    def parse(self, text: str | None) -> BarTime:
        """Return when a bar begins.

        Raises:
            SourceError: a text is no time; some texts have offsets and others none; or offsets
                differ by more than a change of the clock.
        """
        moment = self._read(text)
        offset = moment.utcoffset()
        if offset not in self._offsets:
            self._offsets[offset] = str(text)
            self._check_offsets()
        problem = "" if moment.tzinfo else self._find_problem(moment)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
        begin = aware.astimezone(UTC) - self._lead
        local = begin.astimezone(self._zone)
        clock = (local.hour * 60 + local.minute) * 60 + local.second
        return BarTime(local.date(), int(begin.timestamp()), clock, problem)

    def _read(self, text: str | None) -> datetime:
        plain = (text or "").strip()
        try:
            if _TIME.fullmatch(plain):
                return datetime.fromisoformat(re.sub(" ?UTC", "Z", plain))
        except ValueError:
            pass
        raise SourceError(
            "a timestamp of a bar cannot be read",
            where=self._place_of(text),
            expected=f"such as {_FORMS}",
            found=quote(text) if text else "an empty cell",
        )

    def _find_problem(self, moment: datetime) -> str:
        first, second = (moment.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if first.utcoffset() == second.utcoffset():
            return ""
        returned = first.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None)
        kind = "occurs twice" if returned == moment else "does not exist"
        return f"a time that {kind} in {self._zone.key}, as the clock changes"

    def _check_offsets(self) -> None:
        given = sorted(offset for offset in self._offsets if offset is not None)
        mixed = None in self._offsets
        if not given or (not mixed and given[-1] - given[0] <= _CLOCK_CHANGE):
            return
        first, last = self._offsets[given[0]], self._offsets[None if mixed else given[-1]]
        raise SourceError(
            "the timestamps of bars are in different time zones",
            where=self._place_of(last),
            expected=f"timestamps of one time zone, such as {quote(first)}",
            found=quote(last),
            hint="write all timestamps in UTC, such as 2024-03-08T14:30:00Z",
        )
