"""Commands that compute: loading, backfilling, fitting, tuning, judging, exporting."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import SIMULATED, is_source_given, load_settings

Families = Annotated[str, typer.Option(help="'fast', 'all', or names joined by commas.")]
_DAY: dict[str, Any] = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}


@app.command()
def demo(
    data: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="A folder in the competition's format; else QUANT_SOURCE."
        ),
    ] = "",
    families: Families = "",
) -> None:
    """Load a whole market, export its submission, show the scoreboard."""
    from quant_assets.commands.loading import load_everything, prepare_data_directory
    from quant_assets.commands.summaries import show_result

    given = {"families": families} if families else {}
    # A bare `demo` is of the simulated market, whichever is held.
    if data or not is_source_given():
        given["source"] = data or SIMULATED
    settings = load_settings(**given)
    prepare_data_directory(settings)
    load_everything(settings)
    show_result(settings)


@app.command()
def load(
    force: Annotated[bool, typer.Option(help="Load again even if nothing has changed.")] = False,
) -> None:
    """Load the whole history of the source: every asset, in one run."""
    from quant_assets.commands.loading import load_everything

    load_everything(load_settings(), force=force)


@app.command()
def backfill(
    start: Annotated[datetime, typer.Option("--from", help="First day.", **_DAY)],
    end: Annotated[datetime, typer.Option("--to", help="Last day.", **_DAY)],
    job: Annotated[str, typer.Option(help="The job to run.")] = "load_history",
) -> None:
    """Run a job over a range of days, as one run."""
    from quant_assets.quality import worker

    worker.begin_worker()
    from quant_assets.commands.loading import run_range

    run_range(load_settings(), job, start.date(), end.date())


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
    from quant_assets.commands.loading import run_walk_forward as walk
    from quant_assets.commands.summaries import show_scoreboard

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
    from quant_assets.commands.loading import run_study as search
    from quant_assets.commands.summaries import show_study

    limits = {
        "broad": broad,
        "narrow": narrow,
        "minutes": minutes,
        "validation_days": validation_days,
        "step_days": step_days,
    }
    settings = load_settings()
    day = search(settings, family, as_of.date() if as_of else None, limits)
    show_study(settings, family, day)


@app.command()
def repeat(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="For example ridge.")],
    as_of: Annotated[datetime, typer.Option(help="The fit's day.", **_DAY)],
) -> None:
    """Make a stored fit again from its record alone, and compare the models."""
    from quant_assets.lake.store.lake import Lake
    from quant_assets.training.reproduction import repeat_fit as make_again

    settings = load_settings()
    with Lake(settings.lake_dir, read_only=True) as lake:
        again = make_again(lake, family, as_of.date(), settings.threads)
    typer.echo(f"{family} as of {as_of.date()}, on snapshot {again.recorded['snapshot']}")
    typer.echo(f"recorded  {again.recorded['sha256']}")
    typer.echo(f"repeated  {again.made['sha256']}")
    typer.echo("the same model, to the bit" if again.same else "another model")
    for difference in again.changed:
        typer.echo(f"changed since: {difference}")
    raise typer.Exit(0 if again.same else 1)


@app.command()
def score(
    output: Annotated[Path | None, typer.Option(help="Write it all to a Markdown file.")] = None,
) -> None:
    """Show the scoreboard."""
    from quant_assets.commands.scoreboard_page import render_scoreboard
    from quant_assets.commands.summaries import show_scoreboard
    from quant_assets.lake.store.artifacts import write_atomically
    from quant_assets.lake.store.lake import Lake

    settings = load_settings()
    if output is None:
        show_scoreboard(settings)
        return
    with Lake(settings.lake_dir, read_only=True) as lake:
        write_atomically(output, render_scoreboard(lake).encode())
    typer.echo(f"written to {output}")


@app.command()
def export() -> None:
    """Write every stored submission to the exports folder."""
    from quant_assets.lake.store.lake import Lake
    from quant_assets.submission.submission import export_submission as write

    settings = load_settings()
    with Lake(settings.lake_dir, read_only=True) as lake:
        exported = write(lake, settings.exports_dir)
    for file in exported.files:
        typer.echo(f"{file}  {exported.days} days")
