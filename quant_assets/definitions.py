"""Composition only: settings in, Dagster definitions out."""

import warnings
from typing import Any

import dagster as dg

from quant_assets.assets import (
    features,
    fits,
    forecasts,
    monitoring,
    raw,
    reports,
    studies,
    submissions,
    surveillance,
    tracking,
    validated,
)
from quant_assets.assets.partitions import trading_partitions
from quant_assets.automation import (
    collecting,
    jobs,
    maintenance,
    report_schedules,
    schedules,
    sensors,
)
from quant_assets.clock import Clock
from quant_assets.lake.lake import Lake
from quant_assets.models.registry import chosen
from quant_assets.settings import Settings, load_settings, require_market
from quant_assets.sources.registry import source_of

LAYERS = (
    *(raw, validated, features, studies, fits, forecasts, submissions),
    *(monitoring, surveillance, tracking, reports),
)


def build_definitions(settings: Settings, **resources: Any) -> dg.Definitions:
    """The whole platform for some settings; ``resources`` replace the real ones by name."""
    source = resources.get("source") or source_of(settings)
    families = chosen(settings.families)
    clock = resources.get("clock") or Clock()
    today = clock.now().date()
    partitions = trading_partitions(source.first_day, source.last_day, today)
    with warnings.catch_warnings():
        # Single-run backfills are marked beta; nothing else here is.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [asset for layer in LAYERS for asset in layer.build(partitions, families)]
    all_jobs = jobs.build(families)
    return dg.Definitions(
        assets=assets,
        jobs=[*all_jobs.values(), maintenance.maintain_lake],
        schedules=[
            *schedules.build(all_jobs),
            *report_schedules.build(all_jobs, partitions),
            maintenance.weekly_maintenance,
        ],
        sensors=[*sensors.build(), collecting.build()],
        resources={
            "settings": settings,
            "source": source,
            "lake": Lake(settings.lake_dir),
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
