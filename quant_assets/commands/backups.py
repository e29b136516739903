"""``quant-assets backup``, ``backups`` and ``restore``: output in the terminal."""

from pathlib import Path

import pandas as pd
import typer

from quant_assets.backup.keeping import moment_of
from quant_assets.backup.restoring import restore_backup
from quant_assets.backup.routine import back_up_and_prune
from quant_assets.backup.store import BackupStore
from quant_assets.commands.console import format_table
from quant_assets.core.clock import Clock
from quant_assets.core.errors import BackupError, SettingsError
from quant_assets.core.settings import Settings


def run_backup(settings: Settings, folder: Path | None) -> None:
    """Make a backup, delete those that are not kept, and print both.

    Args:
        settings: say where the data directory is, and which backups are kept.
        folder: the folder of backups; None takes that of the settings.

    Raises:
        SettingsError: no folder is named.
        BackupError: the backup cannot be made.
    """
    store = BackupStore(_choose_folder(settings, folder))
    summary, pruned = back_up_and_prune(
        settings, store, Clock().now(), settings.backups_kept(), _note
    )
    typer.echo(str(summary))
    typer.echo(str(pruned))


def list_backups(settings: Settings, folder: Path | None) -> str:
    """Return a table of the backups, the newest first.

    Args:
        settings: name the folder, if none is given.
        folder: the folder of backups.

    Raises:
        SettingsError: no folder is named.
        BackupError: there is no backup.
    """
    store = BackupStore(_choose_folder(settings, folder))
    rows = [_describe(store, backup) for backup in reversed(store.list_backups())]
    if not rows:
        raise BackupError("there is no backup", where=str(store.root))
    return format_table(pd.DataFrame(rows), as_given=True)


def run_restore(folder: Path, data_dir: Path, backup: str | None, *, refit: bool) -> None:
    """Restore a backup, and print what was verified.

    Args:
        folder: the folder of backups.
        data_dir: the new data directory.
        backup: id of the backup; None restores the newest.
        refit: whether a model is fitted again.

    Raises:
        BackupError: the backup cannot be restored.
    """
    target = data_dir.expanduser().absolute()
    summary = restore_backup(BackupStore(folder.expanduser()), target, backup, _note, refit=refit)
    typer.echo(f"{summary.manifest.id} is restored to {target}")
    typer.echo(str(summary))


def _choose_folder(settings: Settings, folder: Path | None) -> Path:
    chosen = folder or settings.backup_dir
    if chosen is None:
        raise SettingsError(
            "no folder of backups is named",
            where="QUANT_BACKUP_DIR",
            hint="name a folder outside the data directory, or set the variable",
        )
    return chosen.expanduser().absolute()


def _describe(store: BackupStore, backup: str) -> dict[str, str]:
    try:
        manifest = store.read_manifest(backup)
    except BackupError as error:
        return {"backup": backup, "made at (UTC)": "", "market": error.problem}
    return {
        "backup": backup,
        "made at (UTC)": f"{moment_of(backup):%Y-%m-%d %H:%M:%S}",
        "market": manifest.market,
        "data directory": manifest.data_dir,
        "files": f"{len(manifest.files)}",
        "MB": f"{manifest.size / 1e6:.1f}",
    }


def _note(text: str) -> None:
    typer.secho(text, err=True, dim=True)
