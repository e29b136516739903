"""The schedule and the sensor that request retraining: on Sundays, and for triggers.

Triggers are found in ``orchestration.run_requests.retrain_triggers``. Whether models may be
retrained now is decided in ``orchestration.run_requests.retry_policy``, for both.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.run_requests.attempts import build_request_tags, read_attempts
from quant_assets.orchestration.run_requests.proposals import NEEDS_LOADING
from quant_assets.orchestration.run_requests.retrain_triggers import find_triggers
from quant_assets.orchestration.run_requests.retry_policy import (
    Attempt,
    RetrainLimits,
    RetrainTrigger,
    Wait,
    admit_retraining,
    find_settled_triggers,
)
from quant_assets.orchestration.sensors.refresh_sensor import describe_clock_step

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

JOB = "retrain_models"
# A trigger lasts for days, and finding triggers reads much of the lake.
SECONDS = 300
# Number of handled triggers that the cursor keeps.
_MAX_HANDLED = 100


@dataclass(frozen=True)
class RetrainCursor:
    """What the sensor keeps from tick to tick.

    Attributes:
        clock: the moment of the last tick in ISO format; empty before the first.
        handled: ids of triggers whose retraining succeeded or was given up, oldest first.
    """

    clock: str = ""
    handled: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, cursor: str | None) -> "RetrainCursor":
        """Parse the sensor's cursor; None is the cursor before the first tick."""
        return cls(**json.loads(cursor)) if cursor else cls()

    def after(self, now: datetime, handled: Sequence[str] = ()) -> str:
        """Return the next cursor, with further handled triggers, as text."""
        all_handled = [
            *self.handled,
            *(trigger for trigger in handled if trigger not in self.handled),
        ]
        cursor = replace(self, clock=now.isoformat(), handled=all_handled[-_MAX_HANDLED:])
        return json.dumps(vars(cursor))


def retrain_limits_of(settings: Settings) -> RetrainLimits:
    """The limits of retraining from the settings."""
    return RetrainLimits(settings.retrain_minutes, timedelta(hours=settings.retrain_interval_hours))


def build_sensor(
    job: "UnresolvedAssetJobDefinition", status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """Build the sensor that requests retraining for triggers."""

    @dg.sensor(
        job=job,
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Requests retraining as of the newest day, once for each trigger: critical "
        "performance, labels that a revision moved, a missing or failed fit, changed code or "
        "features, drift on three consecutive days, an old fit. A budget of minutes and an "
        "interval between two retrainings limit it. A failed retraining is tried again up to four "
        "times.",
    )
    def retrain_for_cause(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        now, before = clock.now(), RetrainCursor.parse(context.cursor)
        if clock_step := describe_clock_step(before.clock, now):
            return dg.SensorResult(skip_reason=clock_step, cursor=before.after(now))
        with lake.at_once():
            day = read_newest_day(lake, MARKET_FEATURES)
            triggers = _find_triggers(lake, settings, day) if day else []
        if day is None:
            return dg.SensorResult(skip_reason=NEEDS_LOADING, cursor=before.after(now))
        past = read_attempts(context.instance, JOB)
        cursor = before.after(now, find_settled_triggers(past))
        limits = retrain_limits_of(settings)
        waits = []
        for trigger in [*triggers, *_failed_weekly_triggers(past)]:
            attempt = admit_retraining(trigger, now, past, limits, before.handled)
            if isinstance(attempt, int):
                request = build_request(trigger, attempt, day.isoformat(), now)
                return dg.SensorResult(run_requests=[request], cursor=cursor)
            waits.append(f"{trigger.reason}: {attempt.reason}")
        reason = "; ".join(waits) or "there is no trigger to retrain"
        return dg.SensorResult(skip_reason=reason, cursor=cursor)

    return retrain_for_cause


def _find_triggers(lake: Lake, settings: Settings, day: date) -> list[RetrainTrigger]:
    """Find the triggers that hold in the lake, once for each of its snapshots."""

    def find() -> list[RetrainTrigger]:
        return find_triggers(lake, settings, day)

    return lake.once_a_snapshot("retrain triggers", find, settings, day)


def build_schedule(
    job: "UnresolvedAssetJobDefinition", status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    """Build the schedule that requests the weekly retraining."""

    @dg.schedule(
        job=job,
        cron_schedule="0 6 * * 0",
        execution_timezone="UTC",
        default_status=status,
        description="Requests retraining every Sunday at 06:00 UTC, as of the newest loaded day.",
    )
    def weekly_retrain(
        context: dg.ScheduleEvaluationContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        day = read_newest_day(lake, MARKET_FEATURES)
        if day is None:
            return dg.SkipReason(NEEDS_LOADING)
        trigger = _weekly_trigger(day)
        past = read_attempts(context.instance, JOB)
        attempt = admit_retraining(trigger, now, past, retrain_limits_of(settings))
        if isinstance(attempt, Wait):
            return dg.SkipReason(f"{trigger.reason}: {attempt.reason}")
        return build_request(trigger, attempt, day.isoformat(), now)

    return weekly_retrain


def build_request(trigger: RetrainTrigger, attempt: int, day: str, now: datetime) -> dg.RunRequest:
    """Build the request of a retraining; its run key is the same for the same attempt.

    Args:
        trigger: the reason to retrain.
        attempt: number of the attempt, from 1.
        day: ISO date as of which models are fitted.
        now: the present moment, UTC.
    """
    return dg.RunRequest(
        run_key=f"{trigger.id}#{attempt}",
        partition_key=day,
        tags=build_request_tags(trigger.id, trigger.reason, attempt, now, trigger.kind),
    )


def _weekly_trigger(day: date) -> RetrainTrigger:
    # The id has the day, because a second retraining as of the same day would give equal fits.
    return RetrainTrigger(f"weekly/{day}", "weekly", f"the weekly retraining, as of {day}")


def _failed_weekly_triggers(past: Sequence[Attempt]) -> list[RetrainTrigger]:
    """The newest weekly retraining if it failed, since the schedule requests it once a week."""
    weekly = [attempt for attempt in past if attempt.kind == "weekly"]
    if not weekly or weekly[-1].outcome != "failed":
        return []
    return [_weekly_trigger(date.fromisoformat(weekly[-1].trigger.removeprefix("weekly/")))]
