"""The notebook for Kaggle: its cells run offline in a fresh process, on the dataset beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest

from quant_assets.core.errors import LakeError, SettingsError
from quant_assets.core.settings import Settings
from quant_assets.kaggle.dataset import Prepared, list_variables, prepare_notebook
from quant_assets.kaggle.requirements import FROM_IMAGE
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, forecasts_table
from quant_assets.lake.store.copying import copy_lake
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.simulated.market import SimulatedMarket
from quant_assets_tests.support.installation import PATIENCE, Command, Installation
from quant_assets_tests.support.served_days import write_served_days
from quant_assets_tests.support.small_market import FIRST_DAY, LAST_DAY
from quant_assets_tests.support.stand_in import write_stand_in

FIRST, SERVED = 107, 3
OFFLINE = """
import socket

def refuse(self, address):
    raise AssertionError(f"the network was asked for {address}")

socket.socket.connect = refuse
"""
LOADED = """
import json
from importlib.metadata import packages_distributions

import quant_assets

roots = {name.partition(".")[0] for name in sys.modules}
by_package = packages_distributions()
libraries = {root: by_package[root] for root in roots if root in by_package}
print(json.dumps({"file": quant_assets.__file__, "libraries": libraries}))
"""
# Others import these where they are there, and do without them otherwise.
OPTIONAL = {"charset-normalizer", "cloudpickle", "psutil", "rich", "setuptools", "pip"}
# Its files lie in the folder of grpcio.
SHARED = {"grpcio-health-checking"}


@pytest.fixture(scope="module")
def inputs(loaded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Kaggle shows to the notebook as its inputs."""
    folder = tmp_path_factory.mktemp("input")
    market = SimulatedMarket(seed=7, first_day=FIRST_DAY, last_day=LAST_DAY)
    write_served_days(folder / "competition", market, FIRST, SERVED)
    write_stand_in(folder / "competition")
    return folder


@pytest.fixture(scope="module")
def prepared(loaded: Installation, inputs: Path) -> Prepared:
    return prepare_notebook(loaded.settings, inputs / "own")


def code_of(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_cells_write_the_submission_offline(
    prepared: Prepared, inputs: Path, loaded: Installation, tmp_path: Path
) -> None:
    cells = "\n".join(code_of(prepared.notebook))
    for there, here in (("/kaggle/input", inputs), ("/tmp/quant_assets_packages", tmp_path / "p")):
        assert cells.count(f'"{there}"') == 1
        cells = cells.replace(f'"{there}"', repr(str(here)))
    result = subprocess.run(
        [sys.executable, "-c", f"{OFFLINE}{cells}{LOADED}"],
        check=False,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    assert "forecast by the ensemble" in result.stderr
    about = json.loads(result.stdout.splitlines()[-1])
    assert about["file"].startswith(str(tmp_path / "p"))
    written = pl.read_parquet(tmp_path / "submission.parquet")
    assert written["date_id"].to_list() == list(range(FIRST, FIRST + SERVED))
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        rows = lake.arrow(
            f"SELECT target, value FROM {SUBMISSIONS.quoted} WHERE date_id = {FIRST}"
        ).to_pylist()
    first = written.row(0, named=True)
    assert all(first[row["target"]] == row["value"] for row in rows)
    lines = (prepared.dataset / "requirements.txt").read_text().splitlines()
    required = {line.partition("==")[0] for line in lines}
    known = {*required, *FROM_IMAGE, *OPTIONAL, *SHARED, "quant-assets", "polars-runtime-32"}
    for names in about["libraries"].values():
        # Several libraries may share a package's name, such as google.
        assert known & {name.lower().replace("_", "-") for name in names}, names


def test_the_dataset_holds_what_a_forecast_needs(prepared: Prepared, loaded: Installation) -> None:
    names = {path.name for path in prepared.dataset.iterdir()}
    assert names == {"data", "quant-assets-dataset.json", "requirements.txt", "wheels"}
    assert {path.name for path in (prepared.dataset / "data").iterdir()} == {
        "lake",
        "artifacts",
        "market.json",
    }
    about = json.loads((prepared.dataset / "quant-assets-dataset.json").read_text())
    assert about["newest_day"] == str(LAST_DAY)
    assert about["families"] == ["rank_prior", "ridge", "lightgbm"]
    (wheel,) = (prepared.dataset / "wheels").iterdir()
    with ZipFile(wheel) as opened:
        assert "quant_assets/kaggle/prediction.py" in opened.namelist()
        assert opened.testzip() is None
    table = forecasts_table("ridge")
    count = f"SELECT count(*) AS n, sum(value) AS total FROM {table.quoted}"
    copy = Lake(prepared.dataset / "data" / "lake", read_only=True)
    with copy, Lake(loaded.settings.lake_dir, read_only=True) as lake:
        assert copy.arrow(count).to_pylist() == lake.arrow(count).to_pylist()
        assert lake.has(SUBMISSIONS)
        assert not copy.has(SUBMISSIONS)


def test_the_notebook_is_offline_and_serves_in_a_rerun(prepared: Prepared) -> None:
    notebook = json.loads(prepared.notebook.read_text())
    assert notebook["metadata"]["kaggle"]["isInternetEnabled"] is False
    last = code_of(prepared.notebook)[-1]
    assert "MitsuiInferenceServer(predict)" in last
    assert 'os.getenv("KAGGLE_IS_COMPETITION_RERUN")' in last


def test_given_settings_that_change_a_forecast_go_along(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, jump_z=9.0, promotion_min_days=80, alerts_critical="json://secret"
    )
    assert list_variables(settings) == {
        "QUANT_JUMP_Z": "9.0",
        "QUANT_PROMOTION_MIN_DAYS": "80",
    }


def test_nothing_is_overwritten(prepared: Prepared, loaded: Installation, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not empty"):
        prepare_notebook(loaded.settings, prepared.notebook.parent)
    with pytest.raises(LakeError, match="exists already"):
        copy_lake(loaded.settings.lake_dir, tmp_path)
    with pytest.raises(LakeError, match="no lake"):
        copy_lake(tmp_path / "absent", tmp_path / "copy")


@pytest.mark.parametrize("official", [(), ("--official",)], ids=["its server", "its gateway"])
def test_the_folders_own_package_is_used(
    inputs: Path, loaded: Installation, tmp_path: Path, command: Command, official: tuple[str, ...]
) -> None:
    """Its server runs in a process of its own, which ours asks; or its gateway asks for all."""
    file = tmp_path / "submission.parquet"
    replay = ("kaggle", "replay", str(inputs / "competition"), "--output", str(file))
    # The gateway changes the process that it runs in.
    result = loaded.run(*replay, *official) if official else command(loaded, *replay)
    assert result.status == 0, result.err
    assert pl.read_parquet(file)["date_id"].to_list() == list(range(FIRST, FIRST + SERVED))


def test_the_own_gateway_needs_the_package(
    loaded: Installation, tmp_path: Path, command: Command
) -> None:
    result = command(loaded, "kaggle", "replay", str(tmp_path), "--official")
    result.refused_with("lacks the competition's package", str(tmp_path), "kaggle_evaluation")
