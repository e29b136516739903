"""A family that cannot fit, or whose fit is damaged, costs a warning and not the submission."""

import numpy as np
import pytest

from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAST
from quant_assets_tests.support.installation import Command, Installation, digests

_NEWEST = "SELECT max(trading_day)::VARCHAR AS day FROM raw.prices"


def newest_day(installation: Installation) -> str:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return str(lake.query(_NEWEST)["day"][0])


def rows_on(installation: Installation, table: str, day: str) -> int:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        sql = f"SELECT count(*) AS n FROM {table} WHERE trading_day = ?"
        return int(lake.query(sql, [day])["n"][0])


def test_a_damaged_fit_leaves_its_family_out(installation: Installation, command: Command) -> None:
    day = newest_day(installation)
    before = {
        key: value for key, value in digests(installation.settings).items() if "ridge" in key[0]
    }
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        stored = lake.query("SELECT artifact FROM fits.ridge ORDER BY trading_day DESC LIMIT 1")
    (installation.settings.artifacts_dir / stored["artifact"][0]).write_bytes(b"something else")
    done = command(installation, "backfill", "--job", "refresh_daily", "--from", day, "--to", day)
    done.succeeded()
    assert "check forecasts of forecasts/ridge did not pass" in done.out
    assert "not the one recorded" in done.err
    assert rows_on(installation, "submissions.daily", day) == 424
    after = {
        key: value for key, value in digests(installation.settings).items() if "ridge" in key[0]
    }
    assert after == before


def test_a_family_that_cannot_fit_leaves_its_reason(
    installation: Installation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def singular(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    day = newest_day(installation)
    monkeypatch.setattr("quant_assets.models.families.ridge.fit", singular)
    done = command(installation, "backfill", "--job", "load_history", "--from", day, "--to", day)
    done.succeeded()
    assert "check fitted of fits/ridge did not pass" in done.out
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        fits = lake.query("SELECT failure, artifact FROM fits.ridge WHERE trading_day = ?", [day])
        used = lake.query("SELECT DISTINCT fit_as_of < trading_day AS older FROM forecasts.ridge")
    assert fits["failure"].tolist() == ["LinAlgError: Singular matrix"]
    assert fits["artifact"].isna().all()
    assert True in used["older"].tolist()
    for name in FAST:
        assert rows_on(installation, f"forecasts.{name}", day) == 424
    assert rows_on(installation, "submissions.daily", day) == 424
