"""``quant-assets keys``: who may ask the prediction API, and what was asked."""

from typing import Annotated, Literal

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings

keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys; show the audit.")
app.add_typer(keys, name="keys")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who will hold the key.")]
KeyRole = Annotated[
    Literal["read", "predict", "operate"],
    typer.Option(help="What the holder may do; each role includes those before it."),
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")]
Count = Annotated[int, typer.Option("--rows", min=1, help="How many of the newest rows to show.")]


@keys.command()
def make(name: Name, role: KeyRole = "read") -> None:
    """Make a key, and print it this once; only its digest is stored."""
    from quant_assets.commands.keys import make

    token, note = make(load_settings(), name, role)
    typer.echo(token)
    typer.echo(note, err=True)


@keys.command("list")
def list_() -> None:
    """List all keys, valid and revoked."""
    from quant_assets.commands.keys import list_keys

    typer.echo(list_keys(load_settings()))


@keys.command()
def revoke(key_id: KeyId) -> None:
    """Revoke a key: running servers refuse it within a second."""
    from quant_assets.commands.keys import revoke

    typer.echo(revoke(load_settings(), key_id))


@keys.command()
def audit(count: Count = 20) -> None:
    """List the newest predictions and operations that were asked for."""
    from quant_assets.commands.keys import list_audit

    typer.echo(list_audit(load_settings(), count))
