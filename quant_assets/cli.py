"""``quant-assets``: the command line. Each command is a few lines around what other modules do."""

import gc
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from quant_assets.alerts.states import Level
from quant_assets.errors import QuantAssetsError
from quant_assets.settings import SIMULATED, load_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings are QUANT_* variables; `quant-assets doctor` lists them.",
)
Families = Annotated[str, typer.Option(help="'fast', 'all', or names joined by commas.")]
Format = Literal["table", "csv", "json"]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on.")]
_DAY: dict[str, Any] = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}


@app.callback()
def about() -> None:
    """A daily forecasting desk: every artifact a Dagster asset, every table in DuckDB.

    Begin with `demo`; look around with `ui`, `tables`, `describe` and `sql`.
    """


@app.command()
def demo(
    data: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="A folder in the competition's format; else: simulated."
        ),
    ] = "",
    families: Families = "",
) -> None:
    """Load a whole market, export its submission, show the scoreboard."""
    from quant_assets.loading import load_everything, make_room, show_result

    given = {"families": families} if families else {}
    settings = load_settings(source=data or SIMULATED, **given)
    make_room(settings)
    load_everything(settings)
    show_result(settings)


@app.command()
def load(
    force: Annotated[bool, typer.Option(help="Load again even if nothing has changed.")] = False,
) -> None:
    """Load the whole history of the source: every asset, in one run."""
    from quant_assets.loading import load_everything

    load_everything(load_settings(), force=force)


@app.command()
def backfill(
    start: Annotated[datetime, typer.Option("--from", help="First day.", **_DAY)],
    end: Annotated[datetime, typer.Option("--to", help="Last day.", **_DAY)],
    job: Annotated[str, typer.Option(help="The job to run.")] = "load_history",
) -> None:
    """Run a job over a range of days, as one run."""
    from quant_assets.quality import worker

    worker.begin()
    from quant_assets.loading import run_days

    run_days(load_settings(), job, start.date(), end.date())


@app.command()
def walk_forward(
    families: Families = "",
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FAMILY.PARAMETER=VALUE",
            help="A parameter of this walk, for example ridge.shrinkage=0.7; may be repeated.",
        ),
    ] = None,
) -> None:
    """Fit and judge families over the whole history; finished fits are kept."""
    from quant_assets.loading import show_scoreboard
    from quant_assets.loading import walk_forward as walk

    settings = load_settings(**({"families": families} if families else {}))
    walk(settings, given or ())
    show_scoreboard(settings)


@app.command()
def tune(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="For example ridge.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(help="Search on what was known on this day; else: the newest.", **_DAY),
    ] = None,
    broad: Annotated[int, typer.Option(min=1, help="Trials over the whole space.")] = 20,
    narrow: Annotated[int, typer.Option(min=0, help="Trials around the best of those.")] = 30,
    minutes: Annotated[float, typer.Option(min=0, help="After them no fit is begun.")] = 30.0,
    validation_days: Annotated[int, typer.Option(min=2, help="Each fit is judged on.")] = 90,
    step_days: Annotated[int, typer.Option(min=1, help="From fit to fit of a trial.")] = 30,
) -> None:
    """Search a family's parameters; fits as of that day or later use the best.

    A search that was interrupted goes on.
    """
    from quant_assets.loading import tune as search

    limits = {
        "broad": broad,
        "narrow": narrow,
        "minutes": minutes,
        "validation_days": validation_days,
        "step_days": step_days,
    }
    search(load_settings(), family, as_of.date() if as_of else None, limits)


@app.command()
def repeat(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="For example ridge.")],
    as_of: Annotated[datetime, typer.Option(help="The fit's day.", **_DAY)],
) -> None:
    """Make a stored fit again from its record alone, and compare the models."""
    from quant_assets.evaluation.repeating import repeat as make_again
    from quant_assets.lake.lake import Lake

    settings = load_settings()
    with Lake(settings.lake_dir, read_only=True) as lake:
        again = make_again(lake, family, as_of.date(), settings.threads)
    typer.echo(f"{family} as of {as_of.date()}, on snapshot {again.recorded['snapshot']}")
    typer.echo(f"recorded  {again.recorded['sha256']}")
    typer.echo(f"repeated  {again.made['sha256']}")
    for difference in again.changed:
        typer.echo(f"changed since: {difference}")
    raise typer.Exit(0 if again.same else 1)


@app.command()
def score(
    output: Annotated[Path | None, typer.Option(help="Write it all to a Markdown file.")] = None,
) -> None:
    """Show the scoreboard."""
    from quant_assets.lake.artifacts import write_atomically
    from quant_assets.lake.lake import Lake
    from quant_assets.loading import show_scoreboard
    from quant_assets.scorecard import page

    settings = load_settings()
    if output is None:
        show_scoreboard(settings)
        return
    with Lake(settings.lake_dir, read_only=True) as lake:
        write_atomically(output, page(lake).encode())
    typer.echo(f"written to {output}")


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
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help='For example "FROM monitoring.scoreboard".')
    ],
    format: Annotated[Format, typer.Option(help="How to write the rows.")] = "table",
    output: Annotated[Path | None, typer.Option(help="A file instead of the terminal.")] = None,
) -> None:
    """Run a statement on the lake, for reading only."""
    from quant_assets.inspection import run_sql
    from quant_assets.lake.artifacts import write_atomically

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
    os.execv(command[0], command)  # noqa: S606 - the prompt takes this process's place


@app.command()
def tables() -> None:
    """List the tables: rows, and what a row is."""
    from quant_assets.console import table_text
    from quant_assets.inspection import tables as list_tables
    from quant_assets.lake.lake import Lake

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        found = list_tables(lake)
    grain = found["description"].str.split(". ", regex=False).str[0].str.removesuffix(".")
    typer.echo(table_text(found.assign(description=grain), wrap="description"))


@app.command()
def describe(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="For example features.targets.")],
) -> None:
    """Say what a table holds, column by column."""
    from quant_assets.console import paragraph, table_text
    from quant_assets.inspection import describe as look
    from quant_assets.lake.lake import Lake

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        meaning, columns = look(lake, table)
    typer.echo(f"{paragraph(meaning)}\n\n{table_text(columns, wrap='meaning')}")


@app.command()
def snapshot(
    file: Annotated[Path, typer.Argument(metavar="FILE.duckdb", help="A file not there yet.")],
) -> None:
    """Copy the lake into one plain DuckDB file that any client opens."""
    from quant_assets.inspection import snapshot as copy

    begun = time.perf_counter()
    count = copy(load_settings().lake_dir, file)
    typer.echo(f"{file}: {count} tables in {time.perf_counter() - begun:.1f} s")


@app.command()
def alerts(
    everything: Annotated[bool, typer.Option("--all", help="Those that ended as well.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send what was given up again.")] = False,
    close: Annotated[
        str, typer.Option(metavar="KEY", help="Close one that nothing ends by itself.")
    ] = "",
    test: Annotated[
        Level | None, typer.Option(help="Send a test message to this level's channels.")
    ] = None,
) -> None:
    """List open alerts; whom they were told to, and what was given up."""
    from quant_assets import bulletin

    settings = load_settings()
    if test:
        failures = 0
        for name, error in bulletin.trial(settings, test):
            typer.echo(f"{name}: {error or 'sent'}")
            failures += error is not None
        raise typer.Exit(1 if failures else 0)
    if resend:
        typer.echo(bulletin.send_again(settings))
    elif close:
        typer.echo(bulletin.close(settings, close))
    else:
        typer.echo(bulletin.listing(settings, closed=everything))


@app.command()
def doctor() -> None:
    """Check interpreter, extensions, disk, lake, source and settings."""
    from quant_assets.doctor import examine

    try:
        settings = load_settings()
    except QuantAssetsError as error:
        typer.echo(f"BAD  settings\n{error}")
        raise typer.Exit(1) from None
    findings = list(examine(settings))
    for finding in findings:
        typer.echo(f"{'ok ' if finding.ok else 'BAD'}  {finding.subject:<24}  {finding.found}")
        if not finding.ok:
            typer.echo(f"     -> {finding.advice}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def mlflow(host: Host = "127.0.0.1", port: Port = 5000) -> None:
    """Open MLflow: the runs of all fits, and the model registry."""
    from quant_assets.servers import mlflow_command

    command = mlflow_command(load_settings(), host, port)
    os.execv(command[0], command)  # noqa: S606 - MLflow takes this process's place


@app.command()
def ui(host: Host = "127.0.0.1", port: Port = 3000) -> None:
    """Open Dagster: webserver and daemon."""
    from quant_assets.servers import dagster_command

    command = dagster_command(load_settings(), host, port)
    os.execv(command[0], command)  # noqa: S606 - Dagster takes this process's place


def main() -> None:
    """Entry point: a user's error is a message, not a traceback."""
    # Half of a short command is importing, and a tenth of that would be looking for garbage.
    gc.set_threshold(200_000)
    try:
        app()
    except QuantAssetsError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.strerror or error}\n  where: {error.filename or 'the system'}")


def _fail(message: str) -> NoReturn:
    typer.secho(f"error: {message}", fg="red", err=True)
    sys.exit(1)
