"""MLflow's store opens in a folder of any name, writes nothing beside it, and may be moved."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from quant_assets.core.errors import TrackingError
from quant_assets.tracking.mlflow_store import EXPERIMENT, database_path, open_store, store_uri
from quant_assets_tests.support.odd_names import ODD_NAME


def test_a_store_is_made_and_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory has such a name too, because MLflow looks there for its artifacts."""
    root = tmp_path / ODD_NAME
    folder = root / "mlflow"
    root.mkdir()
    monkeypatch.chdir(root)
    with open_store(folder) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        run = client.create_run(experiment.experiment_id)
        client.log_text(run.info.run_id, "kept", "note.txt")
    uri = store_uri(folder)
    again = MlflowClient(tracking_uri=uri, registry_uri=uri)
    assert {experiment.name for experiment in again.search_experiments()} == {"Default", EXPERIMENT}
    assert all(
        experiment.artifact_location.startswith(folder.as_uri())
        for experiment in again.search_experiments()
    )
    (file,) = folder.rglob("note.txt")
    assert file.read_text() == "kept"
    assert database_path(folder).exists()
    assert [path.name for path in tmp_path.iterdir()] == [ODD_NAME]
    assert [path.name for path in root.iterdir()] == ["mlflow"]


def test_a_moved_store_finds_its_artifacts(tmp_path: Path) -> None:
    """MLflow's tables and columns are its own: where it renames one, this fails."""
    former, folder = tmp_path / ODD_NAME / "mlflow", tmp_path / f"new {ODD_NAME}" / "mlflow"
    elsewhere = (tmp_path / "elsewhere").as_uri()
    with open_store(former) as client:
        ours = client.get_experiment_by_name(EXPERIMENT).experiment_id
        theirs = client.create_experiment("theirs", artifact_location=elsewhere)
        runs = [client.create_run(experiment).info.run_id for experiment in (ours, theirs)]
        client.log_text(runs[0], "kept", "note.txt")
        model = client.create_logged_model(ours, name="model").model_id
    folder.parent.mkdir()
    former.rename(folder)
    uri = store_uri(folder)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    places = {found.name: found.artifact_location for found in client.search_experiments()}
    assert places["theirs"] == elsewhere
    assert places[EXPERIMENT] == (folder / "artifacts").as_uri()
    assert places["Default"] == f"{places[EXPERIMENT]}/0"
    assert [artifact.path for artifact in client.list_artifacts(runs[0])] == ["note.txt"]
    assert client.get_run(runs[1]).info.artifact_uri.startswith(f"{elsewhere}/")
    assert client.get_logged_model(model).artifact_location.startswith(folder.as_uri())
    with open_store(folder) as client:
        run = client.create_run(ours)
        client.log_text(run.info.run_id, "new", "more.txt")
    assert list(folder.rglob("more.txt"))
    assert not former.exists()


def test_a_spoilt_store_is_said_before_mlflow_opens_it(tmp_path: Path) -> None:
    database_path(tmp_path).write_bytes(b"not a database" * 100)
    with pytest.raises(TrackingError, match="not a database"):
        store_uri(tmp_path)
