"""A fitted model as MLflow keeps it and loads it, as ``models:/ridge@champion`` for example.

Beside the model's bytes lie the family, the sha256 that is verified before they are read, and what
must be installed. What the loaded model is asked is ``Observations``; it gives scores.
"""

import json
import os
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from quant_assets.lake.artifacts import fetch
from quant_assets.models.base import Forecaster, Observations
from quant_assets.models.registry import family
from quant_assets.typing import FloatArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities import Run

_MODEL, _ABOUT = "fitted.model", "about.json"


@dataclass(frozen=True)
class Served:
    """A fitted model behind MLflow's ``predict``."""

    model: Forecaster

    def predict(self, seen: Observations) -> FloatArray:
        """(1, m) scores of the last day seen."""
        return self.model.forecast(seen, 1)


def write_model(run: "Run", fit: "Mapping[str, Any]", artifacts: Path) -> None:
    """Put a fit's model and what it rests on among the run's artifacts.

    Args:
        run: MLflow's, with artifacts in a local folder.
        fit: row of a fits table.
        artifacts: folder of the fitted models.

    Raises:
        ArtifactError: the model is missing there, or altered.
    """
    from mlflow.models import Model

    folder = Path(url2pathname(urlparse(run.info.artifact_uri).path))
    data = folder / "model" / "data"
    data.mkdir(parents=True, exist_ok=True)
    fetch(artifacts, fit["artifact"], fit["sha256"])
    _link(artifacts / fit["artifact"], data / _MODEL)
    about = {"family": fit["family"], "sha256": fit["sha256"]}
    (data / _ABOUT).write_text(json.dumps(about))
    (folder / "importance.json").write_text(fit["importance"])
    needed = ("quant-assets", family(fit["family"]).library)
    lines = [f"{name}=={metadata.version(name)}\n" for name in needed]
    (folder / "model" / "requirements.txt").write_text("".join(lines))
    described = Model("model", run_id=run.info.run_id, metadata=about)
    described.add_flavor(
        "python_function",
        loader_module=__name__,
        data="data",
        python_version=platform.python_version(),
    )
    described.save(str(folder / "model" / "MLmodel"))


def _load_pyfunc(path: str) -> Served:
    """What MLflow calls, by this name, with the folder of the model's data.

    Raises:
        ArtifactError: the model is missing, or its sha256 is not the one recorded.
    """
    about = json.loads((Path(path) / _ABOUT).read_bytes())
    return Served(family(about["family"]).load(fetch(Path(path), _MODEL, about["sha256"])))


def _link(source: Path, target: Path) -> None:
    """The same file under a second name, or a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
