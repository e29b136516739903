"""Composes Dagster's definitions from the settings; nothing is computed here."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dagster as dg
import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings, load_settings, require_market
from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.models.registry import select_families
from quant_assets.orchestration.assets import (
    anomalies,
    bars,
    data_quality,
    disagreements,
    drift,
    features,
    fits,
    forecasts,
    imputation,
    observations,
    prices,
    promotion,
    reports,
    revisions,
    scoring,
    skill,
    studies,
    submissions,
    target_pairs,
    tracking,
    universe,
)
from quant_assets.orchestration.assets.partitions import read_known_span, trading_partitions
from quant_assets.orchestration.assets.table_assets import asset_key_of
from quant_assets.orchestration.jobs import (
    asset_jobs,
    backup,
    lake_maintenance,
    promotion_decision,
)
from quant_assets.orchestration.schedules import daily_schedules, report_schedules
from quant_assets.orchestration.sensors import (
    alert_sensors,
    metrics_file,
    refresh_sensor,
    retrain_sensor,
    revision_sensor,
    source_sensor,
)
from quant_assets.sources.protocol import DeliversBars, JoinsSources, Source
from quant_assets.sources.registry import open_market, open_source

_Build = Callable[[dg.PartitionsDefinition, Sequence[str]], Sequence[dg.AssetsDefinition]]
LAYERS = (
    *(target_pairs, prices, universe, features, observations, studies, fits, forecasts),
    *(promotion, submissions, scoring, revisions, data_quality, drift, anomalies, skill),
    *(tracking, reports),
)


def build_definitions(settings: Settings, **resources: Any) -> dg.Definitions:
    """Build the definitions of the whole platform.

    Args:
        settings: market, families and paths, and whether schedules and sensors begin switched on.
        resources: resources that replace the real resources with the same names.
    """
    source = resources.get("source") or open_source(settings)
    market = resources.get("market") or open_market(settings, source)
    families = select_families(settings.families)
    clock = resources.get("clock") or Clock()
    lake = resources.get("lake") or Lake(settings.lake_dir)
    today = clock.now().date()
    span = read_known_span(source, lake, settings.first_day, today)
    if span.problem:
        # The days of the source cannot be read; those that are stored can.
        market = market.with_days(partial(_read_stored_days, lake))
    calendar = market.calendar
    partitions = trading_partitions(calendar, span.first_day, span.last_day, today)
    with warnings.catch_warnings():
        # Only single-run backfills are marked beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [
            asset for build in _list_builds(source, market) for asset in build(partitions, families)
        ]
        if isinstance(source, DeliversBars):
            assets = list(dg.map_asset_specs(bars.depend_on_bars, assets))
    if span.problem:
        assets = list(dg.map_asset_specs(partial(_tell_problem, span.problem), assets))
    all_jobs = asset_jobs.build(families)
    on = settings.automation
    schedule = dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED
    sensor = dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED
    return dg.Definitions(
        assets=assets,
        jobs=[
            *all_jobs.values(),
            lake_maintenance.maintain_lake,
            backup.backup_daily,
            promotion_decision.decide_promotion,
        ],
        schedules=[
            *daily_schedules.build(all_jobs, calendar, schedule),
            *report_schedules.build(all_jobs, partitions, calendar, schedule),
            retrain_sensor.build_schedule(all_jobs[retrain_sensor.JOB], schedule),
            lake_maintenance.build(schedule),
            backup.build(schedule),
        ],
        sensors=[
            *alert_sensors.build(sensor),
            refresh_sensor.build(all_jobs, partitions, calendar, sensor),
            source_sensor.build(calendar, sensor),
            revision_sensor.build(sensor),
            retrain_sensor.build_sensor(all_jobs[retrain_sensor.JOB], sensor),
            metrics_file.build(calendar, sensor),
        ],
        resources={
            "settings": settings,
            "source": source,
            "market": market,
            "lake": lake,
            "clock": clock,
            **resources,
        },
        executor=dg.in_process_executor,
    )


def _list_builds(source: Source, market: MarketDescription) -> list[_Build]:
    """Return the functions that build the assets which the market has."""
    builds: list[_Build] = [layer.build for layer in LAYERS]
    if isinstance(source, DeliversBars):
        builds.append(bars.build)
    if isinstance(source, JoinsSources):
        builds.append(disagreements.build)
    if market.imputation.estimates:
        builds[LAYERS.index(features)] = partial(features.build, imputed=True)
        builds.append(imputation.build)
    return builds


def _read_stored_days(lake: Lake) -> DayArray:
    stored = lake.exists and lake.has(RAW_PRICES)
    return read_days(lake, RAW_PRICES) if stored else np.empty(0, "datetime64[D]")


def _tell_problem(problem: str, spec: dg.AssetSpec) -> dg.AssetSpec:
    """Say on the asset that the source's prices become why the source could not be read."""
    if spec.key != asset_key_of(RAW_PRICES):
        return spec
    return spec.replace_attributes(
        description=f"{spec.description}\n\nWhen the definitions were loaded, the source could not "
        f"be read; a run fails with the same error until it can:\n\n```\n{problem}\n```",
    ).merge_attributes(metadata={"source_error": problem})


@dg.definitions
def defs() -> dg.Definitions:
    """Build the definitions that Dagster loads, for the settings of the environment."""
    settings = load_settings()
    require_market(settings)
    return build_definitions(settings)
