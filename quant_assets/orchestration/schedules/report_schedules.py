"""Schedules of the drift page and of the daily, weekly and monthly reports. Times are UTC.

A report is made even if the day was not refreshed, because it has to say so. The drift page is
made after a day was watched, at any hour.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.monitoring_tables import DRIFT
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import is_trading_day, newest_trading_day

if TYPE_CHECKING:
    from quant_assets.orchestration.storages.compatibility import UnresolvedAssetJobDefinition

_DRIFT_PAGE_JOB = "report_drift"


def build(
    jobs: "Mapping[str, UnresolvedAssetJobDefinition]",
    partitions: dg.PartitionsDefinition,
    status: dg.DefaultScheduleStatus,
) -> list[dg.ScheduleDefinition]:
    """Build the schedules of the drift page and of daily, weekly and monthly reports.

    Args:
        jobs: all asset jobs, by name.
        partitions: the days for which reports may be requested.
        status: whether the schedules begin switched on.
    """

    def schedule(
        name: str, cron: str, day_of: Callable[[date], date], description: str
    ) -> dg.ScheduleDefinition:
        @dg.schedule(
            name=f"{name}_report",
            job=jobs[f"report_{name}"],
            cron_schedule=cron,
            execution_timezone="UTC",
            default_status=status,
            description=description,
        )
        def report(
            context: dg.ScheduleEvaluationContext,
        ) -> dg.RunRequest | dg.SkipReason:
            return _request(day_of(context.scheduled_execution_time.date()), partitions)

        return report

    return [
        _build_drift_schedule(jobs[_DRIFT_PAGE_JOB], partitions, status),
        schedule(
            "daily",
            "0 23 * * 1-5",
            lambda today: today,
            "Requests the report of each trading day at 23:00 UTC, after the day's watch.",
        ),
        schedule(
            "weekly",
            "0 5 * * 6",
            newest_trading_day,
            "Requests the week's report every Saturday at 05:00 UTC, as of its last trading day.",
        ),
        schedule(
            "monthly",
            "30 5 1 * *",
            lambda today: newest_trading_day(today - timedelta(days=1)),
            "Requests the month's report on the first of the next month at 05:30 UTC, as of the "
            "month's last trading day.",
        ),
    ]


def _build_drift_schedule(
    job: "UnresolvedAssetJobDefinition",
    partitions: dg.PartitionsDefinition,
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
        return _request(day, partitions)

    return report


def _is_page_requested(instance: dg.DagsterInstance, day: date) -> bool:
    """Whether the day's page has a run.

    A schedule's run key would prevent a second run for the same hour's tick only.
    """
    tags = {"dagster/partition": day.isoformat()}
    return instance.get_runs_count(dg.RunsFilter(job_name=_DRIFT_PAGE_JOB, tags=tags)) > 0


def _request(day: date, partitions: dg.PartitionsDefinition) -> dg.RunRequest | dg.SkipReason:
    if not is_trading_day(np.array([day], dtype="datetime64[D]"))[0]:
        return dg.SkipReason(f"{day} is not a trading day: London and Tokyo are closed")
    key = day.isoformat()
    if not partitions.has_partition_key(key):
        return dg.SkipReason(f"{day} is not a day of the loaded market")
    return dg.RunRequest(run_key=key, partition_key=key)
