"""Run a job over days of the source from the command line.

Which job and which days is decided by the commands.
"""

import time
from datetime import date

import typer

from quant_assets.core.errors import CalendarError
from quant_assets.core.settings import Settings
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.sources.protocol import Source, TakesTime


def run_on_console(settings: Settings, source: Source, run: JobRun) -> None:
    """Run a job over a range of days of a source, and show its progress.

    Args:
        settings: the market, and the data directory.
        source: the source of the market.
        run: the job and the days.

    Raises:
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.definitions import build_definitions
    from quant_assets.models.registry import preload, select_families
    from quant_assets.orchestration.execution.runs import open_instance, run_job

    started = time.perf_counter()
    typer.echo(f"{run.job}: {settings.source}, {run.start} to {run.end}")
    warn_of_waiting(source)
    preload(select_families(settings.families), others=["matplotlib.backends.backend_agg"])
    with open_instance(settings) as opened:
        definitions = build_definitions(settings, source=source)
        result = run_job(definitions, opened, run)
    for warning in result.warnings:
        typer.secho(f"  warning: {warning}", fg="yellow")
    typer.echo(f"{run.job}: done in {time.perf_counter() - started:.0f} s")


def complete_source(source: Source) -> None:
    """Let a source ask for all that is old, and show the progress, if it says that it takes time.

    Raises:
        SourceError: what was asked for cannot be kept.
    """
    if isinstance(source, TakesTime):
        source.complete(lambda line: typer.echo(f"  {line}"))


def warn_of_waiting(source: Source) -> None:
    """Say why the newest rows of a source are not read, if there are such rows."""
    if waiting := source.waiting():
        typer.secho(f"  warning: the newest row is not read: {waiting}", fg="yellow")


def find_days_to_run(
    source: Source, calendar: MarketCalendar, start: date, end: date
) -> tuple[date, date]:
    """Return the first and last trading day of the range that the source has.

    Args:
        source: the source of the market.
        calendar: calendar of the market.
        start: first day of the range.
        end: its last day, included.

    Raises:
        CalendarError: there is none.
    """
    reach = calendar.reach
    first, last = max(start, source.first_day, reach[0]), min(end, source.last_day, reach[1])
    days = calendar.trading_days(first, last).tolist()
    if start > end or not days:
        raise CalendarError(
            "no trading day of the source lies in this range",
            where=source.name,
            expected=f"trading days from {source.first_day} to {source.last_day}",
            found=f"{start} to {end}",
            hint=_explain_missing(source, end),
        )
    return days[0], days[-1]


def _explain_missing(source: Source, end: date) -> str | None:
    """Say why days after the newest one are not read, if the range reaches beyond it."""
    waiting = source.waiting() if end > source.last_day else ""
    return f"the newest row is not read: {waiting}" if waiting else None


def check_readable(source: Source, start: date, end: date) -> None:
    """Read the whole source, so that a bad one is refused before anything is written."""
    source.pairs()
    source.prices(start, end)
    source.published_labels(start, end)
