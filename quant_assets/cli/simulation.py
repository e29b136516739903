"""The command that rehearses a desk."""

import time
from typing import Annotated

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings


@app.command()
def rehearse(
    days: Annotated[int, typer.Option(min=1, max=250, help="Trading days to live through.")] = 250,
    faults: Annotated[bool, typer.Option(help="Whether anything goes wrong.")] = True,
) -> None:
    """Live through a simulated year, day by day, with everything that can go wrong.

    A desk of its own below the data directory is driven by its schedules and sensors, on a market
    that comes day by day; at the end a table says what went wrong, how it was noticed, and how long
    it lasted. Nothing else in the data directory is touched.
    """
    from quant_assets.commands.console import format_table
    from quant_assets.simulation.driver import Rehearsal
    from quant_assets.simulation.plan import Plan
    from quant_assets.simulation.scenario import HURRIED, YEAR_DAYS, build_scenario

    begun = time.perf_counter()
    root = load_settings().data_dir / "rehearsal"
    hurried = HURRIED if days < YEAR_DAYS else {}
    plan = Plan(root, days, build_scenario(days) if faults else (), slim=True, settings=hurried)
    rehearsal = Rehearsal(plan, typer.echo)
    verdict = rehearsal.run()
    typer.echo(f"\n{format_table(verdict.table())}\n")
    for name, text in verdict.figures.items():
        typer.echo(f"{name}: {text}")
    for failing in verdict.failings:
        typer.secho(f"failed: {failing}", fg="red")
    typer.echo(f"{time.perf_counter() - begun:.0f} s; everything is in {root}")
    raise typer.Exit(1 if verdict.failings else 0)
