"""What a backup copies of a data directory, and in which order.

What names something else is copied before it: the lake's catalogue before its files, the lake
before models, databases before files. Journals of the audit come before the lake: their rows move
into it, and a row that is copied twice replaces itself.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from quant_assets.core.errors import BackupError
from quant_assets.core.settings import Settings

_LEFT_OUT = ("lake", "archive", "rehearsal", "metrics", "audit", "artifacts/unfinished")
"""Folders that are copied elsewhere or not at all: another market's files, and what runs renew."""
_BESIDE_DATABASES = ("-wal", "-shm", "-journal")
_REFERRERS = (
    "mlflow/mlflow.db",
    "dagster/schedules/schedules.db",
    "dagster/history/runs.db",
    "dagster/history/runs/index.db",
)
# Reading a database as a file, even its first bytes, would end the locks that this process holds on
# it by SQLite. So databases are known by their names.
_DATABASES = (".db", ".sqlite")
_PATIENCE = 60.0


def list_journals(settings: Settings) -> list[Path]:
    """Return the journals of the audit."""
    return sorted(file for file in settings.audit_dir.glob("*") if _is_copied(file))


def list_databases_and_files(settings: Settings) -> tuple[list[Path], list[Path]]:
    """Return the SQLite databases and the other files, each in the order of copying.

    The lake and the journals are left out.
    """
    databases: list[Path] = []
    others: list[Path] = []
    for file in _walk(settings.data_dir):
        (databases if file.suffix in _DATABASES else others).append(file)
    order = {settings.data_dir / name: i for i, name in enumerate(_REFERRERS)}
    databases.sort(key=lambda file: (order.get(file, len(order)), file))
    return databases, sorted(others)


def copy_database(database: Path, copy: Path) -> bool:
    """Copy a SQLite database as it is at one moment, while others write to it.

    Args:
        database: the database; no other library of SQLite has it open in this process.
        copy: the file to write; it must not exist.

    Returns:
        False if the database is no longer there.

    Raises:
        BackupError: it cannot be read.
    """
    try:
        with (
            closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", _PATIENCE, uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        if not database.exists():
            return False
        raise BackupError(
            "a database cannot be copied", where=str(database), found=str(error)
        ) from error
    return True


def _walk(root: Path) -> Iterator[Path]:
    """Yield the files below a folder. Links are followed, each folder once."""
    visited = set()
    for folder, names, files in os.walk(root, followlinks=True):
        here = Path(folder)
        names[:] = [name for name in names if str((here / name).relative_to(root)) not in _LEFT_OUT]
        real = here.resolve()
        if real in visited:
            names.clear()
            continue
        visited.add(real)
        yield from (here / name for name in files if _is_copied(here / name))


def _is_copied(file: Path) -> bool:
    """Return whether a file is no lock, draft, socket, or part of a database beside it."""
    left_out = file.suffix == ".lock" or file.name.startswith(".")
    return not left_out and not file.name.endswith(_BESIDE_DATABASES) and file.is_file()
