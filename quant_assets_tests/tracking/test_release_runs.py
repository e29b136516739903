"""Releases in a real MLflow store: their records, loaded models, and damaged models."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import ArtifactError
from quant_assets.ensemble.blend import rank_average
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Observations
from quant_assets.models.registry import load_family
from quant_assets.promotion.release_store import Release, ReleaseFit
from quant_assets.tracking import fit_runs as tracked
from quant_assets.tracking.mlflow_registry import RegistryEntry
from quant_assets.tracking.release_runs import record_releases
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.mlflow_fits import NAMES, client_of, fit_of, load, recording

WEIGHTS = (0.25, 0.75)
Rows = Sequence[tracked.Fit]


@pytest.fixture(scope="module")
def observations() -> Observations:
    return synthetic.observe(synthetic.prices())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def fits(observations: Observations, models: Path) -> Rows:
    return [fit_of(observations, name, row, models) for name in NAMES for row in (200, 300)]


@pytest.fixture
def releases(fits: Rows) -> list[Release]:
    return [release_of("first", fits[::2]), release_of("second", fits[1::2], "no walk-forward")]


def release_of(name: str, fits: Rows, no_record: str | None = None) -> Release:
    """Return a release of some fits; ``rank_prior`` is fitted daily, so it is not pinned."""
    as_of: date = fits[0]["trading_day"]
    parts = tuple(
        ReleaseFit(
            fit["family"],
            as_of,
            fit["fingerprint"],
            fit["artifact"],
            fit["sha256"],
            fit["family"] != "rank_prior",
            weight,
        )
        for fit, weight in zip(fits, WEIGHTS, strict=True)
    )
    return Release(name, as_of, parts, "a-recipe", as_of, 1, no_record)


def record(
    folder: Path, releases: Sequence[Release], models: Path, fits: Rows = (), **named: Release
) -> dict[str, RegistryEntry]:
    with recording(folder) as (client, parent):
        tracked.record_fits(client, parent, fits, {}, models)
        return record_releases(client, parent, releases, named, models)


def test_a_run_says_what_the_release_is(
    tmp_path: Path, releases: list[Release], models: Path, fits: Rows
) -> None:
    folder = tmp_path / "mlflow"
    entries = record(folder, releases, models, fits)
    client = client_of(folder)
    run = client.get_run(entries["second"].run)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.parentRunId"] != entries["second"].run
    ridge = {
        "fit_as_of": str(fits[-1]["trading_day"]),
        "fingerprint": "ridge-300",
        "version": 2,
        "pinned": True,
        "weight": 0.75,
    }
    version = client.get_model_version("release", str(entries["second"].version))
    for tags in (run.data.tags, version.tags):
        assert json.loads(tags["families"])["ridge"] == ridge
        assert tags["release"] == "second"
        assert tags["trading_day"] == str(releases[1].as_of)
        assert tags["recipe"] == "a-recipe"
        assert tags["no_record"] == "no walk-forward"
    assert run.data.params["ridge.weight"] == "0.75"
    assert run.data.params["rank_prior.fingerprint"] == "rank_prior-300"
    assert "no_record" not in client.get_run(entries["first"].run).data.tags


def test_a_release_loads_by_its_alias_and_blends_its_fits(
    tmp_path: Path, releases: list[Release], models: Path, observations: Observations
) -> None:
    folder = tmp_path / "mlflow"
    record(folder, releases, models, champion=releases[0], challenger=releases[1])
    for alias, release in (("champion", releases[0]), ("challenger", releases[1])):
        parts = [
            load_family(fit.family)
            .load((models / fit.artifact).read_bytes())
            .forecast(observations, 1)
            for fit in release.fits
        ]
        expected = rank_average(parts, np.array([WEIGHTS]))
        entries = load(folder, f"models:/release@{alias}").predict(observations)
        assert len(entries) == 1
        np.testing.assert_array_equal(entries, expected)


def test_a_release_stored_by_an_earlier_version_loads(
    tmp_path: Path, releases: list[Release], models: Path, observations: Observations
) -> None:
    """It names the module that loaded releases then."""
    folder = tmp_path / "mlflow"
    record(folder, releases[:1], models, champion=releases[0])
    (file,) = folder.rglob("MLmodel")
    expected = load(folder, "models:/release@champion").predict(observations)
    now, then = "quant_assets.tracking.release_model", "quant_assets.tracking.blended"
    assert now in file.read_text()
    file.write_text(file.read_text().replace(now, then))
    entries = load(folder, "models:/release@champion").predict(observations)
    np.testing.assert_array_equal(entries, expected)


def test_the_aliases_follow(tmp_path: Path, releases: list[Release], models: Path) -> None:
    folder = tmp_path / "mlflow"
    record(folder, releases, models, champion=releases[0], challenger=releases[1])
    assert client_of(folder).get_registered_model("release").aliases == {
        "champion": 1,
        "challenger": 2,
    }
    record(folder, releases, models, champion=releases[1])
    assert client_of(folder).get_registered_model("release").aliases == {"champion": 2}


def test_what_is_recorded_is_not_recorded_again_and_what_was_killed_is(
    tmp_path: Path, releases: list[Release], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    first = record(folder, releases[:1], models)
    with recording(folder) as (client, parent):
        interrupted = client.create_run(parent.info.experiment_id, tags={"release": "second"})
    entries = record(folder, releases, models)
    assert entries["first"] == first["first"]
    assert entries["second"].version == 2
    assert client_of(folder).get_run(interrupted.info.run_id).info.status == "KILLED"
    assert record(folder, releases, models) == entries


def test_an_altered_model_is_neither_recorded_nor_loaded(
    tmp_path: Path, releases: list[Release], models: Path
) -> None:
    folder = tmp_path / "mlflow"
    record(folder, releases[:1], models, champion=releases[0])
    for release in releases:
        file = models / release.fits[1].artifact
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(ArtifactError, match="not the one recorded"):
        load(folder, "models:/release@champion")
    assert set(record(folder, releases, models, champion=releases[1])) == {"first"}
    assert client_of(folder).get_registered_model("release").aliases == {}


def test_a_release_of_a_family_that_there_is_no_more_is_left_out(
    tmp_path: Path, releases: list[Release], models: Path
) -> None:
    first, second = releases
    gone = replace(first, fits=(replace(first.fits[0], family="gone"), first.fits[1]))
    assert set(record(tmp_path / "mlflow", [gone, second], models, champion=gone)) == {"second"}


def test_aliases_of_families_are_those_of_the_releases(
    tmp_path: Path, releases: list[Release], fits: Rows
) -> None:
    """Pinned fits have aliases; rank_prior has no forecast here, and so no alias."""
    with Lake(tmp_path / "lake") as lake:
        both = {"champion": releases[0], "challenger": releases[1]}
        assert tracked.find_fit_aliases(lake, fits, both) == {
            "ridge-200": "champion",
            "ridge-300": "challenger",
        }
        assert tracked.find_fit_aliases(lake, fits, {"champion": releases[1]}) == {
            "ridge-300": "champion"
        }
        same = {"champion": releases[1], "challenger": releases[1]}
        assert tracked.find_fit_aliases(lake, fits, same) == {"ridge-300": "champion"}
        assert tracked.find_fit_aliases(lake, fits, {"challenger": releases[1]}) == {}
