"""MLflow's store of a data directory: a SQLite database beside folders of artifacts.

Only opening the store belongs here; ``tracking.mlflow_sync`` records fits and releases. MLflow
takes seconds to import, so it is imported inside functions only.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from quant_assets.core.errors import TrackingError
from quant_assets.tracking.artifact_locations import make_locations_current

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "quant_assets"
_DATABASE, _ARTIFACTS = "mlflow.db", "artifacts"
PATIENCE = 5.0
"""Seconds to wait for other processes that write."""


def database_path(folder: Path) -> Path:
    """Return the path of a store's database."""
    return folder / _DATABASE


def store_uri(folder: Path) -> str:
    """Return the URI by which MLflow opens the store, and let the store find its artifacts.

    A store that was moved, copied or archived with its data directory has its artifacts beside it.

    Args:
        folder: folder of the store.

    Raises:
        TrackingError: the store was moved, and cannot be written to say where it lies now.
    """
    with _told(folder):
        _update_locations(folder, PATIENCE)
    return _uri(folder)


def _uri(folder: Path) -> str:
    """Return the URI of the store; characters that URIs reserve are escaped.

    The driver is named because MLflow makes the folder of a URI that begins with ``sqlite:///``,
    and takes its escaped name for the real one.
    """
    from sqlalchemy.engine import URL

    return URL.create("sqlite+pysqlite", database=str(database_path(folder))).render_as_string()


@contextmanager
def open_store(folder: Path, patience: float = PATIENCE) -> Iterator["MlflowClient"]:
    """Open the store and its experiment, and let no other process record meanwhile.

    A missing store or experiment is created.

    Args:
        folder: folder of the store.
        patience: seconds to wait for other processes that write.

    Raises:
        TrackingError: the store cannot be read or written, or another process holds it too long.
    """
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "recording.lock", patience):
            _require_free(database_path(folder), patience)
            _update_locations(folder, patience)
            yield _client(folder)


def _update_locations(folder: Path, patience: float) -> None:
    if database_path(folder).exists():
        make_locations_current(database_path(folder), folder / _ARTIFACTS, EXPERIMENT, patience)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Raise what goes wrong with the store as an error that says where and what to do."""
    try:
        yield
    except _store_errors() as error:
        raise TrackingError(
            "MLflow's store cannot be read or written; everything else is as it was",
            where=str(folder),
            found=str(error).splitlines()[0],
            hint="end what holds the file, and check permissions and free disk space; the next run"
            " catches up",
        ) from error


def _require_free(file: Path, patience: float) -> None:
    """Refuse a locked database at once: MLflow itself would try for minutes."""
    if file.exists():
        connection = sqlite3.connect(file, timeout=patience)
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.close()


def _client(folder: Path) -> "MlflowClient":
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri, artifacts = _uri(folder), (folder / _ARTIFACTS).as_uri()
    if not database_path(folder).exists():
        # A client would place MLflow's default experiment below the working directory, and fail
        # where that directory's name has both kinds of quotes.
        SqlAlchemyStore(uri, artifacts)  # type: ignore[no-untyped-call]  # has no annotations
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        client.create_experiment(EXPERIMENT, artifact_location=artifacts)
    elif experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return client


def _store_errors() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return sqlite3.Error, OSError, Timeout, MlflowException, SQLAlchemyError
