"""The sensor that tells of revisions and of days that are set aside.

Revisions are requested by the sensor of ``refresh_sensor``; this one requests no run.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from quant_assets.alerts.alert_lifecycle import ConditionCleared, ConditionRaised, condition_key
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_usable_channels
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.revision_tables import SET_ASIDE
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.sensors.refresh_sensor import SECONDS
from quant_assets.revisions.records import RevisionRecord, read_records

REVISED_KEY, SET_ASIDE_KEY = "revised", "set_aside"
Event = ConditionRaised | ConditionCleared


@dataclass(frozen=True)
class RevisionCursor:
    """What the sensor keeps from tick to tick.

    Attributes:
        finished: when the newest revision that was told ended, in ISO format; empty before.
        set_aside: ISO dates of the days that were told to be set aside.
    """

    finished: str = ""
    set_aside: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, cursor: str | None) -> "RevisionCursor":
        """Parse the sensor's cursor; None is the cursor before the first tick."""
        return cls(**json.loads(cursor)) if cursor else cls()


def build(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Build the sensor that tells of revisions."""

    @dg.sensor(
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Tells of each revision once: what changed in the past, and whether labels "
        "moved. Opens an alert for each day that is set aside, and closes it when the "
        "source has repaired the day.",
    )
    def watch_revisions(
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
        context: dg.SensorEvaluationContext,
    ) -> dg.SensorResult:
        if not lake.exists:
            return dg.SensorResult(skip_reason="nothing is loaded yet")
        before = RevisionCursor.parse(context.cursor)
        with lake.at_once():
            cursor, events = find_events(lake, before, clock.now())
        if events:
            AlertStore(lake, settings.lake_dir).take_in(
                events, open_usable_channels(settings).names
            )
        aside = f"; set aside: {', '.join(cursor.set_aside)}" if cursor.set_aside else ""
        reason = f"the newest revision ended {cursor.finished or 'never'}{aside}"
        return dg.SensorResult(skip_reason=reason, cursor=json.dumps(asdict(cursor)))

    return watch_revisions


def find_events(
    lake: Lake, cursor: RevisionCursor, now: datetime
) -> tuple[RevisionCursor, list[Event]]:
    """Find the revisions and the days set aside that were not told yet.

    Args:
        lake: the lake.
        cursor: the cursor before this tick.
        now: the present moment, UTC.

    Returns:
        The next cursor, and the events of alerts.
    """
    finished = datetime.fromisoformat(cursor.finished) if cursor.finished else None
    records = read_records(lake, finished)
    rows = lake.arrow(f"FROM {SET_ASIDE.quoted}").to_pylist() if lake.has(SET_ASIDE) else []
    aside = {str(row["trading_day"]): row for row in rows}
    events: list[Event] = [
        *map(_revised_event, records),
        *(_set_aside_event(row, now) for day, row in aside.items() if day not in cursor.set_aside),
        *(
            ConditionCleared(
                condition_key(SET_ASIDE_KEY, day), "The source has repaired the day.", now
            )
            for day in cursor.set_aside
            if day not in aside
        ),
    ]
    last = records[-1].finished_at.isoformat() if records else cursor.finished
    return RevisionCursor(last, sorted(aside)), events


def _revised_event(record: RevisionRecord) -> ConditionRaised:
    moved = "No label moved beyond rounding."
    if record.labels is None:
        moved = "Which labels moved is not known any more; models are retrained."
    elif record.labels:
        moved = f"{record.labels} labels moved, by up to {record.worst:.3g}; models are retrained."
    return ConditionRaised(
        condition_key(REVISED_KEY, str(record.trading_day)),
        "info" if record.labels == 0 else "warning",
        f"stored days have changed from {record.trading_day} on",
        f"{record.summary}. Prices, labels, features and scores were done again up to "
        f"{record.until}; what was submitted stays. {moved}\nhint: "
        '`quant-assets sql "FROM raw.revisions ORDER BY known_at DESC"` lists the changes.',
        record.trading_day,
        record.finished_at.replace(tzinfo=UTC),
        passing=True,
    )


def _set_aside_event(row: dict[str, Any], now: datetime) -> ConditionRaised:
    day = row["trading_day"]
    return ConditionRaised(
        condition_key(SET_ASIDE_KEY, str(day)),
        "warning",
        f"the prices of {day} are set aside",
        f"{row['reason']}\nLater days go on without them. hint: have the source repair the day; it "
        "is then taken in automatically. If its prices are right, loosen the checks in "
        'quality/suites.py. `quant-assets sql "FROM rejected.raw_prices"` shows what was '
        "rejected.",
        day,
        now,
    )
