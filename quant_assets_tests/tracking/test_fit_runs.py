"""Fits in a real MLflow store: their records, interrupted runs, and damaged models."""

import json
import shutil
import sqlite3
from pathlib import Path
from platform import python_version

import mlflow
import numpy as np
import pytest

from quant_assets.core.errors import ArtifactError, TrackingError
from quant_assets.models.protocol import Observations
from quant_assets.models.registry import load_family
from quant_assets.tracking import mlflow_store
from quant_assets.tracking.fit_runs import Fit, record_fits
from quant_assets.tracking.mlflow_registry import RegistryEntry
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.mlflow_fits import NAMES, client_of, fit_of, load, recording


@pytest.fixture(scope="module")
def observations() -> Observations:
    return synthetic.observe(synthetic.prices())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def fits(observations: Observations, models: Path) -> list[Fit]:
    return [fit_of(observations, name, row, models) for name in NAMES for row in (200, 300)]


def record(folder: Path, fits: list[Fit], models: Path, **named: str) -> dict[str, RegistryEntry]:
    with recording(folder) as (client, parent):
        entries = record_fits(client, parent, fits, named, models)
    return {fingerprint: entry for fingerprint, (_, entry) in entries.items()}


def test_a_run_says_all_that_made_the_fit(tmp_path: Path, fits: list[Fit], models: Path) -> None:
    folder = tmp_path / "mlflow"
    entries = record(folder, fits, models)
    assert set(entries) == {fit["fingerprint"] for fit in fits}
    run = client_of(folder).get_run(entries["ridge-300"].run)
    ridge = fits[-1]
    assert run.info.status == "FINISHED"
    assert run.data.params["clip"] == "4.0"
    assert run.data.params["seed"] == "7"
    assert run.data.metrics == {"labels": 1000.0, "days": 301.0, "seconds": 0.25}
    for key in ("family", "snapshot", "features_version", "code", "sha256", "dagster_run"):
        assert run.data.tags[key] == str(ridge[key])
    files = Path(run.info.artifact_uri.removeprefix("file://"))
    assert json.loads((files / "importance.json").read_text()) == json.loads(ridge["importance"])
    needed = (files / "model" / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in needed] == ["mlflow", "quant-assets", "numpy"]


def test_a_model_takes_no_space_of_its_own(tmp_path: Path, fits: list[Fit], models: Path) -> None:
    folder = tmp_path / "mlflow"
    entries = record(folder, fits, models)
    run = client_of(folder).get_run(entries["ridge-300"].run)
    files = Path(run.info.artifact_uri.removeprefix("file://"))
    (stored,) = files.rglob("*.model")
    assert stored.samefile(models / fits[-1]["artifact"])
    assert [path.name for path in files.parent.iterdir()] == ["artifacts"]


@pytest.mark.parametrize("loader", ["served", "fit_model"])
def test_a_model_stored_by_an_earlier_version_loads(
    loader: str, tmp_path: Path, fits: list[Fit], models: Path, observations: Observations
) -> None:
    """Versions up to 0.1.0 stored descriptions of models that name another loader."""
    ridge, folder = fits[-1], tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    shutil.copy(models / ridge["artifact"], folder / "data" / "fitted.model")
    about = {"family": "ridge", "sha256": ridge["sha256"]}
    (folder / "data" / "about.json").write_text(json.dumps(about))
    (folder / "MLmodel").write_text(
        "artifact_path: model\nflavors:\n  python_function:\n    data: data\n"
        f"    loader_module: quant_assets.tracking.{loader}\n"
        f"    python_version: {python_version()}\n"
    )
    expected = load_family("ridge").load((models / ridge["artifact"]).read_bytes())
    scores = mlflow.pyfunc.load_model(str(folder)).predict(observations)
    np.testing.assert_array_equal(scores, expected.forecast(observations, 1))


def test_a_model_loads_by_its_alias_and_forecasts_the_same(
    tmp_path: Path, fits: list[Fit], models: Path, observations: Observations
) -> None:
    folder = tmp_path / "mlflow"
    entries = record(folder, fits, models, **{"ridge-200": "champion", "ridge-300": "challenger"})
    assert [entries[f"ridge-{row}"].version for row in (200, 300)] == [1, 2]
    for alias, fit in (("champion", fits[2]), ("challenger", fits[3])):
        model = load(folder, f"models:/ridge@{alias}")
        stored = (models / fit["artifact"]).read_bytes()
        expected = load_family("ridge").load(stored).forecast(observations, 1)
        np.testing.assert_array_equal(model.predict(observations), expected)


def test_an_experiment_that_somebody_deleted_is_restored(
    tmp_path: Path, fits: list[Fit], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    first = record(folder, fits[:1], models)
    with mlflow_store.open_store(folder) as client:
        client.delete_experiment(
            client.get_experiment_by_name(mlflow_store.EXPERIMENT).experiment_id
        )
    again = record(folder, fits, models)
    assert again.items() >= first.items()
    assert set(again) == {fit["fingerprint"] for fit in fits}


def test_aliases_move_and_go(tmp_path: Path, fits: list[Fit], models: Path) -> None:
    folder = tmp_path / "mlflow"
    record(folder, fits, models, **{"ridge-200": "champion", "ridge-300": "challenger"})
    record(folder, fits, models, **{"ridge-300": "champion"})
    assert client_of(folder).get_registered_model("ridge").aliases == {"champion": 2}


def test_what_is_recorded_is_not_recorded_again(
    tmp_path: Path, fits: list[Fit], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    failed = {**fits[0], "failure": "no convergence", "fingerprint": "failed", "artifact": None}
    first = record(folder, [*fits, failed], models)
    assert first["failed"].version is None
    assert client_of(folder).get_run(first["failed"].run).info.status == "FAILED"
    assert record(folder, [*fits, failed], models) == first


def test_a_fit_that_failed_and_was_made_good_is_registered(
    tmp_path: Path, fits: list[Fit], models: Path
) -> None:
    folder, good = tmp_path / "mlflow", fits[-1]
    failed = {**good, "failure": "no space left", "artifact": None, "sha256": None}
    record(folder, [fits[2], failed], models, **{"ridge-200": "champion"})
    named = {"ridge-200": "champion", "ridge-300": "challenger"}
    assert record(folder, [fits[2], good], models, **named)["ridge-300"].version == 2
    aliases = client_of(folder).get_registered_model("ridge").aliases
    assert aliases == {"champion": 1, "challenger": 2}


def test_the_alias_of_a_fit_stays_when_another_is_stored_in_its_place(
    tmp_path: Path, fits: list[Fit], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    record(folder, fits[2:3], models, **{"ridge-200": "champion"})
    record(folder, fits[3:], models, **{"ridge-200": "champion"})
    assert client_of(folder).get_registered_model("ridge").aliases == {"champion": 1}


def test_a_recording_that_was_killed_goes_on(tmp_path: Path, fits: list[Fit], models: Path) -> None:
    folder = tmp_path / "mlflow"
    record(folder, fits[:1], models)
    with recording(folder) as (client, parent):
        interrupted = client.create_run(
            parent.info.experiment_id, tags={"fingerprint": "ridge-200"}
        )
        others = client.create_run(parent.info.experiment_id, run_name="by somebody else")
    entries = record(folder, fits, models)
    assert client_of(folder).get_run(interrupted.info.run_id).info.status == "KILLED"
    assert client_of(folder).get_run(others.info.run_id).info.status == "RUNNING"
    assert entries["ridge-200"].version == 1


def test_a_version_made_by_hand_is_left_alone(
    tmp_path: Path, fits: list[Fit], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    with recording(folder) as (client, parent):
        client.create_registered_model("ridge")
        source = parent.info.artifact_uri
        client.create_model_version("ridge", source, parent.info.run_id)
    assert record(folder, fits, models)["ridge-200"].version == 2


def test_an_altered_model_is_neither_recorded_nor_loaded(
    tmp_path: Path, fits: list[Fit], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    record(folder, fits[2:], models, **{"ridge-300": "champion"})
    file = models / fits[-1]["artifact"]
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"?")
    with pytest.raises(ArtifactError, match="not the one recorded"):
        load(folder, "models:/ridge@champion")
    later = {**fits[-1], "fingerprint": "later"}
    assert "later" not in record(folder, [*fits, later], models)


def test_a_locked_store_is_said_and_left_as_it_was(
    tmp_path: Path, fits: list[Fit], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    before = record(folder, fits[:2], models)
    holder = sqlite3.connect(mlflow_store.database_path(folder))
    holder.execute("BEGIN EXCLUSIVE")
    with (
        pytest.raises(TrackingError, match=r"database is locked(?s:.*)catches up"),
        recording(folder, patience=0.2),
    ):
        pass
    holder.close()
    after = record(folder, fits, models)
    assert {name: after[name] for name in before} == before


def test_a_store_that_is_no_database_is_said(tmp_path: Path) -> None:
    file = mlflow_store.database_path(tmp_path)
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(TrackingError, match="not a database"), mlflow_store.open_store(tmp_path):
        pass
    assert file.read_bytes() == b"not a database" * 100
