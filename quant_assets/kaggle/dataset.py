"""The folder that the notebook needs offline: this package, the lake, and the fits.

The notebook itself is in ``notebook``.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import Settings, market_in_settings, require_market
from quant_assets.kaggle.notebook import MANIFEST, build_notebook
from quant_assets.kaggle.requirements import list_requirements
from quant_assets.kaggle.wheel import DISTRIBUTION, write_wheel
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.price_tables import VALIDATED_PRICES
from quant_assets.lake.store.copying import copy_lake
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import select_families
from quant_assets.promotion.release_store import read_releases

NOTEBOOK = "quant-assets.ipynb"
DATASET = "dataset"
# Keys and their audit stay at home; the others are of no use to a forecast.
_LEFT_OUT = ("access", "alerts", "rejected", "submissions", "superseded", "tracking")
_COMPUTING = ("families", "seed", "first_day", "day_filled", "fill_limit", "jump_z")
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64", "any")


@dataclass(frozen=True)
class Prepared:
    """What was written for Kaggle.

    Attributes:
        notebook: the notebook.
        dataset: the folder that becomes a dataset.
        megabytes: size of the dataset.
        wheels: number of wheels in it.
    """

    notebook: Path
    dataset: Path
    megabytes: float
    wheels: int


def prepare_notebook(settings: Settings, folder: Path, python: str | None = None) -> Prepared:
    """Write the notebook and its dataset into a new folder.

    Args:
        settings: of the loaded market.
        folder: the folder; it must be empty or missing.
        python: version of Python for which the wheels of all libraries are downloaded, such as
            3.11; None leaves them to Kaggle's image.

    Raises:
        SettingsError: no market is loaded, the folder has something in it, or a download fails.
        LakeError: the lake cannot be copied.
    """
    require_market(settings, loaded=True)
    if folder.exists() and any(folder.iterdir()):
        raise SettingsError(
            "the folder is not empty", where=str(folder), expected="a new folder, or an empty one"
        )
    dataset = folder / DATASET
    data = dataset / "data"
    copy_lake(settings.lake_dir, data / settings.lake_dir.name, _LEFT_OUT)
    shutil.copytree(settings.artifacts_dir, data / settings.artifacts_dir.name)
    shutil.copyfile(settings.market_file, data / settings.market_file.name)
    wheels = dataset / "wheels"
    write_wheel(wheels)
    families, newest = _read_about(data / settings.lake_dir.name, settings)
    required = list_requirements(families)
    requirements = dataset / "requirements.txt"
    requirements.write_text("\n".join(required) + "\n")
    if python is not None:
        _download(requirements, wheels, python)
    about = {
        "package": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        "market": str(market_in_settings(settings)),
        "newest_day": newest,
        "families": families,
    }
    (dataset / MANIFEST).write_text(json.dumps(about, indent=1) + "\n")
    notebook = folder / NOTEBOOK
    notebook.write_text(build_notebook(list_variables(settings)))
    size = sum(path.stat().st_size for path in dataset.rglob("*") if path.is_file())
    return Prepared(notebook, dataset, size / 1e6, len(list(wheels.glob("*.whl"))))


def list_variables(settings: Settings) -> dict[str, str]:
    """Return the variables of the settings that were given and that change a forecast."""
    given = settings.model_dump(mode="json", exclude_unset=True)
    return {
        f"QUANT_{name.upper()}": str(value)
        for name, value in given.items()
        if name in _COMPUTING or name.startswith("promotion_")
    }


def _read_about(lake_dir: Path, settings: Settings) -> tuple[list[str], str]:
    """Return the families that forecast, and the newest day."""
    with Lake(lake_dir, read_only=True) as lake:
        of_releases = [name for release in read_releases(lake) for name in release.families]
        newest = read_newest_day(lake, VALIDATED_PRICES)
    return list(dict.fromkeys([*select_families(settings.families), *of_releases])), str(newest)


def _download(requirements: Path, wheels: Path, python: str) -> None:
    platforms = [part for name in _PLATFORMS for part in ("--platform", name)]
    options = ["--no-deps", "--only-binary=:all:", "--python-version", python, *platforms]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options]
    try:
        subprocess.run(  # noqa: S603 - this Python's pip
            [*command, "--dest", str(wheels), "--requirement", str(requirements)], check=True
        )
    except subprocess.CalledProcessError as error:
        raise SettingsError(
            "the wheels cannot be downloaded",
            where=str(requirements),
            expected=f"a wheel of each library for Python {python} on Linux",
            found=f"pip ended with status {error.returncode}",
            hint="its messages are above",
        ) from error
