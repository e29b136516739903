"""Load a market from the command line: see whether there is work, run the job.

Room for another market is made in ``commands.archiving``. What a run led to is shown by
``summaries``.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any

import typer

from quant_assets.commands.description_changes import (
    confirm_changes,
    digest_parts,
    record_parts,
)
from quant_assets.commands.market_sources import list_unclaimed_rows
from quant_assets.commands.revising import keep_order
from quant_assets.commands.running import (
    check_readable,
    complete_source,
    find_days_to_run,
    run_on_console,
)
from quant_assets.core.clock import Clock
from quant_assets.core.settings import (
    Settings,
    read_held_market,
    require_market,
    store_market,
)
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import open_description
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.orchestration.jobs.names import LOAD
from quant_assets.sources.protocol import DeliversBars, Source
from quant_assets.sources.registry import open_market, open_source
from quant_assets.sources.tables.reading import digest_files

_SHAPING_CODE = (
    "quant_assets.quality.cleaning",
    "quant_assets.quality.rejection",
    "quant_assets.quality.growth",
    "quant_assets.market.targets",
)
"""Modules whose code shapes what a load stores, besides features and families."""


def load_everything(settings: Settings, *, force: bool = False, yes: bool = False) -> None:
    """Run ``load_history`` over all days of the source, unless nothing has changed since.

    Args:
        settings: the market, and the data directory.
        force: run even if nothing has changed.
        yes: go on without asking if the market's description has changed.

    Raises:
        SettingsError: the data directory holds another market, or cannot be written.
        SourceError: the source cannot be read; nothing is written then.
        MarketError: the description cannot be used, or has changed and nobody agreed.
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.quality import worker
    from quant_assets.revisions.loads import forget_bars, is_loaded, record_load

    require_market(settings)
    source = open_source(settings)
    complete_source(source)
    days = source.first_day, source.last_day
    market = open_description(settings) if settings.description_file else None
    described = _digest_description(market) if market else ()
    parts = (source.fingerprint(), *_version_bars(source), *described, *_read_studies(settings))
    fingerprint = _digest_load(settings, *parts)
    if not force and is_loaded(settings.lake_dir, fingerprint, days[1]):
        typer.echo(f"{settings.source}: loaded already, nothing has changed")
        return
    _refuse_early(settings, source, market)
    if market:
        confirm_changes(settings, market, yes=yes)
        for text in list_unclaimed_rows(market):
            typer.echo(f"warning: {text}")
    worker.begin_worker()
    check_readable(source, *days)
    store_market(settings)
    if not isinstance(source, DeliversBars):
        forget_bars(settings.lake_dir)
    run_on_console(settings, source, JobRun(LOAD, *_cover_stored(settings, *days)))
    record_load(settings.lake_dir, fingerprint, Clock().now())
    if market:
        record_parts(settings, market)


def run_range(settings: Settings, job: str, start: date, end: date, run_id: str = "") -> None:
    """Run a job over the trading days of a range that the source has, and show its progress.

    Args:
        settings: the market, and the data directory.
        job: name of the job.
        start: first day, included.
        end: last day, included.
        run_id: id of the run, a UUID; empty for a new one.

    Raises:
        CalendarError: the source has no trading day in the range.
        UnknownNameError: there is no such job.
        SourceError: the source cannot be read; nothing is written then.
        RunFailedError: an asset or a blocking check failed.
    """
    require_market(settings)
    source = open_source(settings)
    complete_source(source)
    days = find_days_to_run(source, open_market(settings, source).calendar, start, end)
    check_readable(source, *days)
    days = keep_order(settings, source, job, *days)
    run_on_console(settings, source, JobRun(job, *days, run_id=run_id))


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
    run = JobRun("walk_forward", source.first_day, source.last_day, config=config)
    run_on_console(settings, source, run)


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
    from quant_assets.lake.schemas.forecast_tables import study_table
    from quant_assets.models.parameters import search_space_of

    search_space_of(name)
    require_market(settings, loaded=True)
    source = open_source(settings)
    calendar = open_market(settings, source).calendar
    span = as_of or source.first_day, as_of or source.last_day
    _, day = find_days_to_run(source, calendar, *span)
    alone = settings.model_copy(update={"families": name})
    study = study_table(name).name
    config = {study.replace(".", "__"): limits}
    run_on_console(alone, source, JobRun("tune_models", day, day, config=config, only=[study]))
    return day


def _cover_stored(settings: Settings, start: date, end: date) -> tuple[date, date]:
    """Return the days of the source, with those that it took back and the lake still holds."""
    from quant_assets.lake.readers.days import read_newest_day
    from quant_assets.lake.schemas.price_tables import RAW_PRICES
    from quant_assets.lake.store.lake import Lake

    if not settings.lake_dir.exists():
        return start, end
    with Lake(settings.lake_dir) as lake:
        return start, max(end, read_newest_day(lake, RAW_PRICES) or end)


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


def _refuse_early(settings: Settings, source: Source, market: MarketDescription | None) -> None:
    """Refuse, before a run begins, targets that what is stored or the history does not allow.

    Raises:
        SourceError: a day was submitted live with targets of other names.
        MarketError: a horizon is longer than the history.
    """
    from quant_assets.lake.store.lake import Lake
    from quant_assets.revisions.refusals import refuse_renamed_targets

    if market:
        market.require_history(source.pairs(), len(source.days()))
    if settings.lake_dir.exists():
        with Lake(settings.lake_dir) as lake:
            refuse_renamed_targets(lake, source)


def _version_bars(source: Source) -> list[str]:
    """Return the version of features and inputs from bars; empty if the source delivers none."""
    from quant_assets.features.bar_inputs import digest_bar_inputs

    return [digest_bar_inputs()] if isinstance(source, DeliversBars) else []


def _digest_description(market: MarketDescription) -> list[str]:
    """Return digests of a description's parts, and of the inputs that only such a market has."""
    from quant_assets.core.code_digest import digest_code
    from quant_assets.features.further_inputs import FurtherInputs, version_of_inputs
    from quant_assets.features.table_inputs import fields_of

    parts = list(digest_parts(market).values())
    if market.tables:
        version = version_of_inputs(FurtherInputs(fields_of(market.tables)))
        parts += [version, *digest_files(market)]
    if market.imputation.estimates:
        parts.append(digest_code("quant_assets.features.imputation"))
    return parts


def _digest_load(settings: Settings, *parts: str) -> str:
    """Return a digest of the parts, and of the code and the settings that shape a result."""
    from quant_assets.core.code_digest import digest_code
    from quant_assets.features.catalogue import CATALOGUE_VERSION
    from quant_assets.models.registry import family_module, select_families

    families = select_families(settings.families)
    code = digest_code(*_SHAPING_CODE, *map(family_module, families))
    # The source's fingerprint stands for the source, which may have moved.
    shaping = settings.model_dump_json(exclude={"families", "source", *settings.of_operation()})
    inputs = (*parts, CATALOGUE_VERSION, code, *families, shaping)
    return sha256("\n".join(inputs).encode()).hexdigest()
