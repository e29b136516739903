"""The fits of a whole load in MLflow, and a run that finds MLflow's store locked."""

import sqlite3

import pytest
from mlflow import MlflowClient

from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAST
from quant_assets.tracking import mlflow_store
from quant_assets_tests.support.installation import Command, CommandResult, Installation

_FITS = " UNION ALL ".join(f"SELECT '{name}' AS family, * FROM fits.{name}" for name in FAST)


def test_every_fit_has_its_run_below_that_of_the_load(loaded: Installation) -> None:
    with Lake(loaded.settings.lake_dir, read_only=True) as lake:
        tracked = lake.query("FROM tracking.fits ORDER BY family, trading_day")
        fits = lake.query(f"FROM ({_FITS}) ORDER BY family, trading_day")
    assert tracked["fingerprint"].tolist() == fits["fingerprint"].tolist()
    folder = loaded.settings.mlflow_dir
    client = MlflowClient(
        tracking_uri=mlflow_store.store_uri(folder), registry_uri=mlflow_store.store_uri(folder)
    )
    runs = [client.get_run(run) for run in tracked["mlflow_run"]]
    (load,) = {run.data.tags["mlflow.parentRunId"] for run in runs}
    assert client.get_run(load).data.tags["dagster_run_id"] == fits["dagster_run"][0]
    assert client.get_run(load).info.status == "FINISHED"
    for name in FAST:
        newest = tracked[tracked["family"] == name].iloc[-1]
        assert newest["alias"] == "champion"
        assert client.get_model_version_by_alias(name, "champion").run_id == newest["mlflow_run"]


@pytest.mark.slow("two retrainings in real runs")
def test_a_locked_store_is_a_warning_and_the_next_run_catches_up(
    installation: Installation, command: Command
) -> None:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        day = str(lake.query("SELECT max(trading_day)::VARCHAR AS day FROM raw.prices")["day"][0])

    def retrain() -> CommandResult:
        days = ("--from", day, "--to", day)
        return command(installation, "backfill", "--job", "retrain_models", *days).succeeded()

    holder = sqlite3.connect(mlflow_store.database_path(installation.settings.mlflow_dir))
    holder.execute("BEGIN EXCLUSIVE")
    assert "check recorded of tracking/fits did not pass" in retrain().out
    assert aliases_on(installation, day) == {}
    holder.close()
    assert "did not pass" not in retrain().out
    assert aliases_on(installation, day) == dict.fromkeys(FAST, "challenger")


def aliases_on(installation: Installation, day: str) -> dict[str, str]:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        fits = lake.query("SELECT family, alias FROM tracking.fits WHERE trading_day = ?", [day])
    return dict(zip(fits["family"], fits["alias"], strict=True))
