"""``quant-assets submissions``: list the versions of submissions, compare them, submit again."""

from datetime import datetime
from typing import Annotated, Any

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings

submissions = typer.Typer(help="List submissions; compare versions; submit again.")
app.add_typer(submissions, name="submissions")
_DAY: dict[str, Any] = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}
Day = Annotated[datetime, typer.Argument(help="The trading day.", **_DAY)]


@submissions.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    day: Annotated[
        datetime | None, typer.Option(help="Only the versions of this day.", **_DAY)
    ] = None,
) -> None:
    """List the submissions of the newest days with their origin and all their versions."""
    if context.invoked_subcommand:
        return
    from quant_assets.commands.console import format_table
    from quant_assets.lake.store.lake import Lake
    from quant_assets.submission.versions import list_versions

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        rows = list_versions(lake, day.date() if day else None)
    if rows.empty:
        typer.echo("no such day was submitted")
        raise typer.Exit(1)
    rows["trading_day"] = rows["trading_day"].dt.date
    for column in ("stored_at", "replaced_at"):
        rows[column] = rows[column].dt.floor("s")
    typer.echo(format_table(rows, wrap="reason"))


@submissions.command()
def compare(
    day: Day,
    first: Annotated[int, typer.Argument(min=1, help="Number of the first version.")] = 1,
    second: Annotated[int, typer.Argument(min=1, help="Number of the second version.")] = 2,
) -> None:
    """Compare two versions of a day's submission.

    Shows the targets whose ranks moved most.
    """
    from quant_assets.commands.console import format_table
    from quant_assets.lake.store.lake import Lake
    from quant_assets.submission.versions import compare_versions

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        rows = compare_versions(lake, day.date(), first, second)
    differ = int((rows.iloc[:, 1] != rows.iloc[:, 2]).sum())
    correlation = rows.iloc[:, 3].corr(rows.iloc[:, 4])
    typer.echo(f"{differ} of {len(rows)} values differ; rank correlation {correlation:.3f}")
    if differ:
        typer.echo(format_table(rows.head(10)))


@submissions.command()
def again(
    day: Day,
    reason: Annotated[str, typer.Option(help="Why; stored with the version that is replaced.")],
) -> None:
    """Forecast and submit a day again, as a new version.

    Rows that were submitted live are kept in the schema ``superseded``, with the reason. Rows of
    the history are replaced: they were never submitted, and no version of them is kept.
    """
    from quant_assets.commands.revising import run_resubmission

    run_resubmission(load_settings(), day.date(), reason)
