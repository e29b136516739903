"""MLflow's store of a data directory: a SQLite database beside folders of artifacts.

Opening it and what can go wrong with that; what is recorded is decided in ``tracking.fits`` and
``tracking.releases``. MLflow takes seconds to import, so it is imported inside functions only.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from quant_assets.core.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "quant_assets"
_DATABASE, _ARTIFACTS = "mlflow.db", "artifacts"
_PATIENCE = 5.0
"""Seconds to wait for others who write."""


def database_path(folder: Path) -> Path:
    """File of the database of a store."""
    return folder / _DATABASE


def store_uri(folder: Path) -> str:
    """The store as MLflow names it."""
    return f"sqlite:///{database_path(folder)}"


@contextmanager
def open_store(folder: Path) -> Iterator["MlflowClient"]:
    """The store, made if there is none, with its experiment; nobody else records meanwhile.

    Raises:
        TrackingError: it cannot be read or written, or others hold it for too long.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "recording.lock", _PATIENCE):
            _require_free(database_path(folder))
            yield _client(folder)
    except (sqlite3.Error, OSError, Timeout, *_library_errors()) as error:
        raise TrackingError(
            "MLflow's store cannot be read or written; everything else is as it was",
            where=str(folder),
            found=str(error).splitlines()[0],
            hint="end what holds the file and check free disk space; the next run catches up",
        ) from error


def _require_free(file: Path) -> None:
    """Refuse a locked database at once: MLflow itself would try for minutes."""
    if file.exists():
        connection = sqlite3.connect(file, timeout=_PATIENCE)
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.close()


def _client(folder: Path) -> "MlflowClient":
    from mlflow import MlflowClient

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=store_uri(folder), registry_uri=store_uri(folder))
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        client.create_experiment(EXPERIMENT, artifact_location=(folder / _ARTIFACTS).as_uri())
    elif experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return client


def _library_errors() -> tuple[type[Exception], type[Exception]]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError
