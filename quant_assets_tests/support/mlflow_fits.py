"""Real fits as MLflow records them, and clients of its store."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient

from quant_assets.lake.store.artifacts import store_artifact as keep
from quant_assets.models.protocol import Observations, Resources
from quant_assets.models.registry import load_family
from quant_assets.tracking import mlflow_store
from quant_assets.tracking.fit_runs import Fit

NAMES = ("rank_prior", "ridge")


def fit_of(observations: Observations, name: str, row: int, models: Path, **changes: Any) -> Fit:
    """Fit a family, and return the record of the fit."""
    chosen = load_family(name)
    model = chosen.fit(observations.rows(0, row + 1), chosen.defaults, Resources())
    artifact, digest = keep(models, model.to_bytes())
    return {
        "family": name,
        "trading_day": observations.days[row].item(),
        "date_id": row,
        "parameters": json.dumps(dict(chosen.defaults)),
        "metrics": json.dumps({"labels": 1000, "days": row + 1}),
        "importance": json.dumps(dict(model.importance())),
        "artifact": artifact,
        "sha256": digest,
        "failure": None,
        "snapshot": 12,
        "features_version": "f",
        "seed": 7,
        "library": "numpy 2",
        "code": "c",
        "fingerprint": f"{name}-{row}",
        "seconds": 0.25,
        "dagster_run": "a-dagster-run",
        "study": None,
        "by_hand": "clip",
        **changes,
    }


@contextmanager
def recording(
    folder: Path, patience: float = mlflow_store.PATIENCE
) -> Iterator[tuple[MlflowClient, Any]]:
    with mlflow_store.open_store(folder, patience) as client:
        experiment = client.get_experiment_by_name(mlflow_store.EXPERIMENT)
        parent = client.create_run(experiment.experiment_id)
        yield client, parent
        client.set_terminated(parent.info.run_id)


def client_of(folder: Path) -> MlflowClient:
    return MlflowClient(
        tracking_uri=mlflow_store.store_uri(folder), registry_uri=mlflow_store.store_uri(folder)
    )


def load(folder: Path, name: str) -> Any:
    mlflow.set_tracking_uri(mlflow_store.store_uri(folder))
    return mlflow.pyfunc.load_model(name)
