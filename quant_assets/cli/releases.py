"""``quant-assets releases``: which releases there are, and decisions about them by hand."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings

if TYPE_CHECKING:
    from quant_assets.promotion.manual_decisions import ManualAction

releases = typer.Typer(help="List releases; promote, pin or roll back one; replay decisions.")
app.add_typer(releases, name="releases")

Name = Annotated[str, typer.Argument(metavar="RELEASE", help="For example 2023-12-29-1f2e3d.")]
Reason = Annotated[str, typer.Option(help="Why; recorded with the decision.")]
MadeBy = Annotated[str, typer.Option("--by", help="Who decides; else the user's name.")]
Seen = Annotated[
    str, typer.Option(metavar="DECISION", help="Refuse if there is a newer decision than this.")
]


@releases.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """List releases: where each stands, and its numbers."""
    if context.invoked_subcommand:
        return
    from quant_assets.commands.console import format_table
    from quant_assets.lake.store.lake import Lake
    from quant_assets.promotion.listing import list_releases
    from quant_assets.promotion.release_store import read_decisions

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        rows, made = list_releases(lake), read_decisions(lake)
    if rows.empty:
        typer.echo("no release yet; as of the newest day stored, by its date:")
        typer.echo("  quant-assets backfill --job retrain_models --from DAY --to DAY")
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
        float, typer.Option(help="Of the published forecast to start with; 0 is the shadow.")
    ] = 0.0,
    reason: Reason = "",
    made_by: MadeBy = "",
    seen: Seen = "",
) -> None:
    """Let a release challenge the champion without passing the gates."""
    _decide("promote", release, reason, made_by, seen, share)


@releases.command()
def pin(release: Name, reason: Reason = "", made_by: MadeBy = "", seen: Seen = "") -> None:
    """Make a release champion until it is unpinned, whatever the rules would do."""
    _decide("pin", release, reason, made_by, seen)


@releases.command()
def unpin(reason: Reason = "", made_by: MadeBy = "", seen: Seen = "") -> None:
    """Let the rules go on."""
    _decide("unpin", "", reason, made_by, seen)


@releases.command()
def rollback(
    to: Annotated[str, typer.Option(metavar="RELEASE", help="Else the last good champion.")] = "",
    reason: Reason = "",
    made_by: MadeBy = "",
    seen: Seen = "",
) -> None:
    """Take the challenger back; or, if there is none, the champion."""
    _decide("roll_back", to, reason, made_by, seen)


@releases.command()
def replay() -> None:
    """Make the rules' decisions again from the stored records, and compare."""
    from quant_assets.lake.store.lake import Lake
    from quant_assets.promotion.listing import replay_stored

    with Lake(load_settings().lake_dir, read_only=True) as lake:
        found = replay_stored(lake)
    different = [one for one in found if not one.agrees]
    for one in different:
        typer.echo(f"{one.day}: stored {_said(one.stored)}; replayed {_said(one.replayed)}")
    count = sum(len(one.stored) for one in found)
    agree = "all agree" if not different else f"{len(different)} days differ"
    typer.echo(f"{count} decisions on {len(found)} days: {agree}")
    raise typer.Exit(1 if different else 0)


def _said(made: tuple[object, ...]) -> str:
    return ", ".join(f"{getattr(x, 'action', '')} {getattr(x, 'release', '')}" for x in made)


def _decide(
    action: "ManualAction", release: str, reason: str, made_by: str, seen: str, share: float = 0.0
) -> None:
    from quant_assets.lake.store.lake import Lake
    from quant_assets.promotion.manual_decisions import ManualDecision, decide_manually

    settings = load_settings()
    wish = ManualDecision(action, release, reason, made_by or getpass.getuser(), share, seen)
    with Lake(settings.lake_dir) as lake:
        for one in decide_manually(lake, settings, wish):
            typer.echo(
                f"from {one.trading_day} on: {one.action} {one.release},"
                f" {one.stage_before} -> {one.stage_after}; decision {one.decision}"
            )
