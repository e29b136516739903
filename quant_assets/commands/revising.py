"""Take over what the source, or a decision, has changed in the past, and submit a day again.

What changed is found in ``revisions``.
"""

from datetime import date
from typing import TYPE_CHECKING

import typer

from quant_assets.commands.running import (
    complete_source,
    find_days_to_run,
    run_on_console,
    warn_of_waiting,
)
from quant_assets.core.clock import Clock
from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import Settings, require_market
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.orchestration.jobs.names import (
    PRICE_JOBS,
    REDOING_JOBS,
    REFRESH,
    RESUBMISSION_TAG,
    REVISE,
)
from quant_assets.sources.protocol import Source
from quant_assets.sources.registry import open_market, open_source

if TYPE_CHECKING:
    from quant_assets.revisions.records import RevisionRecord


def run_revision(settings: Settings) -> None:
    """Do everything again from the first day on that the source or a decision has changed.

    Says what changed, how far labels moved, and which days of the source are not stored yet.

    Raises:
        SettingsError: the data directory holds another market, or none.
        SourceError: the source cannot be read, has other series, or lacks many days.
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.lake.store.lake import Lake
    from quant_assets.quality import worker
    from quant_assets.revisions.comparison import compare_with_source
    from quant_assets.revisions.differences import describe_differences
    from quant_assets.revisions.records import read_records
    from quant_assets.revisions.refusals import refuse_many_withdrawn, refuse_other_market

    require_market(settings, loaded=True)
    source = open_source(settings)
    complete_source(source)
    with Lake(settings.lake_dir) as lake:
        comparison = compare_with_source(lake, source)
    refuse_other_market(comparison)
    if comparison.span is None:
        typer.echo(f"{settings.source}: the stored days are as the source has them")
        _tell_new_days(len(comparison.new_days))
        warn_of_waiting(source)
        return
    refuse_many_withdrawn(comparison, settings.withdrawn_days)
    worker.begin_worker()
    typer.echo(describe_differences(comparison.revisions) or "a revision did not come to its end")
    begun = Clock().now().replace(tzinfo=None)
    run_on_console(settings, source, JobRun(REVISE, *comparison.span))
    with Lake(settings.lake_dir, read_only=True) as lake:
        for record in read_records(lake, begun):
            typer.echo(_describe_moves(record, settings.revised_label))
    _tell_new_days(len(comparison.new_days))


def _describe_moves(record: "RevisionRecord", limit: float) -> str:
    """Say how many labels a revision moved by more than a limit, and the largest move."""
    if record.labels is None:
        return "which labels moved is not known: the snapshot before the revision has expired"
    if record.labels == 0:
        return f"no label moved by more than {limit:g}"
    labels = "1 label" if record.labels == 1 else f"{record.labels:,} labels"
    if record.worst == 0:
        return f"{labels} came or went"
    return f"{labels} moved, by at most {record.worst:.4f}"


def _tell_new_days(count: int) -> None:
    if count:
        typer.echo(f"{count} newer {'day' if count == 1 else 'days'}: quant-assets load")


def keep_order(
    settings: Settings, source: Source, job: str, start: date, end: date
) -> tuple[date, date]:
    """Bring along the days that have to be stored before these, and revise the past first.

    A run over the history that covers all changed days redoes them itself.
    """
    from quant_assets.lake.readers.days import read_submitted_day
    from quant_assets.lake.store.lake import Lake
    from quant_assets.revisions.comparison import compare_with_source

    if job not in PRICE_JOBS or not settings.lake_dir.exists():
        return start, end
    with Lake(settings.lake_dir) as lake:
        comparison = compare_with_source(lake, source)
        submitted = read_submitted_day(lake)
    if comparison.stored is None:
        return start, end
    missing = [day for day in comparison.new_days if day < start]
    if job == REFRESH and submitted:
        aside = comparison.set_aside or {}
        days = comparison.given.days.tolist()
        missing = [day for day in days if submitted < day < start and day not in aside]
    if missing:
        start = missing[0]
        typer.echo(f"from {start} on: the days before are not stored, or not submitted, yet")
    span = comparison.span
    redoes = job in REDOING_JOBS or not comparison.revisions
    if span is None or (redoes and start <= span[0] and end >= span[1]):
        return start, end
    run_revision(settings)
    return start, end


def run_resubmission(settings: Settings, day: date, reason: str) -> None:
    """Forecast and submit a stored day again; live rows of the day become an earlier version.

    Args:
        settings: the market, and the data directory.
        day: the trading day.
        reason: why, stored with the version that is replaced.

    Raises:
        SettingsError: the reason is empty, or the data directory holds another market, or none.
        CalendarError: the source has no such day.
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.lake.schemas.forecast_tables import (
        ENSEMBLE_FORECASTS,
        INTERVALS,
        SUBMISSIONS,
        forecasts_table,
    )
    from quant_assets.lake.schemas.promotion_tables import PROMOTION_DAILY
    from quant_assets.models.registry import select_families

    if not reason.strip():
        raise SettingsError("a resubmission needs a reason", expected="--reason TEXT")
    require_market(settings, loaded=True)
    source = open_source(settings)
    find_days_to_run(source, open_market(settings, source).calendar, day, day)
    families = map(forecasts_table, select_families(settings.families))
    tables = (*families, ENSEMBLE_FORECASTS, INTERVALS, *PROMOTION_DAILY, SUBMISSIONS)
    only = [*(table.name for table in tables), "submissions.export"]
    run = JobRun(REFRESH, day, day, tags={RESUBMISSION_TAG: reason}, only=only)
    run_on_console(settings, source, run)
