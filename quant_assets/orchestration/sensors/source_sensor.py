"""A sensor that minds the source: whether it can be read, and whether a day's prices are late.

What it says becomes alerts. It asks for no run, so alerts that cannot be stored hold up none.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from quant_assets.alerts.alert_lifecycle import ConditionCleared, ConditionRaised, condition_key
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_usable_channels
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.orchestration.run_requests.next_days import CLOSE, is_day_over
from quant_assets.orchestration.sensors.refresh_sensor import (
    SECONDS,
    UNREADABLE,
    describe_source_error,
)
from quant_assets.sources.protocol import Source

KEY = "source_unreadable"
LATE = "data_late"
# A file that is being written is bad for a moment only.
TICKS_BAD = 2
# A source that ended longer ago is history: none of its days is late.
ENDED = timedelta(days=30)


@dataclass(frozen=True)
class SourceCursor:
    """What the sensor has seen so far, as its cursor keeps it.

    Attributes:
        bad: ticks in a row on which the source could not be read.
        late: days that were told to be late and have not come yet.
        told: the moment of the newest thing told; empty if there was none.
    """

    bad: int = 0
    late: list[str] = field(default_factory=list)
    told: str = ""

    @classmethod
    def parse(cls, cursor: str | None) -> "SourceCursor":
        """From the sensor's cursor."""
        return cls(**json.loads(cursor)) if cursor else cls()

    def text(self) -> str:
        """As the sensor's cursor."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class SourceReading:
    """What a tick found.

    Attributes:
        last: newest day of the source; None if it cannot be read.
        error: why not; empty if it can.
        skipped: trading days up to the last that are over and missing, of those not submitted or
            told late.
    """

    last: date | None
    error: str = ""
    skipped: tuple[date, ...] = ()


def build(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor."""

    @dg.sensor(
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Raise an alert while the source cannot be read, and one for each trading day "
        "whose prices have not come in time; close it when they have.",
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
        found = read_source_state(lake, source, now, before.late)
        seen, events = apply_reading(before, found, now, timedelta(hours=settings.data_due_hours))
        if events:
            AlertStore(lake, settings.lake_dir).take_in(
                events, open_usable_channels(settings).names
            )
        reason = found.error or f"{source.name} ends on {found.last}"
        late = f"; late: {', '.join(seen.late)}" if seen.late else ""
        return dg.SensorResult(skip_reason=reason + late, cursor=seen.text())

    return watch_source


def read_source_state(
    lake: Lake, source: Source, now: datetime, late: Sequence[str]
) -> SourceReading:
    """Read of the source what the next refresh would read, and the days that were told late."""
    try:
        last = source.last_day
        newest = read_newest_day(lake, SUBMISSIONS) if lake.exists else None
        told = [date.fromisoformat(day) for day in late]
        # A day that never comes would have ever more read again.
        recent = [day - timedelta(days=1) for day in told if last - day <= ENDED]
        since = min([newest or last, *recent])
        never = [day for day in told if day <= since]
        expected = trading_days(since + timedelta(days=1), last).tolist()
        over = [day for day in expected if is_day_over(day, now)]
        return SourceReading(last, skipped=(*never, *_lacking(source, over)))
    except UNREADABLE as error:
        return SourceReading(None, describe_source_error(error))


def _lacking(source: Source, days: Sequence[date]) -> list[date]:
    if not days:
        return []
    source.pairs()
    there = set(source.prices(days[0], days[-1]).days.tolist())
    return [day for day in days if day not in there]


def apply_reading(
    seen: SourceCursor, found: SourceReading, now: datetime, patience: timedelta
) -> tuple[SourceCursor, list[ConditionRaised | ConditionCleared]]:
    """What a tick's finding changes, and what has to be told of it.

    Args:
        seen: what was seen before.
        found: what was found now.
        now: the moment, UTC.
        patience: how long after the close of a day its prices may come.
    """
    # Alerts take what is not later for known: a clock that went back would leave them open.
    told = datetime.fromisoformat(seen.told) + timedelta(seconds=1) if seen.told else now
    at = max(now, told)
    if found.last is None:
        bad = seen.bad + 1
        events: list[ConditionRaised | ConditionCleared] = (
            [_unreadable(found.error, at)] if bad == TICKS_BAD else []
        )
        return _after(seen, bad, seen.late, events), events
    cleared = (
        [ConditionCleared(KEY, "The source can be read again.", at)]
        if seen.bad >= TICKS_BAD
        else []
    )
    due = [str(day) for day in (*found.skipped, *find_late_days(found.last, now, patience))]
    # Days of a source that is taken to have ended have not come.
    gone = [] if now.date() - found.last > ENDED else [day for day in seen.late if day not in due]
    events = [
        *cleared,
        *(_came(day, found.last, at) for day in gone),
        *(_late(day, found.last, at) for day in due if day not in seen.late),
    ]
    return _after(seen, 0, sorted({*seen.late, *due} - {*gone}), events), events


def _after(
    seen: SourceCursor,
    bad: int,
    late: Sequence[str],
    events: Sequence[ConditionRaised | ConditionCleared],
) -> SourceCursor:
    told = events[-1].at.isoformat() if events else seen.told
    return SourceCursor(bad, list(late), told)


def find_late_days(last: date, now: datetime, patience: timedelta) -> list[date]:
    """Trading days after the source's last one whose prices should have come by now."""
    if now.date() - last > ENDED or now.date() <= last:
        return []
    days: Sequence[date] = trading_days(last + timedelta(days=1), now.date()).tolist()
    return [day for day in days if datetime.combine(day, CLOSE, UTC) + patience <= now]


def _unreadable(error: str, now: datetime) -> ConditionRaised:
    return ConditionRaised(
        KEY,
        "critical",
        "the source cannot be read",
        f"{error}\nhint: correct the file or folder. What is stored is unchanged, and the days "
        "that wait are refreshed by themselves when it can be read.",
        None,
        now,
    )


def _late(day: str, last: date, now: datetime) -> ConditionRaised:
    text = (
        f"The source ends on {last}.\nhint: see whether its delivery has stopped. The day is "
        "refreshed by itself when its prices come; QUANT_DATA_DUE_HOURS says when they are late."
    )
    if date.fromisoformat(day) < last:
        text = (
            f"The source goes on to {last} without them.\nhint: see whether its delivery is whole. "
            "Later days are refreshed meanwhile; when the prices have come, run "
            f"`quant-assets backfill --from {day}`, or `quant-assets alerts --close {LATE}/{day}` "
            "if they never will."
        )
    return ConditionRaised(
        condition_key(LATE, day),
        "warning",
        f"the prices of {day} are late",
        text,
        date.fromisoformat(day),
        now,
    )


def _came(day: str, last: date, now: datetime) -> ConditionCleared:
    came = date.fromisoformat(day) <= last
    return ConditionCleared(
        condition_key(LATE, day), "They have come." if came else "They are not due.", now
    )
