"""Retraining asked for by itself: on Sundays, and for the causes that the lake shows.

What is a cause is said in ``orchestration.run_requests.retrain_triggers``; whether it may be acted
on now is decided in ``orchestration.run_requests.retry_policy``, which both ways of asking go
through.
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
from quant_assets.lake.schemas.tables import MARKET_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.run_requests import attempts as asked
from quant_assets.orchestration.run_requests.next_days import NEEDS_LOADING
from quant_assets.orchestration.run_requests.retrain_triggers import find_triggers
from quant_assets.orchestration.run_requests.retry_policy import (
    Attempt,
    RetrainLimits,
    RetrainTrigger,
    Wait,
    admit_retraining,
    settled_triggers,
)
from quant_assets.orchestration.sensors.refresh_sensor import describe_clock_step

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

JOB = "retrain_models"
# A cause lasts for days, and looking for one reads much.
SECONDS = 300
# So many causes that were dealt with are remembered.
_REMEMBERED = 100


@dataclass(frozen=True)
class RetrainCursor:
    """What the sensor knows from its ticks before.

    Attributes:
        clock: the moment of the last one; empty before the first.
        handled: ids of causes that were dealt with, or given up, oldest first.
    """

    clock: str = ""
    handled: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, cursor: str | None) -> "RetrainCursor":
        """From the sensor's cursor."""
        return cls(**json.loads(cursor)) if cursor else cls()

    def after(self, now: datetime, handled: Sequence[str] = ()) -> str:
        """The next cursor."""
        kept = [*self.handled, *(one for one in handled if one not in self.handled)]
        found = replace(self, clock=now.isoformat(), handled=kept[-_REMEMBERED:])
        return json.dumps(vars(found))


def retrain_limits_of(settings: Settings) -> RetrainLimits:
    """The limits that the settings name."""
    return RetrainLimits(settings.retrain_minutes, timedelta(hours=settings.retrain_interval_hours))


def build_sensor(
    job: "UnresolvedAssetJobDefinition", status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """The sensor that has models retrained for a cause."""

    @dg.sensor(
        job=job,
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Have models retrained as of the newest day, once for each cause: performance "
        "that is critical, a fit that is missing or failed, code or features that changed, drift "
        "on three days in a row, a fit that is old. Within a budget of minutes and with an "
        "interval from one retraining to the next; a failed one is tried again up to four times.",
    )
    def retrain_for_cause(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        now, memory = clock.now(), RetrainCursor.parse(context.cursor)
        if back := describe_clock_step(memory.clock, now):
            return dg.SensorResult(skip_reason=back, cursor=memory.after(now))
        with lake.at_once():
            day = read_newest_day(lake, MARKET_FEATURES)
            found = _triggers(lake, settings, day) if day else []
        if day is None:
            return dg.SensorResult(skip_reason=NEEDS_LOADING, cursor=memory.after(now))
        past = asked.read_attempts(context.instance, JOB)
        cursor = memory.after(now, settled_triggers(past))
        waits = []
        for cause in [*found, *_failed_weekly(past)]:
            answer = admit_retraining(cause, now, past, retrain_limits_of(settings), memory.handled)
            if isinstance(answer, int):
                request = build_request(cause, answer, day.isoformat(), now)
                return dg.SensorResult(run_requests=[request], cursor=cursor)
            waits.append(f"{cause.reason}: {answer.reason}")
        reason = "; ".join(waits) or "no cause to retrain"
        return dg.SensorResult(skip_reason=reason, cursor=cursor)

    return retrain_for_cause


def _triggers(lake: Lake, settings: Settings, day: date) -> list[RetrainTrigger]:
    """Find the causes that the lake shows, once for each snapshot of it."""

    def find() -> list[RetrainTrigger]:
        return find_triggers(lake, settings, day)

    return lake.once_a_snapshot("retrain triggers", find, settings, day)


def build_schedule(
    job: "UnresolvedAssetJobDefinition", status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    """The weekly schedule."""

    @dg.schedule(
        job=job,
        cron_schedule="0 6 * * 0",
        execution_timezone="UTC",
        default_status=status,
        description="Every Sunday at 06:00 UTC, as of the newest day that is loaded.",
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
        cause = _weekly(day)
        past = asked.read_attempts(context.instance, JOB)
        answer = admit_retraining(cause, now, past, retrain_limits_of(settings))
        if isinstance(answer, Wait):
            return dg.SkipReason(f"{cause.reason}: {answer.reason}")
        return build_request(cause, answer, day.isoformat(), now)

    return weekly_retrain


def build_request(cause: RetrainTrigger, attempt: int, day: str, now: datetime) -> dg.RunRequest:
    """The run that a cause asks for; its key is the same for the same attempt."""
    return dg.RunRequest(
        run_key=f"{cause.id}#{attempt}",
        partition_key=day,
        tags=asked.request_tags(cause.id, cause.reason, attempt, now, cause.kind),
    )


def _weekly(day: date) -> RetrainTrigger:
    """A week's retraining: as of the same day again the fits would be the same."""
    return RetrainTrigger(f"weekly/{day}", "weekly", f"the weekly retraining, as of {day}")


def _failed_weekly(past: Sequence[Attempt]) -> list[RetrainTrigger]:
    """The newest weekly retraining if it failed: the schedule itself asks but once a week."""
    weekly = [one for one in past if one.kind == "weekly"]
    if not weekly or weekly[-1].outcome != "failed":
        return []
    return [_weekly(date.fromisoformat(weekly[-1].cause.removeprefix("weekly/")))]
