"""Composition only: settings in, Dagster definitions out."""

import warnings
from typing import Any

import dagster as dg

from quant_assets.assets import (
    features,
    fits,
    forecasts,
    monitoring,
    performance,
    promotion,
    raw,
    reports,
    studies,
    submissions,
    surveillance,
    tracking,
    validated,
)
from quant_assets.assets.partitions import known_span, trading_partitions
from quant_assets.automation import (
    collecting,
    jobs,
    maintenance,
    minding,
    promoting,
    refreshing,
    report_schedules,
    retraining,
    schedules,
    sensors,
)
from quant_assets.clock import Clock
from quant_assets.lake.lake import Lake
from quant_assets.models.registry import chosen
from quant_assets.settings import Settings, load_settings, require_market
from quant_assets.sources.registry import source_of

LAYERS = (
    *(raw, validated, features, studies, fits, forecasts, promotion, submissions),
    *(monitoring, surveillance, performance, tracking, reports),
)


def build_definitions(settings: Settings, **resources: Any) -> dg.Definitions:
    """The whole platform for some settings; ``resources`` replace the real ones by name."""
    source = resources.get("source") or source_of(settings)
    families = chosen(settings.families)
    clock = resources.get("clock") or Clock()
    lake = resources.get("lake") or Lake(settings.lake_dir)
    partitions = trading_partitions(*known_span(source, lake), clock.now().date())
    with warnings.catch_warnings():
        # Single-run backfills are marked beta; nothing else here is.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [asset for layer in LAYERS for asset in layer.build(partitions, families)]
    all_jobs = jobs.build(families)
    on = settings.automation
    schedule = dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED
    sensor = dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED
    return dg.Definitions(
        assets=assets,
        jobs=[*all_jobs.values(), maintenance.maintain_lake, promoting.decide_promotion],
        schedules=[
            *schedules.build(all_jobs, schedule),
            *report_schedules.build(all_jobs, partitions, schedule),
            retraining.build_schedule(all_jobs[retraining.JOB], schedule),
            maintenance.build(schedule),
        ],
        sensors=[
            *sensors.build(sensor),
            refreshing.build(all_jobs, partitions, sensor),
            minding.build(sensor),
            retraining.build_sensor(all_jobs[retraining.JOB], sensor),
            collecting.build(sensor),
        ],
        resources={
            "settings": settings,
            "source": source,
            "lake": lake,
            "clock": clock,
            **resources,
        },
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: the platform for the settings of its environment."""
    settings = load_settings()
    require_market(settings)
    return build_definitions(settings)
