"""``quant-assets review``: list flagged prices, and accept or reject them."""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings

if TYPE_CHECKING:
    from quant_assets.quality.review_decisions import ReviewAction

review = typer.Typer(help="List flagged prices; accept or reject one, or undo that.")
app.add_typer(review, name="review")

_DAY: dict[str, Any] = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}
Day = Annotated[datetime, typer.Argument(help="The trading day.", **_DAY)]
Instrument = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="As the list names it.")]
Field = Annotated[str, typer.Option(help="Field of the price.")]
Reason = Annotated[str, typer.Option(help="Why; stored with the decision.")]
MadeBy = Annotated[str, typer.Option("--by", help="Who decides; default: the user's name.")]


@review.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    days: Annotated[
        int, typer.Option(min=1, help="How many of the newest trading days to look at.")
    ] = 250,
) -> None:
    """List the flagged closes that wait for a decision, newest first, with their context."""
    if context.invoked_subcommand:
        return
    from quant_assets.commands.reviewing import show_queue

    show_queue(load_settings(), days)


@review.command()
def accept(
    day: Day,
    instrument: Instrument,
    reason: Reason,
    field: Field = "close",
    made_by: MadeBy = "",
) -> None:
    """Accept a flagged price: it is used, and not flagged any more.

    Accepts a price of a bar that contradicts itself as well.
    """
    _decide("accept", day, instrument, field, reason, made_by)


@review.command()
def reject(
    day: Day,
    instrument: Instrument,
    reason: Reason,
    field: Field = "close",
    made_by: MadeBy = "",
) -> None:
    """Reject a flagged price: it is not used, as if the source had not given it."""
    _decide("reject", day, instrument, field, reason, made_by)


@review.command()
def undo(
    day: Day,
    instrument: Instrument,
    reason: Reason,
    field: Field = "close",
    made_by: MadeBy = "",
) -> None:
    """Undo the decision about a price: it is as the rules of cleaning have it."""
    _decide("undo", day, instrument, field, reason, made_by)


def _decide(
    decision: "ReviewAction", day: datetime, instrument: str, field: str, reason: str, made_by: str
) -> None:
    from quant_assets.commands.reviewing import decide_on_console
    from quant_assets.review.deciding import ReviewRequest

    maker = made_by or getpass.getuser()
    request = ReviewRequest(decision, day.date(), instrument, field, reason, maker)
    decide_on_console(load_settings(), request)
