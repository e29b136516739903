"""MLflow's store opens in a folder of any name, and writes nothing beside it."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

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
