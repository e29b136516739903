"""Commands that read: the lake, alerts, reports, the machine; and the servers to look with."""

import os
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from quant_assets.alerts.alert_lifecycle import Level
from quant_assets.cli.app import app
from quant_assets.cli.options import AsKnown, Readable, find_asked_snapshot
from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.settings import load_settings

Format = Literal["table", "csv", "json", "parquet"]
Period = Literal["daily", "weekly", "monthly"]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Let other machines reach it, although it asks no one.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")]


@app.command()
def sql(
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help='For example "FROM monitoring.scoreboard".')
    ],
    format: Annotated[
        Format | None, typer.Option(help="How to write the rows; else as the file's name ends.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A file instead of the terminal: .csv, .json, .parquet or .txt."),
    ] = None,
    as_known: AsKnown = None,
    read: Readable = None,
) -> None:
    """Run a statement on the lake, for reading only."""
    from quant_assets.commands.console import write_output
    from quant_assets.commands.sql_console import choose_format, run_sql

    lake = load_settings().lake_dir
    rows = run_sql(
        lake,
        statement,
        choose_format(format, output),
        snapshot=find_asked_snapshot(lake, as_known),
        readable=read or (),
    )
    if output:
        write_output(output, rows)
    else:
        typer.echo(rows, nl=False)


@app.command()
def shell(as_known: AsKnown = None, read: Readable = None) -> None:
    """Open a prompt for SQL on the lake, for reading only."""
    from quant_assets.commands.sql_console import run_prompt

    lake = load_settings().lake_dir
    good = run_prompt(lake, snapshot=find_asked_snapshot(lake, as_known), readable=read or ())
    raise typer.Exit(0 if good else 1)


@app.command()
def tables() -> None:
    """List the tables, their rows and what a row is.

    A dash for rows: the table was never written.
    """
    from quant_assets.commands.console import format_table
    from quant_assets.commands.inspection import list_tables
    from quant_assets.lake.store.lake import Lake
    from quant_assets.models.registry import select_families

    settings = load_settings()
    with Lake(settings.lake_dir, read_only=True) as lake:
        listed = list_tables(lake, select_families(settings.families))
    grain = listed["description"].str.split(". ", regex=False).str[0].str.removesuffix(".")
    typer.echo(format_table(listed.assign(description=grain), wrap="description"))


@app.command()
def describe(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="For example features.targets.")],
) -> None:
    """Describe a table, column by column."""
    from quant_assets.commands.console import format_table, wrap_text
    from quant_assets.commands.inspection import describe_table
    from quant_assets.lake.store.lake import Lake
    from quant_assets.models.registry import select_families

    settings = load_settings()
    with Lake(settings.lake_dir, read_only=True) as lake:
        meaning, columns = describe_table(lake, table, select_families(settings.families))
    typer.echo(f"{wrap_text(meaning)}\n\n{format_table(columns, wrap='meaning')}")


@app.command()
def snapshot(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.duckdb", help="A file that does not exist yet.")
    ],
    as_known: AsKnown = None,
) -> None:
    """Copy the lake into one DuckDB file that any client opens."""
    from quant_assets.commands.inspection import copy_lake

    begun = time.perf_counter()
    lake = load_settings().lake_dir
    count = copy_lake(lake, file, find_asked_snapshot(lake, as_known))
    typer.echo(f"{file}: {count} tables in {time.perf_counter() - begun:.1f} s")


@app.command()
def alerts(
    everything: Annotated[bool, typer.Option("--all", help="List ended alerts as well.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send dead letters again.")] = False,
    close: Annotated[
        str, typer.Option(metavar="KEY", help="Close an alert that nothing ends by itself.")
    ] = "",
    test: Annotated[
        Level | None, typer.Option(help="Send a test message to this level's channels.")
    ] = None,
) -> None:
    """List open alerts, when they were sent, and dead letters."""
    from quant_assets.commands import alerts

    settings = load_settings()
    if test:
        failures = 0
        for name, error in alerts.try_channels(settings, test):
            typer.echo(f"{name}: {error or 'sent'}")
            failures += error is not None
        raise typer.Exit(1 if failures else 0)
    if resend:
        typer.echo(alerts.resend(settings))
    elif close:
        typer.echo(alerts.close_alert(settings, close))
    else:
        typer.echo(alerts.list_alerts(settings, closed=everything))


@app.command()
def report(
    day: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="Last day of the page; default: the newest.",
        ),
    ] = None,
    period: Annotated[Period, typer.Option(help="Period that the page covers.")] = "daily",
    look: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write the report of a day, week or month as one HTML file."""
    from quant_assets.commands.reporting import write_report

    page = write_report(load_settings(), period, day.date() if day else None)
    typer.echo(str(page))
    if look:
        typer.launch(page.as_uri())


@app.command()
def doctor() -> None:
    """Check libraries, disk, lake, source and settings."""
    from quant_assets.commands.doctor import run_checks

    try:
        settings = load_settings()
    except QuantAssetsError as error:
        typer.echo(f"BAD  settings\n{error}")
        raise typer.Exit(1) from None
    findings = list(run_checks(settings))
    for finding in findings:
        typer.echo(f"{'ok ' if finding.ok else 'BAD'}  {finding.subject:<24}  {finding.value}")
        if not finding.ok:
            typer.echo(f"     -> {finding.advice}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def mlflow(host: Host = "127.0.0.1", port: Port = 5000, insecure: Insecure = False) -> None:
    """Open MLflow: the runs of all fits, and the model registry."""
    from quant_assets.commands.servers import mlflow_command

    _warn_of_exposure(host, insecure)
    command = mlflow_command(load_settings(), host, port)
    os.execv(command[0], command)  # noqa: S606 - MLflow takes this process's place


@app.command()
def ui(host: Host = "127.0.0.1", port: Port = 3000, insecure: Insecure = False) -> None:
    """Open Dagster: webserver and daemon."""
    from quant_assets.commands.servers import serve_dagster

    _warn_of_exposure(host, insecure)
    serve_dagster(load_settings(), host, port, typer.echo)


@app.command()
def metrics(host: Host = "127.0.0.1", port: Port = 9300, insecure: Insecure = False) -> None:
    """Serve metrics of lake and runs for Prometheus to scrape."""
    from quant_assets.commands.servers import serve_metrics

    _warn_of_exposure(host, insecure)
    serve_metrics(load_settings(), host, port, lambda url: typer.echo(f"metrics on {url}"))


def _warn_of_exposure(host: str, insecure: bool) -> None:
    from quant_assets.commands.exposure import require_private

    if warning := require_private(host, insecure=insecure):
        typer.secho(f"warning: {warning}", fg="yellow", err=True)
