"""What releases forecast a day by, and why they do not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from quant_assets.lake.promotion_tables import RELEASES
from quant_assets.promotion.daily import go_through
from quant_assets.promotion.registering import register
from quant_assets.promotion.serving import Served, Serving
from quant_assets.promotion.stored import Release, release_rows, releases
from quant_assets_tests.evaluation.conftest import Desk, open_desk
from quant_assets_tests.evaluation.test_fits import day, store_fit
from quant_assets_tests.market import world

BORN = 210
FAMILIES = ("rank_prior", "ridge")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A lake with a release."""
    folder: Path = tmp_path_factory.mktemp("desk")
    opened = open_desk(folder, world.until(world.prices(), BORN + 1))
    for name in FAMILIES:
        store_fit(opened, name, BORN)
    register(opened.lake, opened.settings, ("ridge",), day(opened, BORN))
    yield opened
    opened.lake.close()


def forecast(desk: Desk, release: Release) -> Served | str:
    serving = Serving(desk.lake, desk.settings, desk.days[[BORN]], release.families)
    return serving.forecast(release, day(desk, BORN))


def test_a_fit_made_on_other_features_does_not_forecast(desk: Desk) -> None:
    *_, release = releases(desk.lake)
    assert isinstance(forecast(desk, release), Served)
    (fit,) = release.fits
    older = replace(release, fits=(replace(fit, features_version=None),))
    assert isinstance(forecast(desk, older), Served)
    other = replace(release, fits=(replace(fit, features_version="others"),))
    assert "made on other features" in str(forecast(desk, other))


def test_a_family_that_there_is_no_more_takes_only_releases_with_it_out(desk: Desk) -> None:
    *_, release = releases(desk.lake)
    (fit,) = release.fits
    gone = replace(release, name="gone", place=0, fits=(replace(fit, family="gone"),))
    desk.lake.replace_matching(RELEASES, "release", release_rows(gone))
    (published,) = go_through(desk.lake, desk.settings, *[day(desk, BORN + 1)] * 2).published
    assert published.champion == release.name
    assert "unknown model family" in str(forecast(desk, gone))
