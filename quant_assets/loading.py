"""Loading a market from the command line: which one, whether anything is to be done, what came out."""

import json
import shutil
import time
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import typer

from quant_assets.errors import SettingsError
from quant_assets.lake.artifacts import write_atomically
from quant_assets.settings import SIMULATED, Settings
from quant_assets.sources.registry import source_of

_MARKET_PARTS = ("lake", "artifacts", "exports", "reports", "dagster", "market.json")


def use_market(settings: Settings, source: str) -> Settings:
    """Settings for a market, which the data directory holds from now on.

    What another market left there is moved, whole, to ``archive/`` below it; nothing is deleted.

    Raises:
        SourceError: the source cannot be read, in which case nothing is moved.
    """
    name = source if source == SIMULATED else str(Path(source).expanduser().resolve())
    wanted = settings.model_copy(update={"source": name})
    source_of(wanted).pairs()
    held = _held(settings)
    if held not in (None, name):
        archive = settings.data_dir / "archive" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        archive.mkdir(parents=True)
        for part in _MARKET_PARTS:
            if (settings.data_dir / part).exists():
                shutil.move(settings.data_dir / part, archive / part)
        typer.echo(f"{settings.data_dir} held the market {held}; it is kept in {archive}")
    return wanted


def load_everything(settings: Settings, *, force: bool = False) -> None:
    """Run ``load_history`` over all days of the source, unless exactly that was done before.

    Raises:
        SettingsError: the data directory holds another market.
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.automation.runs import FINGERPRINT, already_loaded, instance

    held = _held(settings)
    if held not in (None, settings.source):
        raise SettingsError(
            "the data directory holds another market",
            where=str(settings.data_dir),
            expected=held,
            found=settings.source,
            hint="set QUANT_DATA_DIR to another directory",
        )
    source = source_of(settings)
    fingerprint = _fingerprint(settings, source.fingerprint())
    write_atomically(settings.market_file, json.dumps({"source": settings.source}).encode())
    with instance(settings) as opened:
        if not force and already_loaded(opened, fingerprint):
            typer.echo(f"{source.name}: loaded already, nothing has changed")
            return
    run_days(
        settings, "load_history", source.first_day, source.last_day, {FINGERPRINT: fingerprint}
    )


def run_days(
    settings: Settings, job: str, start: date, end: date, tags: dict[str, str] | None = None
) -> None:
    """Run a job over a range of days, showing its progress.

    Raises:
        RunFailedError: an asset or a blocking check failed.
    """
    from quant_assets.automation.runs import instance, run
    from quant_assets.definitions import build_definitions

    begun = time.perf_counter()
    typer.echo(f"{job}: {settings.source}, {start} to {end}")
    with instance(settings) as opened:
        outcome = run(build_definitions(settings), opened, job, start, end, tags)
    for warning in outcome.warnings:
        typer.secho(f"  warning: {warning}", fg="yellow")
    typer.echo(f"{job}: done in {time.perf_counter() - begun:.0f} s")


def show_scoreboard(settings: Settings) -> None:
    """Print the scoreboard."""
    from quant_assets.inspection import rows_as_text
    from quant_assets.lake.lake import Lake
    from quant_assets.lake.tables import SCOREBOARD

    with Lake(settings.lake_dir, read_only=True) as lake:
        if not lake.has(SCOREBOARD):
            typer.echo("no scoreboard yet: run `quant-assets load`")
            return
        board = lake.query(
            "SELECT family, score, low, high, mean_ic, std_ic, score_250, days,"
            f" first_day::VARCHAR AS first_day, last_day::VARCHAR AS last_day"
            f" FROM {SCOREBOARD.quoted} ORDER BY score DESC"
        )
    typer.echo("\nscore = mean / std of the daily rank correlation, with its 95 % interval\n")
    typer.echo(rows_as_text(board))


def show_result(settings: Settings) -> None:
    """Print the scoreboard, where the submission lies, and what to try next."""
    show_scoreboard(settings)
    typer.echo(
        f"""
submission: {settings.exports_dir}/submission.parquet and submission.csv

next:
  make ui                                      the graph, its runs and checks, in the browser
  .venv/bin/quant-assets tables                what the lake holds
  .venv/bin/quant-assets describe features.targets
  .venv/bin/quant-assets sql "FROM monitoring.scoreboard"
  .venv/bin/quant-assets shell                 a DuckDB prompt on the lake"""
    )


def _held(settings: Settings) -> str | None:
    if not settings.market_file.exists():
        return None
    return str(json.loads(settings.market_file.read_text())["source"])


def _fingerprint(settings: Settings, source: str) -> str:
    """Changes when the source, the features, or a setting that shapes the result changes."""
    from quant_assets.features.catalogue import CATALOGUE_VERSION
    from quant_assets.models.registry import FAMILIES

    shaping = settings.model_dump_json(exclude={"data_dir", "threads", "retention_days"})
    return sha256("\n".join((source, CATALOGUE_VERSION, *FAMILIES, shaping)).encode()).hexdigest()
