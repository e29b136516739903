"""The overhead of Dagster: daily layers of a whole history as a run, and without Dagster."""

import inspect
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from datetime import date
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from benchmarks.figures import Figure, medians
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings, load_settings
from quant_assets.definitions import LAYERS, build_definitions
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.reading import open_description
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.models.registry import FAST
from quant_assets.orchestration.assets import anomalies, data_quality, drift, fits, studies
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets.orchestration.assets.table_assets import asset_key_of
from quant_assets.orchestration.execution.runs import open_instance, run_job
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.orchestration.jobs.names import REFRESH
from quant_assets.sources.protocol import Source
from quant_assets.sources.registry import open_source

REPEATS = 3


def measure(data: Path) -> list[Figure]:
    """Measure a load with and without Dagster over the history of a filled data directory.

    Both compute, check and replace equal tables of one lake. Without Dagster, the functions of the
    assets are called one after the other and their results dropped. With Dagster, they are the job
    ``refresh_daily``, including the instance, the definitions, planning and the event log. Fits are
    left out, because they would hide the difference. Both load a single day first, so that imports
    do not count.
    """
    settings = load_settings(data_dir=data)
    source = open_source(settings)
    first, last = source.first_day, source.last_day
    plainly(settings, source, last, last)
    as_a_run(settings, last, last)
    taken = medians(
        {
            "plain": lambda: plainly(settings, source, first, last),
            "dagster": lambda: as_a_run(settings, first, last),
        },
        REPEATS,
        warm_ups=0,
    )
    return [
        Figure("daily layers, whole history, without Dagster", taken["plain"], "s"),
        Figure("daily layers, whole history, as a Dagster run", taken["dagster"], "s"),
        Figure("as a run / without Dagster", taken["dagster"] / taken["plain"], "x", at_most=4),
    ]


def plainly(settings: Settings, source: Source, start: date, end: date) -> None:
    """Call the functions of the assets of ``refresh_daily``, in the order of their layers.

    Args:
        settings: settings of the data directory.
        source: source of the market.
        start: first day.
        end: last day.
    """
    context = SimpleNamespace(
        partition_key_range=dg.PartitionKeyRange(start.isoformat(), end.isoformat()),
        selected_asset_keys={asset_key_of(forecasts_table(name)) for name in FAST},
        log=logging.getLogger(__name__),
        run=SimpleNamespace(job_name=REFRESH, run_id="", tags={}),
        add_asset_metadata=lambda *_: None,
    )
    market = open_description(settings)
    with Lake(settings.lake_dir) as lake:
        arguments = {
            "context": context,
            "lake": lake,
            "source": source,
            "settings": settings,
            "clock": Clock(),
            "market": market,
        }
        for body in bodies(source, market.calendar):
            outcome = body(**{name: arguments[name] for name in inspect.signature(body).parameters})
            if inspect.isgenerator(outcome):
                list(outcome)


def bodies(source: Source, calendar: MarketCalendar) -> list[Callable[..., Any]]:
    """Return the functions below the decorators of the assets."""
    partitions = trading_partitions(calendar, source.first_day, source.last_day, source.last_day)
    with warnings.catch_warnings():
        # Single-run backfills are marked beta; nothing else here is.
        warnings.simplefilter("ignore", dg.BetaWarning)
        others = [
            layer
            for layer in LAYERS
            if layer not in (studies, fits, data_quality, drift, anomalies)
        ]
        layers = [layer.build(partitions, FAST) for layer in others]
    return [asset.op.compute_fn.decorated_fn for assets in layers for asset in assets]


def as_a_run(settings: Settings, start: date, end: date) -> None:
    """Run the job ``refresh_daily`` without showing its progress.

    Args:
        settings: settings of the data directory.
        start: first day.
        end: last day.
    """
    with redirect_stderr(StringIO()), open_instance(settings) as opened:
        run_job(build_definitions(settings), opened, JobRun(REFRESH, start, end))
