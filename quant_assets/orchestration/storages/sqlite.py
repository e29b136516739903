"""Dagster's SQLite storages of runs and of schedules, with connections and locks that are kept.

Dagster opens a connection for each query, and reads all its migrations whenever it opens an
instance, as every tick of a sensor and every run does: that takes longer than most ticks. Here a
file's revision is compared once in a process. Chosen in ``dagster.yaml``::

    run_storage:
      module: quant_assets.orchestration.storages.sqlite
      class: KeptSqliteRunStorage
      config:
        base_dir: {env: DAGSTER_HOME}

The storage of runs takes the locks by which a data directory has one daemon, and by which others
see whether a run's process is alive: every daemon and every run passes here, whatever program began
it. The events have a storage of their own, in ``orchestration.storages.event_log``.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from weakref import WeakSet

import dagster as dg

# Dagster's public interface names no storage to build on; whose connections are kept is decided
# in these classes.
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._daemon.types import DaemonHeartbeat
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.pool import QueuePool

from quant_assets.core.errors import SettingsError
from quant_assets.orchestration.execution.daemon_lock import take_daemon_lock
from quant_assets.orchestration.execution.run_locks import (
    close_abandoned_runs,
    release_run_lock,
    take_lock_of_begun_run,
)

_ENDS = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)
MONITORING = "MONITORING"
"""Dagster's name of the daemon that watches runs."""
_checked: "WeakSet[Engine]" = WeakSet()


def checked_engine(path: str, check: Callable[[Engine], object]) -> Engine:
    """The engine of a file, shared by all that ask in this process.

    Args:
        path: of the file, which is there.
        check: called with the engine before it is used for the first time.
    """
    # A kept connection keeps the inode: a file made anew at the same place has another.
    engine = _engine(path, Path(path).stat().st_ino)
    if engine not in _checked:
        check(engine)
        _checked.add(engine)
    return engine


@lru_cache(maxsize=32)
def _engine(path: str, inode: int) -> Engine:
    return create_engine(
        URL.create("sqlite", database=path),
        poolclass=QueuePool,
        pool_size=1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )


class KeptSqliteRunStorage(SqliteRunStorage):
    """As its base class, but for the connections, and the locks of daemons and of runs."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Build from dagster.yaml; the file lies where Dagster keeps its own by default."""
        folder = Path(config_value["base_dir"]) / "history"
        return cls(_made(folder, "runs", SqliteRunStorage.from_local), inst_data)

    @property
    def home(self) -> Path:
        """The folder of the locks, whatever DAGSTER_HOME is: they belong to this file's runs."""
        return Path(str(make_url(self._conn_string).database)).resolve().parents[1]

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        with _kept(self._conn_string).begin() as connection:
            yield connection

    def add_daemon_heartbeat(self, daemon_heartbeat: DaemonHeartbeat) -> None:
        """Store a heartbeat, which only the daemon that holds the data directory's lock may do.

        Each of a daemon's threads begins with a heartbeat.

        Raises:
            SystemExit: another process holds the lock. It ends the thread, where an error would be
                logged and passed over; the daemon ends when its threads have.
        """
        try:
            take_daemon_lock(self.home)
        except SettingsError as error:
            _refuse_daemon(str(error))
            raise SystemExit(1) from None
        if daemon_heartbeat.daemon_type == MONITORING:
            close_abandoned_runs(self._instance)
        super().add_daemon_heartbeat(daemon_heartbeat)

    def handle_run_event(
        self, run_id: str, event: dg.DagsterEvent, update_timestamp: datetime | None = None
    ) -> None:
        """Store what an event changes in its run; a run's process holds a lock until its end."""
        if event.event_type is dg.DagsterEventType.RUN_START and self.has_instance:
            take_lock_of_begun_run(self._instance, run_id)
        super().handle_run_event(run_id, event, update_timestamp)
        if event.event_type in _ENDS and self.has_instance:
            release_run_lock(self._instance, run_id)


class KeptSqliteScheduleStorage(SqliteScheduleStorage):
    """As its base class, but for the connections."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Build from dagster.yaml; the file lies where Dagster keeps its own by default."""
        folder = Path(config_value["base_dir"]) / "schedules"
        return cls(_made(folder, "schedules", SqliteScheduleStorage.from_local), inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        with _kept(self._conn_string).begin() as connection:
            yield connection


@cache
def _refuse_daemon(message: str) -> None:
    """Say once, though each thread asks, why this daemon ends."""
    sys.stderr.write(f"error: {message}\n")
    sys.stderr.flush()


def database_url(path: Path) -> str:
    """Return SQLAlchemy's URL of a SQLite file, with the characters escaped that URLs reserve."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def _made(folder: Path, name: str, make: Callable[[str], object]) -> str:
    """Return the URL of a database file, made or migrated to the revision that Dagster wants."""

    def prepare() -> None:
        with _path_for_urls(folder) as path:
            make(path)

    file = folder / f"{name}.db"
    if not file.exists():
        prepare()
    checked_engine(str(file), lambda _: prepare())
    return database_url(file)


@contextmanager
def _path_for_urls(folder: Path) -> Iterator[str]:
    """Yield a path of the folder that Dagster can put into a URL, where it escapes nothing.

    A symbolic link stands for a path with ``%`` or ``?``; SQLite follows it to the real file.
    """
    if not set("%?") & set(str(folder)):
        yield str(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="quant-assets-") as links:
        link = Path(links) / "storage"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield str(link)


def _kept(conn_string: str) -> Engine:
    return checked_engine(str(make_url(conn_string).database), lambda _: None)
