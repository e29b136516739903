"""Schedules of the drift page and of the daily, weekly and monthly reports.

A report is made even if the day was not refreshed, because it has to say so. The drift page is
made after a day was watched, at any hour.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.monitoring_tables import DRIFT
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.orchestration.schedules.daily_times import DailyTime

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

_DRIFT_PAGE_JOB = "report_drift"
_REPORT_MINUTES = 60
"""Minutes from when a day's prices are complete to its report."""


def build(
    jobs: "Mapping[str, UnresolvedAssetJobDefinition]",
    partitions: dg.PartitionsDefinition,
    calendar: MarketCalendar,
    status: dg.DefaultScheduleStatus,
) -> list[dg.ScheduleDefinition]:
    """Build the schedules of the drift page and of daily, weekly and monthly reports.

    Args:
        jobs: all asset jobs, by name.
        partitions: the days for which reports may be requested.
        calendar: calendar of the market.
        status: whether the schedules begin switched on.
    """

    def schedule(
        name: str,
        cron: str,
        day_of: Callable[[datetime], date],
        description: str,
        zone: str = "UTC",
    ) -> dg.ScheduleDefinition:
        @dg.schedule(
            name=f"{name}_report",
            job=jobs[f"report_{name}"],
            cron_schedule=cron,
            execution_timezone=zone,
            default_status=status,
            description=description,
        )
        def report(
            context: dg.ScheduleEvaluationContext,
        ) -> dg.RunRequest | dg.SkipReason:
            return _request(day_of(context.scheduled_execution_time), partitions, calendar)

        return report

    time = DailyTime(calendar, _REPORT_MINUTES)
    return [
        _build_drift_schedule(jobs[_DRIFT_PAGE_JOB], partitions, calendar, status),
        schedule(
            "daily",
            time.cron,
            time.day_of,
            f"Requests the report of each trading day at {time}, after the day's watch.",
            time.zone,
        ),
        schedule(
            "weekly",
            "0 5 * * 6",
            lambda moment: calendar.newest_trading_day(moment.date()),
            "Requests the week's report every Saturday at 05:00 UTC, as of its last trading day.",
        ),
        schedule(
            "monthly",
            "30 5 1 * *",
            lambda moment: calendar.newest_trading_day(moment.date() - timedelta(days=1)),
            "Requests the month's report on the first of the next month at 05:30 UTC, as of the "
            "month's last trading day.",
        ),
    ]


def _build_drift_schedule(
    job: "UnresolvedAssetJobDefinition",
    partitions: dg.PartitionsDefinition,
    calendar: MarketCalendar,
    status: dg.DefaultScheduleStatus,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="drift_report",
        job=job,
        cron_schedule="50 * * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Requests the drift page of the newest watched day, once; looks for a new day "
        "every hour at 50 minutes past.",
    )
    def report(
        context: dg.ScheduleEvaluationContext, lake: dg.ResourceParam[Lake]
    ) -> dg.RunRequest | dg.SkipReason:
        day = read_newest_day(lake, DRIFT)
        if day is None:
            return dg.SkipReason("no drift is stored yet: run watch_daily first")
        if _is_page_requested(context.instance, day):
            return dg.SkipReason(f"the page of {day} was already requested")
        return _request(day, partitions, calendar)

    return report


def _is_page_requested(instance: dg.DagsterInstance, day: date) -> bool:
    """Whether the day's page has a run.

    A schedule's run key would prevent a second run for the same hour's tick only.
    """
    tags = {"dagster/partition": day.isoformat()}
    return instance.get_runs_count(dg.RunsFilter(job_name=_DRIFT_PAGE_JOB, tags=tags)) > 0


def _request(
    day: date, partitions: dg.PartitionsDefinition, calendar: MarketCalendar
) -> dg.RunRequest | dg.SkipReason:
    if not calendar.is_open(day):
        return dg.SkipReason(f"{day} is not a trading day: {calendar.closed_text}")
    key = day.isoformat()
    if not partitions.has_partition_key(key):
        return dg.SkipReason(f"{day} is not a day of the loaded market")
    return dg.RunRequest(run_key=key, partition_key=key)
