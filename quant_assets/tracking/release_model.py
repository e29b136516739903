"""Models of releases in MLflow, which are loaded for example as ``models:/release@champion``.

MLflow gets the bytes of the models of all families with their weights and their sha256, which are
verified whenever the bytes are read. The loaded release takes ``Observations`` and returns
forecasts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import rank_average
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.models.protocol import Forecaster, Observations
from quant_assets.models.registry import load_family
from quant_assets.promotion.release_store import Release
from quant_assets.tracking.fit_model import read_about, store_model

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class LoadedRelease:
    """A release behind MLflow's ``predict``.

    Attributes:
        models: the models of its families.
        weights: (1, families) weights of the release's as-of day.
    """

    models: tuple[Forecaster, ...]
    weights: FloatArray

    def predict(self, observations: Observations) -> FloatArray:
        """Forecast the last day of the observations with the weights of the as-of day.

        Returns an array of shape (1, m) with weighted means of the families' standardised ranks.
        The platform instead uses the weights of the forecast day and the newest fits of daily
        families, which need the lake.
        """
        forecasts = [model.forecast(observations, 1) for model in self.models]
        return rank_average(forecasts, self.weights)


def write_release_model(run: "Run", release: Release, artifacts: Path) -> None:
    """Store a release's models and weights among the artifacts of an MLflow run.

    Args:
        run: MLflow run with artifacts in a local folder.
        release: the release.
        artifacts: folder of the fitted models.

    Raises:
        ArtifactError: a model is missing in the folder, or altered.
    """
    members = [
        {"family": fit.family, "sha256": fit.sha256, "weight": fit.weight} for fit in release.fits
    ]
    files = {_file(fit.family): vars(fit) for fit in release.fits}
    about = {"release": release.name, "members": members}
    store_model(run, __name__, about, files, release.families, artifacts)


def _load_pyfunc(path: str) -> LoadedRelease:
    """Load the release; MLflow calls this function by name, with the folder of its data.

    Raises:
        ArtifactError: a model is missing, or its sha256 is not the recorded one.
    """
    members = read_about(path)["members"]
    models = (
        load_family(member["family"]).load(
            read_artifact(Path(path), _file(member["family"]), member["sha256"])
        )
        for member in members
    )
    return LoadedRelease(tuple(models), np.array([[member["weight"] for member in members]]))


def _file(name: str) -> str:
    return f"{name}.model"
