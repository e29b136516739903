"""The connections of one process to the lake: one for each thread, retries, and the write lock.

Reads and writes of tables are in ``lake.store.lake``, and opening a connection is in
``lake.store.connection``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, local
from typing import TypeVar

import duckdb
from filelock import FileLock
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from quant_assets.core.errors import LakeError
from quant_assets.lake.store.connection import connect
from quant_assets.lake.store.upgrade import is_outdated, upgrade

_CONFLICTS = ("database is locked", "conflict", "already exists")
T = TypeVar("T")


class LakeAccess:
    """Opens the lake below a folder on first use. Threads may share it.

    Args:
        root: folder of the lake; it is created if it is missing, unless ``read_only``.
        read_only: refuse writes, and never create a lake.
        snapshot: id of the snapshot to show; None shows the newest.
        patience: seconds that a write waits for other writers.
    """

    def __init__(
        self, root: Path, *, read_only: bool, snapshot: int | None, patience: float
    ) -> None:
        self._root = root
        self._read_only = read_only or snapshot is not None
        self._snapshot = snapshot
        self._patience = patience
        self._opening = Lock()
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._of_thread = local()

    @property
    def root(self) -> Path:
        """Folder of the lake."""
        return self._root

    def close(self) -> None:
        """Release the lake's files."""
        with self._opening:
            if self._opened is not None:
                self._of_thread = local()
                self._opened.close()
                self._opened = None

    @contextmanager
    def at_once(self) -> Iterator[int]:
        """Let all reads of this thread within the context show one snapshot; yield its id.

        Within another such context, its snapshot stays.

        Raises:
            LakeError: the lake cannot be opened.
        """
        outer: int | None = getattr(self._of_thread, "snapshot", None)
        if outer is not None:
            yield outer
            return
        self._of_thread.snapshot = snapshot = self.read(_begin, "newest snapshot")
        try:
            yield snapshot
        finally:
            self._of_thread.snapshot = None
            self._cursor().rollback()

    def read(self, fetch: Callable[[duckdb.DuckDBPyConnection], T], what: str) -> T:
        """Return the result of ``fetch`` on the thread's connection, with retries on conflicts.

        Args:
            fetch: reads from a connection.
            what: description of the read, for the error.

        Raises:
            LakeError: the lake cannot be opened, or DuckDB refuses the read.
        """
        try:
            return self._retrying(fetch)
        except duckdb.Error as error:
            raise LakeError("the lake cannot be read", where=what, found=str(error)) from error

    def alone(self, name: str, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Call ``work`` on the thread's connection while no other process writes.

        Readers continue. The lock ends with its process. A SQLite catalogue refuses a commit if
        another commit, to any table, came since its transaction began. Without the lock, short
        writes would make a long write start again for ever.

        Args:
            name: description of the write, for errors.
            work: writes through a connection; it is called again after a conflict.

        Raises:
            LakeError: the lake is open for reading only, or the write did not come through.
        """
        if self._read_only:
            raise LakeError("the lake is open for reading only", where=name)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            # Opening may upgrade the lake, which takes the lock itself.
            self._cursor()
            with self._write_lock():
                return self._retrying(work)
        except (duckdb.Error, OSError) as error:
            raise LakeError(
                "the write did not come through; what was stored is unchanged",
                where=f"{name} in {self._root}",
                found=str(error).splitlines()[0],
                hint="check free disk space, permissions and other writers, then try again",
            ) from error

    def _write_lock(self) -> FileLock:
        return FileLock(self._root / "write.lock", self._patience, poll_interval=0.005)

    def _upgrade(self, opened: duckdb.DuckDBPyConnection) -> None:
        """Bring a lake of an earlier version into the present form."""
        cursor = opened.cursor()
        cursor.execute("USE lake")
        if self._snapshot is not None or not is_outdated(cursor):
            return
        if self._read_only:
            raise LakeError(
                "the lake was made by an earlier version",
                where=str(self._root),
                hint="run `quant-assets load`: it brings the lake into the present form",
            )
        with self._write_lock():
            if is_outdated(cursor):
                upgrade(cursor)

    def _retrying(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        return Retrying(
            retry=retry_if_exception(_is_conflict),
            wait=wait_random_exponential(multiplier=0.02, max=1.0),
            stop=stop_after_delay(self._patience),
            reraise=True,
        )(lambda: work(self._cursor()))

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Return the thread's connection, which is kept: opening costs more than most reads."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._of_thread, "cursor", None)
        if cursor is None:
            with self._opening:
                if self._opened is None:
                    opened = connect(self._root, read_only=self._read_only, snapshot=self._snapshot)
                    # Most statements take milliseconds, of which waking a thread is a third.
                    opened.execute("SET threads = 1")
                    self._upgrade(opened)
                    self._opened = opened
                cursor = self._opened.cursor()
            cursor.execute("USE lake")
            self._of_thread.cursor = cursor
        return cursor


def _begin(cursor: duckdb.DuckDBPyConnection) -> int:
    """Begin a transaction, and return the id of the snapshot that it shows."""
    cursor.begin()
    try:
        return newest_snapshot(cursor)
    except duckdb.Error:
        cursor.rollback()
        raise


def newest_snapshot(cursor: duckdb.DuckDBPyConnection) -> int:
    """Return the id of the newest snapshot that the connection sees."""
    row = cursor.execute("FROM ducklake_current_snapshot('lake')").fetchone()
    return int(row[0]) if row else 0


def _is_conflict(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, duckdb.Error) and any(mark in text for mark in _CONFLICTS)
