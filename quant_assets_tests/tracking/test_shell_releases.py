"""Releases of a small market in MLflow, through real runs, and a store that was deleted."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAST
from quant_assets.tracking import mlflow_store
from quant_assets_tests.support.installation import Command, Installation
from quant_assets_tests.support.mlflow_fits import load
from quant_assets_tests.support.releases import (
    DAYS,
    FIRST_RELEASE,
    SECOND,
    copy_two_releases,
    decide,
    names,
    refresh,
    rows,
    scores,
)

pytestmark = pytest.mark.slow(
    "two retrainings in real runs, recorded in MLflow, and runs that come after them", seconds=90
)

PINNED = [name for name in FAST if name != "rank_prior"]
NOW = SECOND + 1


@pytest.fixture(scope="module")
def with_releases(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A champion by default, and a release that the gates refused."""
    return copy_two_releases(tmp_path_factory.mktemp("releases"))


@pytest.fixture
def mine(with_releases: Installation, tmp_path: Path) -> Installation:
    """A copy that tests may change."""
    return with_releases.copy(tmp_path)


def client_of(installation: Installation) -> MlflowClient:
    uri = mlflow_store.store_uri(installation.settings.mlflow_dir)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def releases_by_alias(installation: Installation) -> dict[str, str]:
    client = client_of(installation)
    held = client.get_registered_model("release").aliases
    return {
        alias: client.get_model_version("release", str(version)).tags["release"]
        for alias, version in held.items()
    }


def test_every_release_has_its_run_below_that_of_the_retraining(
    with_releases: Installation,
) -> None:
    client, tracked = (
        client_of(with_releases),
        rows(with_releases, "FROM tracking.releases ORDER BY version"),
    )
    assert tracked["release"].tolist() == names(with_releases)
    assert tracked["version"].tolist() == [1, 2]
    for run, row in zip(tracked["mlflow_run"], (FIRST_RELEASE, SECOND), strict=True):
        parent = client.get_run(client.get_run(run).data.tags["mlflow.parentRunId"])
        fits = rows(
            with_releases, "SELECT dagster_run FROM fits.ridge WHERE trading_day = ?", [DAYS[row]]
        )
        assert parent.data.tags["dagster_run_id"] == fits["dagster_run"][0]
    assert releases_by_alias(with_releases) == {"champion": names(with_releases)[0]}


def test_the_champion_is_loaded_and_gives_what_the_same_fits_gave_that_day(
    mine: Installation,
) -> None:
    """On its as-of day, done again with its fits, the ensemble has its fits and its weights.

    A day uses a daily fit as of the day only if there is none before it.
    """
    day = DAYS[FIRST_RELEASE]
    champion = load(mine.settings.mlflow_dir, "models:/release@champion")
    with Lake(mine.settings.lake_dir, read_only=True) as lake:
        forecast = champion.predict(read_observations(lake, as_of=day))
    with Lake(mine.settings.lake_dir) as lake:
        table = fits_table("rank_prior")
        none = {column.name: [] for column in table.columns}
        lake.replace_days(table, DAYS[0], DAYS[FIRST_RELEASE - 1], none)
    refresh(mine, FIRST_RELEASE, FIRST_RELEASE)
    np.testing.assert_array_equal(forecast[0], scores(mine, "forecasts.ensemble", day))


def test_aliases_follow_what_is_decided_by_hand(mine: Installation) -> None:
    first, second = names(mine)
    decide(mine, action="promote", release=second, share=0.1)
    refresh(mine, NOW + 1, NOW + 1)
    assert releases_by_alias(mine) == {"champion": first, "challenger": second}
    decide(mine, action="roll_back")
    decide(mine, action="pin", release=second)
    refresh(mine, NOW + 2, NOW + 2)
    assert releases_by_alias(mine) == {"champion": second}
    for name in PINNED:
        (held,) = client_of(mine).get_registered_model(name).aliases.items()
        of_release = rows(
            mine,
            "SELECT t.alias, t.version FROM promotion.releases r JOIN tracking.fits t"
            " USING (family, fingerprint) WHERE release = ? AND family = ?",
            [second, name],
        )
        assert of_release.to_numpy().tolist() == [list(held)]


def test_a_day_without_news_does_not_open_the_store(mine: Installation, command: Command) -> None:
    holder = sqlite3.connect(mlflow_store.database_path(mine.settings.mlflow_dir))
    holder.execute("BEGIN EXCLUSIVE")
    day = str(DAYS[NOW + 1])
    done = command(mine, "backfill", "--job", "refresh_daily", "--from", day, "--to", day)
    holder.close()
    assert "did not pass" not in done.succeeded().out


def test_a_store_that_is_gone_costs_nothing_and_is_made_again(
    mine: Installation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mine.settings.mlflow_dir
    shutil.rmtree(folder)
    folder.write_text("no folder")
    day = str(DAYS[NOW + 1])
    refreshed = ("backfill", "--job", "refresh_daily", "--from", day, "--to", day)
    done = command(mine, *refreshed).succeeded()
    for name in ("fits", "releases"):
        assert f"check recorded of tracking/{name} did not pass" in done.out
    assert len(rows(mine, "FROM submissions.daily WHERE trading_day = ?", [day])) == 424
    assert rows(mine, "FROM tracking.releases").empty
    folder.unlink()
    # In a process of its own: MLflow remembers stores that it has opened.
    assert "did not pass" not in mine.run(*refreshed).succeeded().out
    assert releases_by_alias(mine) == {"champion": names(mine)[0]}
    assert rows(mine, "FROM tracking.releases")["release"].tolist() == names(mine)
