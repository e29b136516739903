"""Schedules: the evening of each trading day, and Sunday's retraining. Times are UTC."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np

from quant_assets.market.calendar import is_trading_day, newest_trading_day
from quant_assets.sources.base import Source

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )


def build(jobs: "Mapping[str, UnresolvedAssetJobDefinition]") -> list[dg.ScheduleDefinition]:
    """All schedules."""

    @dg.schedule(
        job=jobs["refresh_daily"],
        cron_schedule="0 22 * * 1-5",
        execution_timezone="UTC",
        description="Every trading day at 22:00 UTC, after New York's close.",
    )
    def daily_refresh(
        context: dg.ScheduleEvaluationContext, source: dg.ResourceParam[Source]
    ) -> dg.RunRequest | dg.SkipReason:
        return request(context.scheduled_execution_time.date(), source)

    @dg.schedule(
        job=jobs["watch_daily"],
        cron_schedule="30 22 * * 1-5",
        execution_timezone="UTC",
        description="Every trading day at 22:30 UTC, half an hour after its refresh.",
    )
    def daily_watch(
        context: dg.ScheduleEvaluationContext, source: dg.ResourceParam[Source]
    ) -> dg.RunRequest | dg.SkipReason:
        return request(context.scheduled_execution_time.date(), source)

    @dg.schedule(
        job=jobs["retrain_models"],
        cron_schedule="0 6 * * 0",
        execution_timezone="UTC",
        description="Every Sunday at 06:00 UTC, as of the last trading day.",
    )
    def weekly_retrain(
        context: dg.ScheduleEvaluationContext, source: dg.ResourceParam[Source]
    ) -> dg.RunRequest | dg.SkipReason:
        return request(newest_trading_day(context.scheduled_execution_time.date()), source)

    def request(day: date, source: Source) -> dg.RunRequest | dg.SkipReason:
        if not is_trading_day(np.array([day], dtype="datetime64[D]"))[0]:
            return dg.SkipReason(f"{day} is not a trading day: London and Tokyo are closed")
        if not source.first_day <= day <= source.last_day:
            return dg.SkipReason(
                f"{source.name} has no prices for {day}: "
                f"it goes from {source.first_day} to {source.last_day}"
            )
        return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    return [daily_refresh, daily_watch, weekly_retrain]
