"""Load a market from the command line: choose it, see whether there is work, run the job.

What a run led to is shown by ``summaries``.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import typer

from quant_assets.core.clock import Clock
from quant_assets.core.errors import CalendarError
from quant_assets.core.settings import (
    Settings,
    market_in_settings,
    read_held_market,
    require_market,
    store_market,
)
from quant_assets.market.calendar import FIRST_DAY, LAST_DAY, trading_days
from quant_assets.orchestration.jobs.names import LOAD, PRICE_JOBS, REDOING_JOBS, REVISE
from quant_assets.sources.protocol import Source
from quant_assets.sources.registry import open_source

_MARKET_PARTS = (
    "lake",
    "artifacts",
    "exports",
    "reports",
    "metrics",
    "tuning",
    "mlflow",
    "dagster",
    "market.json",
)


def prepare_data_directory(settings: Settings) -> None:
    """Make the data directory ready for the market that the settings name.

    If it holds another market, its files move to ``archive/`` below it; nothing is deleted.

    Raises:
        SourceError: the new market cannot be read; then nothing is moved.
    """
    held = read_held_market(settings)
    if held is None or held.same_as(market_in_settings(settings)):
        return
    source = open_source(settings)
    _check_readable(source, source.first_day, source.last_day)
    archive = settings.data_dir / "archive" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    archive.mkdir(parents=True)
    for part in _MARKET_PARTS:
        if (settings.data_dir / part).exists():
            shutil.move(settings.data_dir / part, archive / part)
    typer.echo(f"{settings.data_dir} held the market {held}; its files are now in {archive}")
    typer.echo("if Dagster or MLflow is open, open it again: it still shows that market")


def load_everything(settings: Settings, *, force: bool = False) -> None:
    """Run ``load_history`` over all days of the source, unless nothing has changed since.

    Args:
        settings: the market, and the data directory.
        force: run even if nothing has changed.

    Raises:
        SettingsError: the data directory holds another market, or cannot be written.
        SourceError: the source cannot be read; nothing is written then.
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.quality import worker
    from quant_assets.revisions.loads import is_loaded, record_load

    require_market(settings)
    source = open_source(settings)
    days = source.first_day, source.last_day
    fingerprint = _digest_load(settings, source.fingerprint(), *_read_studies(settings))
    if not force and is_loaded(settings.lake_dir, fingerprint, days[1]):
        typer.echo(f"{settings.source}: loaded already, nothing has changed")
        return
    worker.begin_worker()
    _check_readable(source, *days)
    store_market(settings)
    _run(settings, source, LOAD, *_cover_stored(settings, *days), {})
    record_load(settings.lake_dir, fingerprint, Clock().now())


def run_range(settings: Settings, job: str, start: date, end: date) -> None:
    """Run a job over the trading days of a range that the source has, and show its progress.

    Args:
        settings: the market, and the data directory.
        job: name of the job.
        start: first day, included.
        end: last day, included.

    Raises:
        CalendarError: the source has no trading day in the range.
        UnknownNameError: there is no such job.
        SourceError: the source cannot be read; nothing is written then.
        RunFailedError: an asset or a blocking check failed.
    """
    require_market(settings)
    source = open_source(settings)
    days = _find_days_to_run(source, start, end)
    _check_readable(source, *days)
    days = _keep_order(settings, source, job, *days)
    _run(settings, source, job, *days, {})


def _keep_order(
    settings: Settings, source: Source, job: str, start: date, end: date
) -> tuple[date, date]:
    """Bring along the days that have to be stored before these, and revise the past first.

    A run over the history that reaches the first changed day redoes it itself.
    """
    from quant_assets.lake.store.lake import Lake
    from quant_assets.revisions.comparison import compare_with_source

    if job not in PRICE_JOBS or not settings.lake_dir.exists():
        return start, end
    with Lake(settings.lake_dir) as lake:
        comparison = compare_with_source(lake, source)
    if comparison.stored is None:
        return start, end
    missing = [day for day in comparison.new_days if day < start]
    if missing:
        start = missing[0]
        typer.echo(f"from {start} on: the days before are not stored yet")
    span = comparison.span
    if span is None or (job in REDOING_JOBS and start <= span[0] and end >= span[1]):
        return start, end
    run_revision(settings)
    return start, end


def run_walk_forward(settings: Settings, given: Sequence[str] = ()) -> None:
    """Run ``walk_forward`` over all loaded days; its families are those of the market from then on.

    Args:
        settings: the market, and the families.
        given: parameters set by hand for this run, like ``ridge.shrinkage=0.7``.

    Raises:
        UnknownNameError: a parameter, or its family, is not among those fitted.
        SettingsError: a parameter is out of range; or the data directory holds no market, or
            another one.
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.models.parameters import parse_assignments
    from quant_assets.models.registry import select_families

    families = select_families(settings.families)
    parameters = parse_assignments(given, families)
    require_market(settings, loaded=True)
    held = read_held_market(settings)
    if held and select_families(held.families) != families:
        typer.echo(f"families from now on: {', '.join(families)}")
        typer.echo("Dagster, if it is open, shows them after `Reload definitions`")
    store_market(settings)
    source = open_source(settings)
    config = {f"fits__{name}": {"parameters": changed} for name, changed in parameters.items()}
    _run(settings, source, "walk_forward", source.first_day, source.last_day, {}, config)


def run_study(settings: Settings, name: str, as_of: date | None, limits: Mapping[str, Any]) -> date:
    """Run the study of a family as of a day; return that day.

    Args:
        settings: the market, and the data directory.
        name: the family; it need not be among those of the settings.
        as_of: the day, by default the newest. Fits as of that day or later use the best trial.
        limits: launch configuration of the study, by name.

    Raises:
        UnknownNameError: there is no such family, or it has nothing to tune.
        SettingsError: the data directory holds no market, or another one.
        CalendarError: the source has no such day.
        RunFailedError: there is too little history, or the defaults cannot be fitted.
    """
    from quant_assets.lake.schemas.tables import study_table
    from quant_assets.models.parameters import search_space_of

    search_space_of(name)
    require_market(settings, loaded=True)
    source = open_source(settings)
    _, day = _find_days_to_run(source, as_of or source.first_day, as_of or source.last_day)
    alone = settings.model_copy(update={"families": name})
    study = study_table(name).name
    config = {study.replace(".", "__"): limits}
    _run(alone, source, "tune_models", day, day, {}, config, only=[study])
    return day


def _run(
    settings: Settings,
    source: Source,
    job: str,
    start: date,
    end: date,
    tags: dict[str, str],
    config: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] = (),
) -> None:
    from quant_assets.definitions import build_definitions
    from quant_assets.models.registry import preload, select_families
    from quant_assets.orchestration.execution.runs import open_instance, run_job

    started = time.perf_counter()
    typer.echo(f"{job}: {settings.source}, {start} to {end}")
    preload(select_families(settings.families), others=["matplotlib.backends.backend_agg"])
    with open_instance(settings) as opened:
        definitions = build_definitions(settings, source=source)
        result = run_job(definitions, opened, job, start, end, tags, config, only)
    for warning in result.warnings:
        typer.secho(f"  warning: {warning}", fg="yellow")
    typer.echo(f"{job}: done in {time.perf_counter() - started:.0f} s")


def _cover_stored(settings: Settings, start: date, end: date) -> tuple[date, date]:
    """Return the days of the source, with those that it took back and the lake still holds."""
    from quant_assets.lake.readers.days import read_newest_day
    from quant_assets.lake.schemas.tables import RAW_PRICES
    from quant_assets.lake.store.lake import Lake

    if not settings.lake_dir.exists():
        return start, end
    with Lake(settings.lake_dir) as lake:
        return start, max(end, read_newest_day(lake, RAW_PRICES) or end)


def run_revision(settings: Settings) -> None:
    """Do everything again from the first day on that the source has changed, and say what changed.

    Raises:
        SettingsError: the data directory holds another market, or none.
        SourceError: the source cannot be read, or has other series.
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.lake.store.lake import Lake
    from quant_assets.quality import worker
    from quant_assets.revisions.comparison import compare_with_source, refuse_other_series
    from quant_assets.revisions.differences import describe_differences

    require_market(settings, loaded=True)
    source = open_source(settings)
    with Lake(settings.lake_dir) as lake:
        comparison = compare_with_source(lake, source)
    refuse_other_series(comparison)
    if comparison.span is None:
        typer.echo(f"{settings.source}: the stored days are as the source has them")
        return
    worker.begin_worker()
    typer.echo(describe_differences(comparison.revisions) or "a revision did not come to its end")
    _run(settings, source, REVISE, *comparison.span, {})


def _check_readable(source: Source, start: date, end: date) -> None:
    """Read the whole source, so that a bad one is refused before anything is written."""
    source.pairs()
    source.prices(start, end)
    source.published_labels(start, end)


def _find_days_to_run(source: Source, start: date, end: date) -> tuple[date, date]:
    """Return the first and last trading day of the range that the source has."""
    first, last = max(start, source.first_day, FIRST_DAY), min(end, source.last_day, LAST_DAY)
    days = trading_days(first, last).tolist()
    if start > end or not days:
        raise CalendarError(
            "no trading day of the source lies in this range",
            where=source.name,
            expected=f"trading days from {source.first_day} to {source.last_day}",
            found=f"{start} to {end}",
        )
    return days[0], days[-1]


def _read_studies(settings: Settings) -> list[str]:
    """Return the parameters that fits take from studies, as text; empty without a study."""
    from quant_assets.lake.store.lake import Lake
    from quant_assets.models.registry import select_families
    from quant_assets.training.parameter_selection import read_best_parameters

    # Opening the lake is a tenth of a command that has nothing else to do.
    if not (settings.tuned and settings.tuning_dir.exists() and settings.lake_dir.exists()):
        return []
    with Lake(settings.lake_dir, read_only=True) as lake:
        return [
            str(read_best_parameters(lake, name)) for name in select_families(settings.families)
        ]


def _digest_load(settings: Settings, *parts: str) -> str:
    """Return a digest of the parts, the features and the settings that shape a result."""
    from quant_assets.features.catalogue import CATALOGUE_VERSION
    from quant_assets.models.registry import select_families

    shaping = settings.model_dump_json(exclude={"families", *settings.of_operation()})
    inputs = (*parts, CATALOGUE_VERSION, *select_families(settings.families), shaping)
    return sha256("\n".join(inputs).encode()).hexdigest()
