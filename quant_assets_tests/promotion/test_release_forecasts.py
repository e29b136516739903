"""Forecasts of a day by releases, and the reasons why they fail."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.forecast_tables import ENSEMBLE_FORECASTS
from quant_assets.lake.schemas.promotion_tables import DECISIONS, PROMOTION_DAILY, RELEASES
from quant_assets.promotion.daily_promotion import PromotionResult, promote_days
from quant_assets.promotion.release_creation import register_release
from quant_assets.promotion.release_forecasts import LakeInputs, ReleaseForecast, ReleaseForecaster
from quant_assets.promotion.release_store import (
    Release,
    read_decisions,
    read_releases,
    release_rows,
)
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import FittedLake, day, open_lake, store_fit
from quant_assets_tests.support.history_rows import as_history

FIRST_RELEASE = 210


@pytest.fixture
def fitted(tmp_path: Path) -> Iterator[FittedLake]:
    """A lake with a release."""
    opened = open_lake(tmp_path, synthetic.until(synthetic.prices(), FIRST_RELEASE + 1))
    store_fit(opened, "ridge", FIRST_RELEASE)
    register_release(opened.lake, opened.settings, ("ridge",), day(opened, FIRST_RELEASE))
    yield opened
    opened.lake.close()


def forecast(fitted: FittedLake, release: Release) -> ReleaseForecast | str:
    days = fitted.days[[FIRST_RELEASE]]
    inputs = LakeInputs(fitted.lake, days, release.families)
    forecaster = ReleaseForecaster(fitted.lake, fitted.settings, days, inputs)
    return forecaster.forecast(release, day(fitted, FIRST_RELEASE))


def promote_next_day(fitted: FittedLake, **changed: object) -> PromotionResult:
    """Promote the day after the release was made, and store the rows."""
    settings = fitted.settings.model_copy(update=changed)
    ends = [day(fitted, FIRST_RELEASE + 1)] * 2
    result = promote_days(fitted.lake, settings, *ends)
    for table in PROMOTION_DAILY:
        rows = result.rows[table]
        fitted.lake.replace_days(table, *ends, as_history(rows) if table.keeps_live else rows)
    return result


def test_a_fit_made_on_other_features_does_not_forecast(fitted: FittedLake) -> None:
    (release,) = read_releases(fitted.lake)
    assert isinstance(forecast(fitted, release), ReleaseForecast)
    (fit,) = release.fits
    older = replace(release, fits=(replace(fit, features_version=None),))
    assert isinstance(forecast(fitted, older), ReleaseForecast)
    other = replace(release, fits=(replace(fit, features_version="others"),))
    assert "made on other features" in str(forecast(fitted, other))


def test_a_removed_family_breaks_only_the_releases_that_hold_it(fitted: FittedLake) -> None:
    (release,) = read_releases(fitted.lake)
    (fit,) = release.fits
    gone = replace(release, name="gone", place=0, fits=(replace(fit, family="gone"),))
    fitted.lake.replace_matching(RELEASES, "release", release_rows(gone))
    (submitted,) = promote_next_day(fitted).submitted
    assert submitted.champion == release.name
    assert "unknown model family" in str(forecast(fitted, gone))


def test_a_submitted_day_done_again_keeps_its_decisions(fitted: FittedLake) -> None:
    """Settings have changed since, and the model is lost."""
    promote_next_day(fitted)
    decisions = read_decisions(fitted.lake)
    assert [x.action for x in decisions] == ["champion_by_default"]
    model = model_of(fitted)
    content = model.read_bytes()
    assert DECISIONS in promote_next_day(fitted, promotion_min_days=5).unchanged
    model.unlink()
    (failure,) = promote_next_day(fitted).failures
    assert failure.was_champion
    model.write_bytes(content)
    assert read_decisions(fitted.lake) == decisions


def test_a_failure_that_is_mended_stays_a_failure_of_the_submitted_day(fitted: FittedLake) -> None:
    """The fallback that was submitted is not replaced by the champion's forecast."""
    fallback = Forecasts(
        fitted.days[[FIRST_RELEASE + 1]],
        np.arange(len(synthetic.pairs().targets), dtype=float)[None],
        fitted.days[[FIRST_RELEASE]],
        synthetic.pairs().targets,
    )
    rows = forecast_rows(fitted.lake, fallback)
    fitted.lake.replace_days(ENSEMBLE_FORECASTS, *[day(fitted, FIRST_RELEASE + 1)] * 2, rows)
    model = model_of(fitted)
    content = model.read_bytes()
    model.unlink()
    first = promote_next_day(fitted)
    model.write_bytes(content)
    again = promote_next_day(fitted)
    for result in (first, again):
        (submitted,) = result.submitted
        assert submitted.champion is None
        np.testing.assert_array_equal(submitted.values, fallback.values[0])
        assert len(result.failures) == 1
    assert [x.action for x in read_decisions(fitted.lake)] == [
        "champion_by_default",
        "failed",
        "fallback",
    ]


def model_of(fitted: FittedLake) -> Path:
    """Return the path of the release's model."""
    (release,) = read_releases(fitted.lake)
    return fitted.settings.artifacts_dir / release.fits[0].artifact
