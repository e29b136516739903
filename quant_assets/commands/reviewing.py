"""Show the queue of flagged prices, and record decisions about them, from the command line."""

from typing import TYPE_CHECKING

import typer

from quant_assets.commands.console import format_table
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings, require_market
from quant_assets.sources.registry import open_source

if TYPE_CHECKING:
    from quant_assets.review.deciding import ReviewRequest

_DONE = {"accept": "accepted", "reject": "rejected", "undo": "decision undone"}


def show_queue(settings: Settings, days: int) -> None:
    """Print the flagged closes that wait for a decision, and the decisions not applied yet.

    Args:
        settings: name the data directory.
        days: number of the newest trading days to look at.

    Raises:
        LakeError: there is no lake, or no prices are stored.
    """
    from quant_assets.lake.readers.days import read_days
    from quant_assets.lake.schemas.price_tables import RAW_PRICES
    from quant_assets.lake.store.lake import Lake
    from quant_assets.quality.review_decisions import read_decisions
    from quant_assets.review.queue import list_queue
    from quant_assets.revisions.differences import describe_differences
    from quant_assets.revisions.reviewed_cells import find_unapplied_decisions

    with Lake(settings.lake_dir, read_only=True) as lake, lake.at_once():
        rows = list_queue(lake, days)
        decisions, stored = read_decisions(lake), read_days(lake, RAW_PRICES)
        unapplied = find_unapplied_decisions(lake, decisions, stored)
    if unapplied:
        typer.echo(f"not applied yet, `quant-assets revise`: {describe_differences(unapplied)}")
    if rows.empty:
        typer.echo(f"no flagged close of the newest {days} days waits for a decision")
        return
    typer.echo(format_table(rows))
    typer.echo('\nquant-assets review accept|reject DAY INSTRUMENT --reason "..."')


def decide_on_console(settings: Settings, request: "ReviewRequest") -> None:
    """Record a decision about a flagged price, and say when it is applied.

    Args:
        settings: the market, and the data directory.
        request: what the person asks for.

    Raises:
        SettingsError: the data directory holds another market, or none.
        SourceError: the source cannot be read.
        ReviewError: the decision cannot be made. Nothing is stored then.
        UnknownNameError: there is no such instrument, or it has no such field.
    """
    from quant_assets.lake.store.lake import Lake
    from quant_assets.review.deciding import decide_review

    require_market(settings, loaded=True)
    first_day = open_source(settings).first_day
    with Lake(settings.lake_dir) as lake:
        made = decide_review(lake, settings, request, first_day, Clock().now())
    typer.echo(
        f"{made.instrument} {made.field} of {made.trading_day}, {made.value:g}:"
        f" {_DONE[made.decision]} by {made.made_by}"
    )
    typer.echo("`quant-assets revise` applies it now; automation applies it before the next day")
