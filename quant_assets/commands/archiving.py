"""Make room for another market: the files of the market that is held move to an archive.

Loading the market then belongs in ``commands.loading``.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import typer

from quant_assets.commands.running import check_readable
from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import Settings, market_in_settings, read_held_market
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
        SettingsError: Dagster is open for the market that is held, or a run goes on; likewise.
    """
    from quant_assets.orchestration.execution.daemon_lock import hold_daemon_lock

    held = read_held_market(settings)
    if held is None or held.same_as(market_in_settings(settings)):
        return
    source = open_source(settings)
    check_readable(source, source.first_day, source.last_day)
    with hold_daemon_lock(settings.dagster_home):
        _require_no_run(settings)
        archive = _archive_market(settings)
    typer.echo(f"{settings.data_dir} held the market {held}; its files are now in {archive}")
    typer.echo("if MLflow is open, open it again: it still shows that market")


def _require_no_run(settings: Settings) -> None:
    from quant_assets.orchestration.execution.run_locks import find_run_in_progress
    from quant_assets.orchestration.execution.runs import open_instance

    with open_instance(settings) as opened:
        run = find_run_in_progress(opened)
    if run:
        raise SettingsError(
            "the market cannot be archived while a run uses it",
            where=str(settings.data_dir),
            expected="no run in progress",
            found=f"run {run.run_id} of {run.job_name}",
            hint="wait for its end or end it, or set QUANT_DATA_DIR to another directory",
        )


def _archive_market(settings: Settings) -> Path:
    """Move the files of the market that is held; return the folder they are in now."""
    archive = settings.data_dir / "archive" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    archive.mkdir(parents=True)
    for part in _MARKET_PARTS:
        if (settings.data_dir / part).exists():
            shutil.move(settings.data_dir / part, archive / part)
    return archive
