"""Models of fits in MLflow, which are loaded for example as ``models:/ridge@champion``.

MLflow gets the bytes of a model with its family, its sha256, which is verified whenever the bytes
are read, and the packages that must be installed. The loaded model takes ``Observations`` and
returns forecasts.
"""

import json
import os
import shutil
import warnings
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from quant_assets.core.typing import FloatArray
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.models.protocol import Forecaster, Observations
from quant_assets.models.registry import load_family

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlflow.entities import Run

_DATA, _MODEL, _ABOUT = "fitted", "fitted.model", "about.json"


@dataclass(frozen=True)
class LoadedFit:
    """A fitted model behind MLflow's ``predict``."""

    model: Forecaster

    def predict(self, observations: Observations) -> FloatArray:
        """Forecast the last day of the observations; returns an array of shape (1, m)."""
        return self.model.forecast(observations, 1)


def write_fit_model(run: "Run", fit: "Mapping[str, Any]", artifacts: Path) -> None:
    """Store a fit's model and the importance of its inputs among the artifacts of an MLflow run.

    Args:
        run: MLflow run with artifacts in a local folder.
        fit: row of a fits table.
        artifacts: folder of the fitted models.

    Raises:
        ArtifactError: the model is missing in the folder, or altered.
    """
    about = {"family": fit["family"], "sha256": fit["sha256"]}
    folder = store_model(run, __name__, about, {_MODEL: fit}, [fit["family"]], artifacts)
    (folder / "importance.json").write_text(fit["importance"])


def store_model(
    run: "Run",
    loader: str,
    about: "Mapping[str, Any]",
    files: "Mapping[str, Mapping[str, str]]",
    families: "Sequence[str]",
    artifacts: Path,
) -> Path:
    """Store a model that MLflow can load among the artifacts of an MLflow run.

    The files are hard links to the fitted models if the file system allows it. Returns the folder
    of the run's artifacts.

    Args:
        run: MLflow run with artifacts in a local folder.
        loader: module whose ``_load_pyfunc`` loads the model.
        about: description of the model for the loader, stored as JSON beside the files.
        files: ``artifact`` and ``sha256`` of fitted models by the names that their files get.
        families: families whose libraries must be installed.
        artifacts: folder of the fitted models.

    Raises:
        ArtifactError: a fitted model is missing in the folder, or altered.
    """
    from urllib.request import url2pathname

    from mlflow.models import Model

    folder = Path(url2pathname(urlparse(run.info.artifact_uri).path))
    folder.mkdir(parents=True, exist_ok=True)
    needed = dict.fromkeys(["quant-assets", *(load_family(name).library for name in families)])
    # Beside the artifacts, so that hard links are possible and MLflow does not list it.
    with TemporaryDirectory(dir=folder.parent) as staging:
        data = Path(staging, _DATA)
        data.mkdir()
        (data / _ABOUT).write_text(json.dumps(about))
        for name, fit in files.items():
            read_artifact(artifacts, fit["artifact"], fit["sha256"])
            _link(artifacts / fit["artifact"], data / name)
        _save_model()(
            folder / "model",
            loader_module=loader,
            data_path=str(data),
            # Without this list, MLflow would start processes to find out which packages are used.
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in needed],
            mlflow_model=Model("model", run_id=run.info.run_id, metadata=dict(about)),
        )
        for name in files:
            _replace(folder / "model" / "data" / _DATA / name, data / name)
    return folder


def read_about(path: str) -> "dict[str, Any]":
    """Read the description that :func:`store_model` stored beside a model's files."""
    about: dict[str, Any] = json.loads((Path(path) / _ABOUT).read_bytes())
    return about


def _load_pyfunc(path: str) -> LoadedFit:
    """Load the model; MLflow calls this function by name, with the folder of the model's data.

    Raises:
        ArtifactError: the model is missing, or its sha256 is not the recorded one.
    """
    about = read_about(path)
    return LoadedFit(
        load_family(about["family"]).load(read_artifact(Path(path), _MODEL, about["sha256"]))
    )


def _save_model() -> "Callable[..., None]":
    with warnings.catch_warnings():
        # MLflow warns about type hints of its own.
        warnings.simplefilter("ignore", UserWarning)
        from mlflow import pyfunc
    save: Callable[..., None] = pyfunc.save_model
    return save


def _replace(copy: Path, original: Path) -> None:
    """Put a hard link in the place of a file's copy; leave the copy where links are impossible."""
    draft = copy.with_suffix(".draft")
    with suppress(OSError):
        os.link(original, draft)
        draft.replace(copy)


def _link(source: Path, target: Path) -> None:
    """Make a hard link to a file, or a copy where links are impossible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
