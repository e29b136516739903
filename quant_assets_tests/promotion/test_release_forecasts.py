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
from quant_assets_tests.support.fitted_lake import Desk, open_desk
from quant_assets_tests.training.test_fits import day, store_fit

BORN = 210


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A lake with a release."""
    opened = open_desk(tmp_path, synthetic.until(synthetic.prices(), BORN + 1))
    store_fit(opened, "ridge", BORN)
    register_release(opened.lake, opened.settings, ("ridge",), day(opened, BORN))
    yield opened
    opened.lake.close()


def forecast(desk: Desk, release: Release) -> ReleaseForecast | str:
    serving = ReleaseForecaster(desk.lake, desk.settings, desk.days[[BORN]], release.families)
    return serving.forecast(release, day(desk, BORN))


def gone_through(desk: Desk, **changed: object) -> PromotionResult:
    """The day after the release was made; what comes of it is stored."""
    settings = desk.settings.model_copy(update=changed)
    ends = [day(desk, BORN + 1)] * 2
    course = promote_days(desk.lake, settings, *ends)
    for table in PROMOTION_DAILY:
        desk.lake.replace_days(table, *ends, course.rows[table])
    return course


def test_a_fit_made_on_other_features_does_not_forecast(desk: Desk) -> None:
    (release,) = read_releases(desk.lake)
    assert isinstance(forecast(desk, release), ReleaseForecast)
    (fit,) = release.fits
    older = replace(release, fits=(replace(fit, features_version=None),))
    assert isinstance(forecast(desk, older), ReleaseForecast)
    other = replace(release, fits=(replace(fit, features_version="others"),))
    assert "made on other features" in str(forecast(desk, other))


def test_a_family_that_there_is_no_more_takes_only_releases_with_it_out(desk: Desk) -> None:
    (release,) = read_releases(desk.lake)
    (fit,) = release.fits
    gone = replace(release, name="gone", place=0, fits=(replace(fit, family="gone"),))
    desk.lake.replace_matching(RELEASES, "release", release_rows(gone))
    (published,) = gone_through(desk).published
    assert published.champion == release.name
    assert "unknown model family" in str(forecast(desk, gone))


def test_a_published_day_done_again_keeps_its_decisions(desk: Desk) -> None:
    """Though settings have changed since, and the model is lost."""
    gone_through(desk)
    made = read_decisions(desk.lake)
    assert [one.action for one in made] == ["champion_by_default"]
    model = model_of(desk)
    content = model.read_bytes()
    assert DECISIONS in gone_through(desk, promotion_min_days=5).unchanged
    model.unlink()
    (failure,) = gone_through(desk).failures
    assert failure.was_champion
    model.write_bytes(content)
    assert read_decisions(desk.lake) == made


def test_a_failure_that_is_mended_stays_one_of_the_published_day(desk: Desk) -> None:
    """What was submitted in place of the champion's forecast is not replaced by it."""
    fall_back = Forecasts(
        desk.days[[BORN + 1]],
        np.arange(len(synthetic.pairs().targets), dtype=float)[None],
        desk.days[[BORN]],
        synthetic.pairs().targets,
    )
    rows = forecast_rows(desk.lake, fall_back)
    desk.lake.replace_days(ENSEMBLE_FORECASTS, *[day(desk, BORN + 1)] * 2, rows)
    model = model_of(desk)
    content = model.read_bytes()
    model.unlink()
    first = gone_through(desk)
    model.write_bytes(content)
    again = gone_through(desk)
    for course in (first, again):
        (published,) = course.published
        assert published.champion is None
        np.testing.assert_array_equal(published.values, fall_back.values[0])
        assert len(course.failures) == 1
    assert [x.action for x in read_decisions(desk.lake)] == [
        "champion_by_default",
        "failed",
        "fallback",
    ]


def model_of(desk: Desk) -> Path:
    """File of the release's model."""
    (release,) = read_releases(desk.lake)
    return desk.settings.artifacts_dir / release.fits[0].artifact
