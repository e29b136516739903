"""Commands about backups of the data directory: making, listing and restoring them."""

from pathlib import Path
from typing import Annotated

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings

Folder = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="Folder of backups; default: QUANT_BACKUP_DIR."),
]


@app.command()
def backup(
    folder: Folder = None,
    keep: Annotated[
        str,
        typer.Option(
            metavar="DAYS,WEEKS,MONTHS",
            help="Periods whose newest backup is kept; default: QUANT_BACKUP_KEEP.",
        ),
    ] = "",
) -> None:
    """Back the data directory up while it is used.

    Only what the folder lacks is copied. Backups that are not kept are deleted afterwards.
    """
    from quant_assets.commands.backups import run_backup

    run_backup(load_settings(**({"backup_keep": keep} if keep else {})), folder)


@app.command()
def backups(folder: Folder = None) -> None:
    """List backups, the newest first."""
    from quant_assets.commands.backups import list_backups

    typer.echo(list_backups(load_settings(), folder))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of backups.")],
    data: Annotated[
        Path, typer.Argument(metavar="NEW_DATA_DIR", help="A folder that is new or empty.")
    ],
    backup: Annotated[
        str, typer.Option(metavar="ID", help="One that `backups` lists; default: the newest.")
    ] = "",
    refit: Annotated[
        bool, typer.Option("--refit/--no-refit", help="Fit a model again, and compare it.")
    ] = True,
) -> None:
    """Restore a backup into a new data directory, and verify it.

    The data directory appears only if everything in it is as it was.
    """
    from quant_assets.commands.backups import run_restore

    run_restore(folder, data, backup or None, refit=refit)
