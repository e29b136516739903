"""The sensor that opens alerts while the source cannot be read or a day's prices are late.

It requests no run, so that no run waits if alerts cannot be stored.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta

import dagster as dg

from quant_assets.alerts.alert_lifecycle import ConditionCleared, ConditionRaised, condition_key
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_usable_channels
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.orchestration.run_requests.proposals import is_day_over
from quant_assets.orchestration.sensors.refresh_sensor import (
    SECONDS,
    SOURCE_ERRORS,
    describe_source_error,
)
from quant_assets.revisions.comparison import compare_with_source
from quant_assets.revisions.refusals import refuse_many_withdrawn, refuse_other_market
from quant_assets.sources.protocol import Source

UNREADABLE_KEY = "source_unreadable"
LATE_KEY = "data_late"
# A file cannot be read for a moment while it is being written.
TICKS_BEFORE_ALERT = 2
# If the newest day of a source is older, the source has ended, and no later day is late.
MAX_SOURCE_AGE = timedelta(days=30)


@dataclass(frozen=True)
class SourceCursor:
    """What the sensor keeps from tick to tick.

    Attributes:
        bad: number of consecutive ticks on which the source could not be read.
        late: ISO dates of the days that have an open alert because their prices are late.
        told: the moment of the newest alert event in ISO format; empty if there was none.
    """

    bad: int = 0
    late: list[str] = field(default_factory=list)
    told: str = ""

    @classmethod
    def parse(cls, cursor: str | None) -> "SourceCursor":
        """Parse the sensor's cursor; None is the cursor before the first tick."""
        return cls(**json.loads(cursor)) if cursor else cls()

    def text(self) -> str:
        """Return the cursor as text."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class SourceReading:
    """The state of the source on a tick.

    Attributes:
        last: newest day of the source; None if the source cannot be read.
        error: why it cannot be read; empty if it can.
        skipped: trading days before the newest whose prices are missing, among the days after the
            newest submission and the days with an alert.
    """

    last: date | None
    error: str = ""
    skipped: tuple[date, ...] = ()


def build(calendar: MarketCalendar, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Build the sensor that watches the source.

    Args:
        calendar: calendar of the market; the settings say after how many hours prices are late.
        status: whether the sensor begins switched on.
    """

    @dg.sensor(
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Opens an alert while the source cannot be read, and an alert for each trading "
        "day whose prices are late. Closes it when the source can be read or the prices arrive.",
    )
    def watch_source(
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
        context: dg.SensorEvaluationContext,
    ) -> dg.SensorResult:
        now = clock.now()
        before = SourceCursor.parse(context.cursor)
        reading = read_source_state(
            lake, source, calendar, now, before.late, settings.withdrawn_days
        )
        cursor, events = apply_reading(before, reading, now, find_patience(calendar, settings))
        if events:
            AlertStore(lake, settings.lake_dir).take_in(
                events, open_usable_channels(settings).names
            )
        reason = reading.error or f"the newest day of {source.name} is {reading.last}"
        late = f"; late days: {', '.join(cursor.late)}" if cursor.late else ""
        return dg.SensorResult(skip_reason=reason + late, cursor=cursor.text())

    return watch_source


def read_source_state(
    lake: Lake,
    source: Source,
    calendar: MarketCalendar,
    now: datetime,
    late: Sequence[str],
    withdrawn_days: int,
) -> SourceReading:
    """Read the days from the source that the next refresh would read, and the late days.

    A source with other series than those that are stored cannot be used, nor can one that lacks
    many stored days.

    Args:
        lake: holds the newest submission.
        source: is read.
        calendar: calendar of the market.
        now: the present moment, UTC.
        late: ISO dates of the days that have an open alert.
        withdrawn_days: stored days that the source may take back at once.
    """
    try:
        if lake.exists and lake.has(RAW_PRICES):
            comparison = compare_with_source(lake, source)
            refuse_other_market(comparison)
            refuse_many_withdrawn(comparison, withdrawn_days)
        last = source.last_day
        newest = read_newest_day(lake, SUBMISSIONS) if lake.exists else None
        late_days = [date.fromisoformat(day) for day in late]
        # Older days are not read again: a day whose prices never arrive would make each tick slow.
        recent = [day - timedelta(days=1) for day in late_days if last - day <= MAX_SOURCE_AGE]
        since = min([newest or last, *recent])
        too_old = [day for day in late_days if day <= since]
        expected = calendar.trading_days(since + timedelta(days=1), last).tolist()
        over = [day for day in expected if is_day_over(calendar, day, now)]
        return SourceReading(last, skipped=(*too_old, *_find_missing_days(source, over)))
    except SOURCE_ERRORS as error:
        return SourceReading(None, describe_source_error(error))


def _find_missing_days(source: Source, days: Sequence[date]) -> list[date]:
    if not days:
        return []
    source.pairs()
    present = set(source.prices(days[0], days[-1]).days.tolist())
    return [day for day in days if day not in present]


def apply_reading(
    cursor: SourceCursor, reading: SourceReading, now: datetime, calendar: MarketCalendar
) -> tuple[SourceCursor, list[ConditionRaised | ConditionCleared]]:
    """Apply the state of the source to the cursor.

    Args:
        cursor: the cursor before this tick.
        reading: the state of the source on this tick.
        now: the present moment, UTC.
        calendar: calendar of the market, which says when prices are late.

    Returns:
        The next cursor, and the events of alerts.
    """
    # Alerts ignore an event that is not later than the last event, so if the clock went back,
    # the moment is set after the last event.
    earliest = datetime.fromisoformat(cursor.told) + timedelta(seconds=1) if cursor.told else now
    at = max(now, earliest)
    if reading.last is None:
        bad = cursor.bad + 1
        events: list[ConditionRaised | ConditionCleared] = (
            [_unreadable_event(reading.error, at)] if bad == TICKS_BEFORE_ALERT else []
        )
        return _next_cursor(cursor, bad, cursor.late, events), events
    cleared = (
        [ConditionCleared(UNREADABLE_KEY, "The source can be read again.", at)]
        if cursor.bad >= TICKS_BEFORE_ALERT
        else []
    )
    late = [str(day) for day in (*reading.skipped, *find_late_days(reading.last, now, calendar))]
    # If the source has ended, its late days have not arrived, and their alerts stay open.
    ended = now.date() - reading.last > MAX_SOURCE_AGE
    over = [] if ended else [day for day in cursor.late if day not in late]
    events = [
        *cleared,
        *(_arrived_event(day, reading.last, at) for day in over),
        *(_late_event(day, reading.last, at) for day in late if day not in cursor.late),
    ]
    return _next_cursor(cursor, 0, sorted({*cursor.late, *late} - {*over}), events), events


def _next_cursor(
    cursor: SourceCursor,
    bad: int,
    late: Sequence[str],
    events: Sequence[ConditionRaised | ConditionCleared],
) -> SourceCursor:
    newest_event = events[-1].at.isoformat() if events else cursor.told
    return SourceCursor(bad, list(late), newest_event)


def find_patience(calendar: MarketCalendar, settings: Settings) -> MarketCalendar:
    """Return the calendar with the hours of the settings, if these set any, until prices are late.

    Args:
        calendar: calendar of the market.
        settings: may set ``data_due_hours``.
    """
    if "data_due_hours" not in settings.model_fields_set:
        return calendar
    return replace(calendar, late_after_hours=settings.data_due_hours)


def find_late_days(last: date, now: datetime, calendar: MarketCalendar) -> list[date]:
    """Find the trading days after the source's newest day whose prices are late.

    Args:
        last: newest day of the source.
        now: the present moment, UTC.
        calendar: calendar of the market, which says when prices are late.
    """
    today = calendar.completion.day_of(now)
    if today - last > MAX_SOURCE_AGE or today <= last:
        return []
    days: Sequence[date] = calendar.trading_days(last + timedelta(days=1), today).tolist()
    late_at = {day: calendar.late_at(day) for day in days}
    return [day for day, moment in late_at.items() if moment and moment <= now]


def _unreadable_event(error: str, now: datetime) -> ConditionRaised:
    return ConditionRaised(
        UNREADABLE_KEY,
        "critical",
        "the source cannot be read",
        f"{error}\nhint: correct the file or folder. Stored data are unchanged, and the waiting "
        "days are refreshed automatically when the source can be read.",
        None,
        now,
    )


def _late_event(day: str, last: date, now: datetime) -> ConditionRaised:
    text = (
        f"The newest day of the source is {last}.\nhint: see whether its delivery has stopped. The "
        "day is refreshed automatically when its prices arrive. QUANT_DATA_DUE_HOURS sets when "
        "prices are late."
    )
    if date.fromisoformat(day) < last:
        text = (
            f"The source has later days, up to {last}.\nhint: see whether its delivery is "
            "complete. Later days are refreshed meanwhile. When the prices have arrived, run "
            f"`quant-assets revise`, or wait for it; if they will never arrive, run "
            f"`quant-assets alerts --close {LATE_KEY}/{day}`."
        )
    return ConditionRaised(
        condition_key(LATE_KEY, day),
        "warning",
        f"the prices of {day} are late",
        text,
        date.fromisoformat(day),
        now,
    )


def _arrived_event(day: str, last: date, now: datetime) -> ConditionCleared:
    arrived = date.fromisoformat(day) <= last
    text = "The prices have arrived." if arrived else "The prices are not due."
    return ConditionCleared(condition_key(LATE_KEY, day), text, now)
