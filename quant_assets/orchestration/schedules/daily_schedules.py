"""Schedules of the daily jobs on the evening of each trading day. Times are UTC.

Which day is next is decided in ``orchestration.run_requests.next_days``. A schedule requests no
run while the sensor is on that requests the same runs.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import is_trading_day
from quant_assets.orchestration.jobs.names import REFRESH, UPDATE, WATCH
from quant_assets.orchestration.run_requests.next_days import PROPOSALS
from quant_assets.orchestration.run_requests.proposals import RequestContext
from quant_assets.orchestration.run_requests.retry_policy import Wait
from quant_assets.orchestration.sensors.refresh_sensor import (
    REFRESH_SENSOR,
    SOURCE_ERRORS,
    describe_source_error,
)
from quant_assets.sources.protocol import Source

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

_EVENINGS = (
    ("daily_refresh", REFRESH, "0 22", "refresh", "at 22:00 UTC, after New York's close"),
    ("daily_watch", WATCH, "30 22", "watch", "at 22:30 UTC, half an hour after its refresh"),
    ("daily_update", UPDATE, "45 22", "update", "at 22:45 UTC, for the next day's forecasts"),
)


def build(
    jobs: "Mapping[str, UnresolvedAssetJobDefinition]", status: dg.DefaultScheduleStatus
) -> list[dg.ScheduleDefinition]:
    """Build the schedules of the daily jobs."""
    return [
        _build_schedule(
            name,
            jobs[job],
            minute_and_hour,
            f"Requests the {what} of each trading day {when}. Requests nothing while the sensor "
            f"{REFRESH_SENSOR} is on, which also catches up.",
            status,
        )
        for name, job, minute_and_hour, what, when in _EVENINGS
    ]


def _build_schedule(
    name: str,
    job: "UnresolvedAssetJobDefinition",
    minute_and_hour: str,
    description: str,
    status: dg.DefaultScheduleStatus,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=f"{minute_and_hour} * * 1-5",
        execution_timezone="UTC",
        default_status=status,
        description=description,
    )
    def schedule(
        context: dg.ScheduleEvaluationContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
    ) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        if not _is_trading_day(now.date()):
            return dg.SkipReason(f"{now.date()} is not a trading day: London and Tokyo are closed")
        sensor = context.repository_def.get_sensor_def(REFRESH_SENSOR)
        if is_on(context.instance, sensor):
            return dg.SkipReason(f"the sensor {REFRESH_SENSOR} is on and requests the runs")
        return _request(job.name, RequestContext(context.instance, lake, source, now))

    return schedule


def is_on(instance: dg.DagsterInstance, sensor: dg.SensorDefinition) -> bool:
    """Whether a sensor is switched on, by a person or by its definition."""
    # Dagster's enumerations of type and status are private, so their values are compared.
    on = {"RUNNING"}
    # A stored state "DECLARED_IN_CODE" stays after the definition no longer switches it on.
    if sensor.default_status is dg.DefaultSensorStatus.RUNNING:
        on.add("DECLARED_IN_CODE")
    return any(
        state.name == sensor.name
        and state.instigator_type.value == "SENSOR"
        and state.status.value in on
        for state in instance.all_instigator_state()
    )


def _request(job: str, context: RequestContext) -> dg.RunRequest | dg.SkipReason:
    """Request the run of the evening's day, if it is the job's next day."""
    day = context.now.date()
    newest = read_newest_day(context.lake, SUBMISSIONS)
    if job == REFRESH and newest and newest >= day:
        return dg.SkipReason(f"{day} is already refreshed")
    try:
        proposal = PROPOSALS[job](context)
    except SOURCE_ERRORS as error:
        return dg.SkipReason(describe_source_error(error))
    if isinstance(proposal, Wait):
        return dg.SkipReason(proposal.reason)
    if proposal.day != day:
        return dg.SkipReason(
            f"{proposal.day} has to run first: switch on the sensor {REFRESH_SENSOR}, which "
            "catches up day by day"
        )
    return proposal.request(context.now)


def _is_trading_day(day: date) -> bool:
    return bool(is_trading_day(np.array([day], dtype="datetime64[D]"))[0])
