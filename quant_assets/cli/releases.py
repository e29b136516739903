"""``quant-assets releases``: list releases, and decide about them by hand."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings

if TYPE_CHECKING:
    from quant_assets.promotion.manual_decisions import ManualAction

releases = typer.Typer(help="List releases; promote, pin or roll back one.")
app.add_typer(releases, name="releases")

Name = Annotated[str, typer.Argument(metavar="RELEASE", help="For example 2023-12-29-1f2e3d.")]
Reason = Annotated[str, typer.Option(help="Why; recorded with the decision.")]
MadeBy = Annotated[str, typer.Option("--by", help="Who decides; default: the user's name.")]
Seen = Annotated[
    str, typer.Option(metavar="DECISION", help="Refuse if there is a newer decision than this.")
]


@releases.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """List releases with their stage and their scores."""
    if context.invoked_subcommand:
        return
    from quant_assets.commands.console import format_table
    from quant_assets.lake.readers.days import read_newest_day
    from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
    from quant_assets.lake.store.lake import Lake
    from quant_assets.promotion.listing import list_releases
    from quant_assets.promotion.release_store import read_decisions

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        rows, made = list_releases(lake), read_decisions(lake)
        day = read_newest_day(lake, MARKET_FEATURES) or "DAY"
    if rows.empty:
        typer.echo("no release was made yet; this makes one as of the newest day with features:")
        typer.echo(f"  quant-assets backfill --job retrain_models --from {day} --to {day}")
        return
    typer.echo(format_table(rows, wrap="reason"))
    if made:
        newest = made[-1]
        typer.echo(
            f"\nnewest decision {newest.decision}: {newest.action} {newest.release},"
            f" from {newest.trading_day} on, by {newest.made_by}"
        )


@releases.command()
def promote(
    release: Name,
    share: Annotated[
        float, typer.Option(help="Share of the submitted forecast to start with; 0 is shadow.")
    ] = 0.0,
    reason: Reason = "",
    made_by: MadeBy = "",
    seen: Seen = "",
) -> None:
    """Let a release challenge the champion without passing the gates."""
    _decide("promote", release, reason, made_by, seen, share)


@releases.command()
def pin(release: Name, reason: Reason = "", made_by: MadeBy = "", seen: Seen = "") -> None:
    """Make a release champion until it is unpinned.

    The rules do not change that meanwhile.
    """
    _decide("pin", release, reason, made_by, seen)


@releases.command()
def unpin(reason: Reason = "", made_by: MadeBy = "", seen: Seen = "") -> None:
    """Let the rules decide again."""
    _decide("unpin", "", reason, made_by, seen)


@releases.command()
def rollback(
    to: Annotated[
        str, typer.Option(metavar="RELEASE", help="Default: the last good champion.")
    ] = "",
    reason: Reason = "",
    made_by: MadeBy = "",
    seen: Seen = "",
) -> None:
    """Withdraw the challenger, or else the champion.

    Without a challenger the champion before is champion again.
    """
    _decide("roll_back", to, reason, made_by, seen)


@releases.command()
def replay() -> None:
    """Make the rules' decisions again, and compare them.

    They are made from the stored records.
    """
    from quant_assets.lake.store.lake import Lake
    from quant_assets.promotion.listing import replay_stored

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        days = replay_stored(lake)
    different = [day for day in days if not day.agrees]
    for day in different:
        stored, made = _name_actions(day.stored), _name_actions(day.replayed)
        typer.echo(f"{day.day}: stored {stored}; replayed {made}")
    count = sum(len(day.stored) for day in days)
    agree = "all agree" if not different else f"{len(different)} days differ"
    typer.echo(f"{count} decisions on {len(days)} days: {agree}")
    raise typer.Exit(1 if different else 0)


def _name_actions(made: tuple[object, ...]) -> str:
    return ", ".join(f"{getattr(x, 'action', '')} {getattr(x, 'release', '')}" for x in made)


def _decide(
    action: "ManualAction", release: str, reason: str, made_by: str, seen: str, share: float = 0.0
) -> None:
    from quant_assets.lake.store.lake import Lake
    from quant_assets.promotion.manual_decisions import ManualDecision, decide_manually
    from quant_assets.sources.registry import open_market

    settings = load_settings()
    manual = ManualDecision(action, release, reason, made_by or getpass.getuser(), share, seen)
    calendar = open_market(settings).calendar
    with Lake(settings.lake_dir) as lake:
        for decision in decide_manually(lake, settings, calendar, manual):
            typer.echo(
                f"from {decision.trading_day} on: {decision.action} {decision.release},"
                f" {decision.stage_before} -> {decision.stage_after};"
                f" decision {decision.decision}"
            )
