"""Schedules of the daily jobs, after the prices of each trading day are complete.

Which day is next is decided in ``orchestration.run_requests.next_days``. A schedule requests no
run while the sensor is on that requests the same runs.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.orchestration.jobs.names import REFRESH, UPDATE, WATCH
from quant_assets.orchestration.run_requests.next_days import PROPOSALS
from quant_assets.orchestration.run_requests.proposals import RequestContext
from quant_assets.orchestration.run_requests.retry_policy import Wait
from quant_assets.orchestration.schedules.daily_times import DailyTime
from quant_assets.orchestration.sensors.refresh_sensor import (
    REFRESH_SENSOR,
    SOURCE_ERRORS,
    describe_source_error,
)
from quant_assets.sources.protocol import Source

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

_EVENINGS = (
    ("daily_refresh", REFRESH, 0, "refresh", "when its prices are complete"),
    ("daily_watch", WATCH, 30, "watch", "half an hour after its refresh"),
    ("daily_update", UPDATE, 45, "update", "for the next day's forecasts"),
)
"""Name, job, minutes after the day's prices are complete, and what and why, in words."""


def build(
    jobs: "Mapping[str, UnresolvedAssetJobDefinition]",
    calendar: MarketCalendar,
    status: dg.DefaultScheduleStatus,
) -> list[dg.ScheduleDefinition]:
    """Build the schedules of the daily jobs.

    Args:
        jobs: all asset jobs, by name.
        calendar: calendar of the market.
        status: whether the schedules begin switched on.
    """
    times = [DailyTime(calendar, minutes) for _, _, minutes, _, _ in _EVENINGS]
    return [
        _build_schedule(
            name,
            jobs[job],
            time,
            f"Requests the {what} of each trading day at {time}, {when}. Requests nothing while "
            f"the sensor {REFRESH_SENSOR} is on, which also catches up.",
            status,
        )
        for time, (name, job, _, what, when) in zip(times, _EVENINGS, strict=True)
    ]


def _build_schedule(
    name: str,
    job: "UnresolvedAssetJobDefinition",
    time: DailyTime,
    description: str,
    status: dg.DefaultScheduleStatus,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=time.cron,
        execution_timezone=time.zone,
        default_status=status,
        description=description,
    )
    def schedule(
        context: dg.ScheduleEvaluationContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
    ) -> dg.RunRequest | dg.SkipReason:
        now, calendar = context.scheduled_execution_time, time.calendar
        day = time.day_of(now)
        if not calendar.is_open(day):
            return dg.SkipReason(f"{day} is not a trading day: {calendar.closed_text}")
        sensor = context.repository_def.get_sensor_def(REFRESH_SENSOR)
        if is_on(context.instance, sensor):
            return dg.SkipReason(f"the sensor {REFRESH_SENSOR} is on and requests the runs")
        return _request(
            job.name, day, RequestContext(context.instance, lake, source, now, calendar)
        )

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


def _request(job: str, day: date, context: RequestContext) -> dg.RunRequest | dg.SkipReason:
    """Request the run of a day, if it is the job's next day."""
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
