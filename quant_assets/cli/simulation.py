"""``quant-assets rehearse``: the platform runs through a simulated year."""

import time
from typing import Annotated

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings


@app.command()
def rehearse(
    days: Annotated[int, typer.Option(min=1, max=250, help="Trading days to simulate.")] = 250,
    faults: Annotated[bool, typer.Option(help="Whether incidents are planted.")] = True,
    revised: Annotated[
        bool, typer.Option(help="Whether the vendor also changes what it has delivered.")
    ] = False,
) -> None:
    """Run the platform through a simulated year, day by day.

    Everything happens that can go wrong. Schedules and sensors work on a market that comes day by
    day, in a data directory of its own below the present one. At the end a table says what went
    wrong, how it was detected, and how long it lasted. Nothing else in the data directory is
    touched.

    With --revised the vendor also restates, corrects and withdraws what it has delivered.
    """
    from quant_assets.commands.console import format_table
    from quant_assets.simulation.driver import Rehearsal
    from quant_assets.simulation.plan import Plan
    from quant_assets.simulation.scenario import HURRIED, YEAR_DAYS, build_scenario

    begun = time.perf_counter()
    root = load_settings().data_dir / "rehearsal"
    hurried = HURRIED if days < YEAR_DAYS else {}
    incidents = build_scenario(days, revised) if faults else ()
    plan = Plan(root, days, incidents, slim=True, settings=hurried)
    rehearsal = Rehearsal(plan, typer.echo)
    assessment = rehearsal.run()
    typer.echo(f"\n{format_table(assessment.table())}\n")
    for name, text in assessment.figures.items():
        typer.echo(f"{name}: {text}")
    for failure in assessment.failures:
        typer.secho(f"failed: {failure}", fg="red")
    typer.echo(f"{time.perf_counter() - begun:.0f} s; everything is in {root}")
    raise typer.Exit(1 if assessment.failures else 0)
