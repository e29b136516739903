"""Dagster's SQLite storages of runs and of schedules, with connections that are kept.

Dagster opens a connection for each query, and reads all its migrations whenever it opens an
instance, as every tick of a sensor and every run does: that takes longer than most ticks. Here a
file's revision is compared once in a process. Chosen in ``dagster.yaml``::

    run_storage:
      module: quant_assets.orchestration.storages.sqlite
      class: KeptSqliteRunStorage
      config:
        base_dir: {env: DAGSTER_HOME}

The events have a storage of their own, in ``orchestration.storages.event_log``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from weakref import WeakSet

# Dagster's public interface names no storage to build on; whose connections are kept is decided
# in these classes.
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

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
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )


class KeptSqliteRunStorage(SqliteRunStorage):
    """As its base class, but for the connections."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Build from dagster.yaml; the file lies where Dagster keeps its own by default."""
        folder = Path(config_value["base_dir"]) / "history"
        return cls(_made(folder, "runs", SqliteRunStorage.from_local), inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        with _kept(self._conn_string).begin() as connection:
            yield connection


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


def _made(folder: Path, name: str, make: Callable[[str], object]) -> str:
    """The connection string of a file that is there, and of the revision that Dagster wants."""
    conn_string = create_db_conn_string(str(folder), name)
    if not (folder / f"{name}.db").exists():
        make(str(folder))
    checked_engine(_path(conn_string), lambda _: make(str(folder)))
    return conn_string


def _kept(conn_string: str) -> Engine:
    return checked_engine(_path(conn_string), lambda _: None)


def _path(conn_string: str) -> str:
    return conn_string.removeprefix("sqlite:///")
