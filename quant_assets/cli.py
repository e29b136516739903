"""``quant-assets``: the command line. Each command is a few lines around what other modules do."""

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from quant_assets.errors import QuantAssetsError
from quant_assets.settings import SIMULATED, Settings, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


@app.command()
def demo(
    data: Annotated[str, typer.Argument(help="A competition folder; nothing: simulated.")] = "",
) -> None:
    """Load everything of a market, export the submission and show the scoreboard."""
    from quant_assets.loading import show_result, use_market

    settings = use_market(load_settings(), data or SIMULATED)
    _load(settings)
    show_result(settings)


@app.command()
def load(
    force: Annotated[bool, typer.Option(help="Load again even if nothing has changed.")] = False,
) -> None:
    """Load the whole history of the source: every asset, in one run."""
    _load(load_settings(), force=force)


@app.command()
def backfill(
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"])],
    end: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"])],
    job: Annotated[str, typer.Option(help="The job to run.")] = "load_history",
) -> None:
    """Run a job over a range of days, as one run."""
    from quant_assets.loading import run_days

    run_days(load_settings(), job, start.date(), end.date())


def _load(settings: Settings, *, force: bool = False) -> None:
    from quant_assets.loading import load_everything

    load_everything(settings, force=force)


@app.command()
def score() -> None:
    """Show the scoreboard."""
    from quant_assets.loading import show_scoreboard

    show_scoreboard(load_settings())


@app.command()
def export() -> None:
    """Write every stored submission to the exports folder."""
    from quant_assets.lake.lake import Lake
    from quant_assets.submission import export as write

    settings = load_settings()
    with Lake(settings.lake_dir, read_only=True) as lake:
        exported = write(lake, settings.exports_dir)
    for file in exported.files:
        typer.echo(f"{file}  {exported.days} days")


@app.command()
def sql(
    statement: str,
    format: Annotated[str, typer.Option(help="table, csv or json")] = "table",
    output: Annotated[Path | None, typer.Option(help="A file instead of the terminal.")] = None,
) -> None:
    """Run a statement on the lake, for reading only."""
    from quant_assets.inspection import run_sql
    from quant_assets.lake.artifacts import write_atomically

    if format not in ("table", "csv", "json"):
        raise typer.BadParameter("one of table, csv, json", param_hint="--format")
    text = run_sql(load_settings().lake_dir, statement, format)
    if output:
        write_atomically(output, text.encode())
    else:
        typer.echo(text, nl=False)


@app.command()
def shell() -> None:
    """Open a DuckDB prompt on the lake, for reading only."""
    from quant_assets.inspection import shell_command

    command = shell_command(load_settings().lake_dir)
    os.execv(command[0], command)


@app.command()
def tables() -> None:
    """List the tables with their rows."""
    from quant_assets.inspection import rows_as_text
    from quant_assets.inspection import tables as list_tables
    from quant_assets.lake.lake import Lake

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        typer.echo(rows_as_text(list_tables(lake)[["name", "rows"]]))


@app.command()
def describe(table: str) -> None:
    """Say what a table holds, column by column."""
    from quant_assets.inspection import describe as look
    from quant_assets.inspection import rows_as_text
    from quant_assets.lake.lake import Lake

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        about, columns = look(lake, table)
    typer.echo(f"{about}\n\n{rows_as_text(columns)}")


@app.command()
def snapshot(file: Path) -> None:
    """Copy the lake into one plain DuckDB file that any client opens."""
    from quant_assets.inspection import snapshot as copy

    begun = time.perf_counter()
    count = copy(load_settings().lake_dir, file)
    typer.echo(f"{file}: {count} tables in {time.perf_counter() - begun:.1f} s")


@app.command()
def doctor() -> None:
    """Check interpreter, extensions, lake, disk, source and settings."""
    from quant_assets.doctor import examine

    findings = list(examine(load_settings()))
    for finding in findings:
        typer.echo(f"{'ok ' if finding.ok else 'BAD'}  {finding.subject:<24} {finding.found}")
        if not finding.ok:
            typer.echo(f"     -> {finding.advice}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
) -> None:
    """Open Dagster: webserver and daemon."""
    from quant_assets.automation.runs import WORKSPACE_FILE, prepare_home

    os.environ.update(prepare_home(load_settings()))
    program = str(Path(sys.executable).with_name("dagster"))
    command = [program, "dev", "-w", str(WORKSPACE_FILE), "-h", host, "-p", str(port)]
    os.execv(program, command)


def main() -> None:
    """Entry point: a user's error is a message, not a traceback."""
    try:
        app()
    except QuantAssetsError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
