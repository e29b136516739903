"""Commands that compute: load, backfill, walk forward, tune, repeat a fit, score, export.

Commands that only read are in ``viewing``.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from quant_assets.cli.app import app
from quant_assets.cli.options import AsKnown, find_asked_snapshot
from quant_assets.core.settings import SIMULATED, is_source_given, load_settings

Families = Annotated[str, typer.Option(help="'fast', 'all', or names joined by commas.")]
_DAY: dict[str, Any] = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}


@app.command()
def demo(
    data: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A market.yaml, or a folder in the competition's format; default: QUANT_SOURCE.",
        ),
    ] = "",
    families: Families = "",
) -> None:
    """Load a market, export its submission, show its scores."""
    from quant_assets.commands.archiving import prepare_data_directory
    from quant_assets.commands.loading import load_everything
    from quant_assets.commands.summaries import show_result

    given = {"families": families} if families else {}
    # Without a folder `demo` loads the simulated market, whichever the directory holds.
    if data or not is_source_given():
        given["source"] = data or SIMULATED
    settings = load_settings(**given)
    prepare_data_directory(settings)
    load_everything(settings)
    show_result(settings)


@app.command()
def load(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="As of `demo`; default: the market that is held, or QUANT_SOURCE.",
        ),
    ] = "",
    force: Annotated[bool, typer.Option(help="Load again even if nothing has changed.")] = False,
    yes: Annotated[
        bool, typer.Option(help="Go on without asking if the description has changed.")
    ] = False,
) -> None:
    """Load the whole history of the source in one run."""
    from quant_assets.commands.loading import load_everything

    given = {"source": source} if source else {}
    load_everything(load_settings(**given), force=force, yes=yes)


@app.command()
def move_source(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Where the market that is held lies now.")
    ],
) -> None:
    """Say that the same market lies in another folder now.

    Its prices are compared first.
    """
    from quant_assets.commands import moving

    typer.echo(moving.move_source(load_settings(), folder))
    typer.echo("if Dagster is open, open it again: it still reads the former folder")
    if is_source_given():
        typer.echo("QUANT_SOURCE is set: commands use its folder, not the one that is recorded")


@app.command()
def backfill(
    start: Annotated[datetime, typer.Option("--from", help="First day.", **_DAY)],
    end: Annotated[datetime, typer.Option("--to", help="Last day.", **_DAY)],
    job: Annotated[str, typer.Option(help="The job to run.")] = "load_history",
    run_id: Annotated[str, typer.Option(hidden=True, help="Id of the run, a UUID.")] = "",
) -> None:
    """Run a job over a range of days, as one run."""
    from quant_assets.quality import worker

    worker.begin_worker()
    from quant_assets.commands.loading import run_range

    run_range(load_settings(), job, start.date(), end.date(), run_id)


@app.command()
def revise() -> None:
    """Take over what the source has changed in the past.

    Prices, labels, features and scores are done again; what was submitted stays.
    """
    from quant_assets.commands.revising import run_revision

    run_revision(load_settings())


@app.command()
def walk_forward(
    families: Families = "",
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FAMILY.PARAMETER=VALUE",
            help="A parameter for this run, for example ridge.shrinkage=0.7; may be repeated.",
        ),
    ] = None,
) -> None:
    """Fit and score families over the whole history.

    Finished fits are kept.
    """
    from quant_assets.commands.loading import run_walk_forward
    from quant_assets.commands.summaries import show_scoreboard

    settings = load_settings(**({"families": families} if families else {}))
    run_walk_forward(settings, given or ())
    show_scoreboard(settings)


@app.command()
def tune(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="For example ridge.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(help="Search on what was known on this day; default: the newest.", **_DAY),
    ] = None,
    broad: Annotated[int, typer.Option(min=1, help="Trials over the whole space.")] = 20,
    narrow: Annotated[int, typer.Option(min=0, help="Trials around the best of those.")] = 30,
    minutes: Annotated[
        float, typer.Option(min=0, help="Minutes after which no fit begins.")
    ] = 30.0,
    validation_days: Annotated[
        int, typer.Option(min=2, help="Days that each fit is scored on.")
    ] = 90,
    step_days: Annotated[
        int, typer.Option(min=1, help="Days from one fit of a trial to the next.")
    ] = 30,
) -> None:
    """Search a family's parameters.

    Fits as of that day or later use the best. An interrupted search continues where it stopped.
    """
    from quant_assets.commands.loading import run_study
    from quant_assets.commands.summaries import show_study

    limits = {
        "broad": broad,
        "narrow": narrow,
        "minutes": minutes,
        "validation_days": validation_days,
        "step_days": step_days,
    }
    settings = load_settings()
    day = run_study(settings, family, as_of.date() if as_of else None, limits)
    show_study(settings, family, day)


@app.command()
def repeat(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="For example ridge.")],
    as_of: Annotated[datetime, typer.Option(help="As-of day of the fit.", **_DAY)],
    as_known: AsKnown = None,
) -> None:
    """Make a stored fit again from its record, and compare."""
    from quant_assets.lake.store.lake import Lake
    from quant_assets.training.reproduction import repeat_fit

    settings = load_settings()
    snapshot = find_asked_snapshot(settings.lake_dir, as_known)
    with Lake(settings.lake_dir, read_only=True, snapshot=snapshot) as lake:
        reproduction = repeat_fit(lake, family, as_of.date(), settings.threads)
    typer.echo(f"{family} as of {as_of.date()}, on snapshot {reproduction.recorded['snapshot']}")
    typer.echo(f"recorded  {reproduction.recorded['sha256']}")
    typer.echo(f"repeated  {reproduction.repeated['sha256']}")
    typer.echo("both models are the same to the bit" if reproduction.same else "the models differ")
    for difference in reproduction.changed:
        typer.echo(f"changed since: {difference}")
    raise typer.Exit(0 if reproduction.same else 1)


@app.command()
def score(
    output: Annotated[
        Path | None, typer.Option(help="Write the whole scoreboard to a Markdown file.")
    ] = None,
) -> None:
    """Show the scoreboard."""
    from quant_assets.commands.console import write_output
    from quant_assets.commands.scoreboard_page import render_scoreboard, require_page
    from quant_assets.commands.summaries import show_scoreboard
    from quant_assets.lake.store.lake import Lake

    settings = load_settings()
    if output is None:
        show_scoreboard(settings)
        return
    require_page(output)
    with Lake(settings.lake_dir, read_only=True) as lake:
        write_output(output, render_scoreboard(lake).encode())
    typer.echo(f"written to {output}")


@app.command()
def export() -> None:
    """Write every stored submission to the exports folder."""
    from quant_assets.lake.store.lake import Lake
    from quant_assets.market.description.reading import open_description
    from quant_assets.submission.submission import export_submission

    settings = load_settings()
    with Lake(settings.lake_dir, read_only=True) as lake:
        form = open_description(settings).submission
        exported = export_submission(lake, form, settings.exports_dir)
    for file in exported.files:
        typer.echo(f"{file}  {exported.days} days")
