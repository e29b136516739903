"""What releases forecast a day by, and why they do not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.promotion_tables import DECISIONS, PROMOTION_DAILY, RELEASES
from quant_assets.lake.schemas.tables import ENSEMBLE_FORECASTS
from quant_assets.promotion.daily_promotion import PromotionResult, promote_days
from quant_assets.promotion.release_creation import register_release
from quant_assets.promotion.release_forecasts import ReleaseForecast, ReleaseForecaster
from quant_assets.promotion.release_store import (
    Release,
    read_decisions,
    read_releases,
    release_rows,
)
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import FittedLake, day, open_lake, store_fit

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
    serving = ReleaseForecaster(
        fitted.lake, fitted.settings, fitted.days[[FIRST_RELEASE]], release.families
    )
    return serving.forecast(release, day(fitted, FIRST_RELEASE))


def gone_through(fitted: FittedLake, **changed: object) -> PromotionResult:
    """The day after the release was made; what comes of it is stored."""
    settings = fitted.settings.model_copy(update=changed)
    ends = [day(fitted, FIRST_RELEASE + 1)] * 2
    history = promote_days(fitted.lake, settings, *ends)
    for table in PROMOTION_DAILY:
        fitted.lake.replace_days(table, *ends, history.rows[table])
    return history


def test_a_fit_made_on_other_features_does_not_forecast(fitted: FittedLake) -> None:
    (release,) = read_releases(fitted.lake)
    assert isinstance(forecast(fitted, release), ReleaseForecast)
    (fit,) = release.fits
    older = replace(release, fits=(replace(fit, features_version=None),))
    assert isinstance(forecast(fitted, older), ReleaseForecast)
    other = replace(release, fits=(replace(fit, features_version="others"),))
    assert "made on other features" in str(forecast(fitted, other))


def test_a_family_that_there_is_no_more_takes_only_releases_with_it_out(fitted: FittedLake) -> None:
    (release,) = read_releases(fitted.lake)
    (fit,) = release.fits
    gone = replace(release, name="gone", place=0, fits=(replace(fit, family="gone"),))
    fitted.lake.replace_matching(RELEASES, "release", release_rows(gone))
    (published,) = gone_through(fitted).published
    assert published.champion == release.name
    assert "unknown model family" in str(forecast(fitted, gone))


def test_a_published_day_done_again_keeps_its_decisions(fitted: FittedLake) -> None:
    """Though settings have changed since, and the model is lost."""
    gone_through(fitted)
    made = read_decisions(fitted.lake)
    assert [one.action for one in made] == ["champion_by_default"]
    model = model_of(fitted)
    content = model.read_bytes()
    assert DECISIONS in gone_through(fitted, promotion_min_days=5).unchanged
    model.unlink()
    (failure,) = gone_through(fitted).failures
    assert failure.was_champion
    model.write_bytes(content)
    assert read_decisions(fitted.lake) == made


def test_a_failure_that_is_mended_stays_one_of_the_published_day(fitted: FittedLake) -> None:
    """What was submitted in place of the champion's forecast is not replaced by it."""
    fall_back = Forecasts(
        fitted.days[[FIRST_RELEASE + 1]],
        np.arange(len(synthetic.pairs().targets), dtype=float)[None],
        fitted.days[[FIRST_RELEASE]],
        synthetic.pairs().targets,
    )
    rows = forecast_rows(fitted.lake, fall_back)
    fitted.lake.replace_days(ENSEMBLE_FORECASTS, *[day(fitted, FIRST_RELEASE + 1)] * 2, rows)
    model = model_of(fitted)
    content = model.read_bytes()
    model.unlink()
    first = gone_through(fitted)
    model.write_bytes(content)
    again = gone_through(fitted)
    for history in (first, again):
        (published,) = history.published
        assert published.champion is None
        np.testing.assert_array_equal(published.values, fall_back.values[0])
        assert len(history.failures) == 1
    assert [x.action for x in read_decisions(fitted.lake)] == [
        "champion_by_default",
        "failed",
        "fallback",
    ]


def model_of(fitted: FittedLake) -> Path:
    """File of the release's model."""
    (release,) = read_releases(fitted.lake)
    return fitted.settings.artifacts_dir / release.fits[0].artifact
