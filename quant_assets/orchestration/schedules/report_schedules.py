"""Schedules of the reports: of a day, after each week and after each month. Times are UTC.

A report is made whether or not the day was refreshed: that it was not is what it has to say. The
page of the drift is only made of a day that was watched, at whatever hour its data came.
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

_DRIFT_JOB = "report_drift"


def build(
    jobs: "Mapping[str, UnresolvedAssetJobDefinition]",
    partitions: dg.PartitionsDefinition,
    status: dg.DefaultScheduleStatus,
) -> list[dg.ScheduleDefinition]:
    """The schedules of the drift page and of daily, weekly and monthly reports."""

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
        _of_drift(jobs[_DRIFT_JOB], partitions, status),
        schedule(
            "daily",
            "0 23 * * 1-5",
            lambda today: today,
            "Every trading day at 23:00 UTC, after it was watched.",
        ),
        schedule(
            "weekly",
            "0 5 * * 6",
            newest_trading_day,
            "Every Saturday at 05:00 UTC, as of the week's last trading day.",
        ),
        schedule(
            "monthly",
            "30 5 1 * *",
            lambda today: newest_trading_day(today - timedelta(days=1)),
            "On the first of each month at 05:30 UTC, as of the last trading day before it.",
        ),
    ]


def _of_drift(
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
        description="Every hour at 50 minutes past, of the newest day that was watched; once.",
    )
    def report(
        context: dg.ScheduleEvaluationContext, lake: dg.ResourceParam[Lake]
    ) -> dg.RunRequest | dg.SkipReason:
        day = read_newest_day(lake, DRIFT)
        if day is None:
            return dg.SkipReason("no drift is known yet: watch_daily is due")
        if _was_asked_for(context.instance, day):
            return dg.SkipReason(f"the page of {day} was asked for")
        return _request(day, partitions)

    return report


def _was_asked_for(instance: dg.DagsterInstance, day: date) -> bool:
    """Whether the day's page has a run; of a schedule, a run key holds for one hour's tick only."""
    tags = {"dagster/partition": day.isoformat()}
    return instance.get_runs_count(dg.RunsFilter(job_name=_DRIFT_JOB, tags=tags)) > 0


def _request(day: date, partitions: dg.PartitionsDefinition) -> dg.RunRequest | dg.SkipReason:
    if not is_trading_day(np.array([day], dtype="datetime64[D]"))[0]:
        return dg.SkipReason(f"{day} is not a trading day: London and Tokyo are closed")
    key = day.isoformat()
    if not partitions.has_partition_key(key):
        return dg.SkipReason(f"{day} is no day of the market that is loaded")
    return dg.RunRequest(run_key=key, partition_key=key)
