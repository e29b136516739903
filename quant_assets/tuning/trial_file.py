"""The file of trials: opened for one process at a time.

Making trials belongs in ``tuning.search``.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from quant_assets.core.errors import LakeError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


@contextmanager
def open_trials(path: Path, note: Callable[[str], None]) -> "Iterator[RDBStorage]":
    """Open a file of trials and lock it for this process; Optuna logs errors only meanwhile.

    Args:
        path: the SQLite file, created if it does not exist.
        note: called with one line of text if another process has to be waited for.

    Raises:
        LakeError: the file holds no trials, or those of another version of Optuna.
    """
    import optuna
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import QueuePool

    path.parent.mkdir(parents=True, exist_ok=True)
    verbosity = optuna.logging.get_verbosity()
    # Connected by a function, since some characters of a path have a meaning in an address.
    engine = {"creator": partial(_connect, path), "poolclass": QueuePool}
    with _lock_file(path.with_name(f"{path.name}.lock"), path, note):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            try:
                storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=engine)
            except (DatabaseError, RuntimeError) as error:
                raise LakeError(
                    "the file of trials cannot be read",
                    where=str(path),
                    found=str(error).splitlines()[0],
                    hint="move it away; the search then begins anew",
                ) from error
            try:
                yield storage
            finally:
                storage.remove_session()
                storage.engine.dispose()
        finally:
            optuna.logging.set_verbosity(verbosity)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    # A trial makes about twenty transactions. With a write-ahead log none of them waits for the
    # disk, and a kill loses none.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextmanager
def _lock_file(lock: Path, path: Path, note: Callable[[str], None]) -> Iterator[None]:
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        note(f"waiting for another process that tunes with {path}")
        held.acquire()
    try:
        yield
    finally:
        held.release()
