"""A release as MLflow keeps it and loads it, as ``models:/release@champion`` for example.

Beside the bytes of its families' models lie their sha256, which are verified before they are read,
and their weights. What the loaded release is asked is ``Observations``; it gives scores.
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
        models: the fits of its families.
        weights: (1, families) of its as-of day.
    """

    models: tuple[Forecaster, ...]
    weights: FloatArray

    def predict(self, seen: Observations) -> FloatArray:
        """(1, m) weighted mean of the families' standardised ranks on the last day seen.

        The desk forecasts by the same models with the weights learnt by the day of the forecast,
        and of families that learn daily by their newest fit: those need the lake, and the release
        is what it was when it was made.
        """
        return rank_average([model.forecast(seen, 1) for model in self.models], self.weights)


def write_release_model(run: "Run", release: Release, artifacts: Path) -> None:
    """Put a release's models and what they rest on among the run's artifacts.

    Args:
        run: MLflow's, with artifacts in a local folder.
        release: the release.
        artifacts: folder of the fitted models.

    Raises:
        ArtifactError: a model is missing there, or altered.
    """
    members = [
        {"family": fit.family, "sha256": fit.sha256, "weight": fit.weight} for fit in release.fits
    ]
    files = {_file(fit.family): vars(fit) for fit in release.fits}
    about = {"release": release.name, "members": members}
    store_model(run, __name__, about, files, release.families, artifacts)


def _load_pyfunc(path: str) -> LoadedRelease:
    """What MLflow calls, by this name, with the folder of the release's data.

    Raises:
        ArtifactError: a model is missing, or its sha256 is not the one recorded.
    """
    members = read_about(path)["members"]
    models = (
        load_family(one["family"]).load(
            read_artifact(Path(path), _file(one["family"]), one["sha256"])
        )
        for one in members
    )
    return LoadedRelease(tuple(models), np.array([[one["weight"] for one in members]]))


def _file(name: str) -> str:
    return f"{name}.model"
