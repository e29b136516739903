"""What every family of the registry must keep to, however it works inside."""

from dataclasses import replace

import numpy as np
import pytest

from quant_assets.errors import NotEnoughHistoryError, UnknownNameError
from quant_assets.models.base import Block, Forecaster, Observations, Resources
from quant_assets.models.labels import MIN_DAYS
from quant_assets.models.registry import FAMILIES, family
from quant_assets.typing import FloatArray
from quant_assets_tests.market import world

AS_OF = 300
every_family = pytest.mark.parametrize("name", FAMILIES)


def fitted(name: str, seen: Observations, *, seed: int = 7, threads: int = 1) -> Forecaster:
    chosen = family(name)
    return chosen.fit(seen, chosen.defaults, Resources(seed, threads))


def as_of(seen: Observations, row: int) -> Observations:
    return seen.rows(0, row + 1)


def with_features(seen: Observations, **values: FloatArray) -> Observations:
    """Other values for the blocks named."""
    blocks = {level: Block(getattr(seen, level).names, x) for level, x in values.items()}
    return replace(seen, **blocks)


def check_complete(forecast: FloatArray, days: int, seen: Observations) -> None:
    assert forecast.shape == (days, len(seen.targets))
    assert forecast.dtype == np.float64
    assert np.isfinite(forecast).all()


@every_family
@pytest.mark.parametrize("row", [120, 251, AS_OF])
def test_nothing_later_matters(name: str, row: int, seen: Observations) -> None:
    """Every price after a day and every label not released on it are changed."""
    altered = world.observe(world.altered_after(world.prices(), row, seed=row))
    released = altered.released.copy()
    released[row + 1 :] = np.random.default_rng(row).normal(size=released[row + 1 :].shape)
    altered = replace(altered, released=released)
    assert not np.array_equal(altered.labels()[row], seen.labels()[row], equal_nan=True)
    assert not np.array_equal(
        altered.target.values[row + 1], seen.target.values[row + 1], equal_nan=True
    )

    world.same(as_of(altered, row), as_of(seen, row))
    ours, theirs = (fitted(name, as_of(x, row)) for x in (altered, seen))
    assert ours.to_bytes() == theirs.to_bytes()
    forecasts = [
        model.forecast(as_of(x, row), 40) for model, x in ((ours, altered), (theirs, seen))
    ]
    np.testing.assert_array_equal(*forecasts)


@every_family
def test_what_is_known_does_matter(name: str, seen: Observations) -> None:
    """The test above can fail: a fit sees labels up to the very day of their release."""
    before = as_of(seen, AS_OF)
    released = before.released.copy()
    released[AS_OF] = -released[AS_OF]
    altered = replace(before, released=released)
    assert fitted(name, altered).to_bytes() != fitted(name, before).to_bytes()


@every_family
def test_a_fit_does_not_depend_on_how_much_is_held_after_it(name: str, seen: Observations) -> None:
    """Views of a longer history and a history read up to the day give the same fit."""
    cut = world.observe(world.until(world.prices(), AS_OF))
    assert fitted(name, cut).to_bytes() == fitted(name, as_of(seen, AS_OF)).to_bytes()


@every_family
def test_a_day_alone_is_forecast_as_among_others(name: str, seen: Observations) -> None:
    chosen = family(name)
    model = fitted(name, as_of(seen, AS_OF))
    days = len(seen.days) - AS_OF
    bulk = model.forecast(seen, days)
    check_complete(bulk, days, seen)
    for row in range(AS_OF, len(seen.days)):
        alone = model.forecast(seen.rows(max(row - chosen.lookback, 0), row + 1), 1)
        np.testing.assert_array_equal(alone, bulk[row - AS_OF : row - AS_OF + 1])
    week = model.forecast(as_of(seen, AS_OF + 9), 5)
    np.testing.assert_array_equal(week, bulk[5:10])


@every_family
def test_a_stored_model_is_the_model(name: str, seen: Observations) -> None:
    model = fitted(name, as_of(seen, AS_OF))
    stored = model.to_bytes()
    loaded = family(name).load(stored)
    assert loaded.to_bytes() == stored
    np.testing.assert_array_equal(loaded.forecast(seen, 50), model.forecast(seen, 50))


@every_family
def test_the_same_seed_gives_the_same_bytes(name: str, seen: Observations) -> None:
    first, again = (fitted(name, as_of(seen, AS_OF), seed=11).to_bytes() for _ in range(2))
    assert first == again


@every_family
def test_threads_do_not_change_the_model(name: str, seen: Observations) -> None:
    one, two = (fitted(name, as_of(seen, AS_OF), threads=n) for n in (1, 2))
    assert one.to_bytes() == two.to_bytes()
    np.testing.assert_array_equal(*(model.forecast(seen, 50) for model in (one, two)))


@every_family
def test_days_are_forecast_differently_or_all_alike(name: str, seen: Observations) -> None:
    """Scores tell targets apart: a day with one score for all could not be submitted."""
    forecast = fitted(name, as_of(seen, AS_OF)).forecast(seen, 50)
    assert (np.ptp(forecast, axis=1) > 0).all()


@every_family
@pytest.mark.parametrize("when", ["before the fit", "after the fit"])
def test_features_may_be_missing(name: str, when: str, seen: Observations) -> None:
    """An instrument, a target, a feature of the market and whole days without any value."""
    part = slice(None, AS_OF) if when == "before the fit" else slice(AS_OF, None)
    blocks = {
        level: getattr(seen, level).values.copy() for level in ("target", "instrument", "market")
    }
    blocks["target"][part, 3] = blocks["instrument"][part, 2] = blocks["market"][part, 1] = np.nan
    for values in blocks.values():
        values[part][-3:] = np.nan
    holed = with_features(seen, **blocks)
    forecast = fitted(name, as_of(holed, AS_OF)).forecast(holed, 80)
    check_complete(forecast, 80, seen)


@every_family
def test_labels_may_be_missing(name: str, seen: Observations) -> None:
    """A target without labels, and a week on which none is released."""
    released = seen.released.copy()
    released[:, 7] = np.nan
    released[200:205] = np.nan
    holed = replace(seen, released=released)
    check_complete(fitted(name, as_of(holed, AS_OF)).forecast(holed, 50), 50, seen)


@every_family
def test_too_few_days_are_refused(name: str, seen: Observations) -> None:
    first_release = 2
    enough = MIN_DAYS + first_release - 1
    check_complete(fitted(name, as_of(seen, enough)).forecast(seen, 5), 5, seen)
    with pytest.raises(NotEnoughHistoryError, match=f"at least {MIN_DAYS}") as caught:
        fitted(name, as_of(seen, enough - 1))
    assert str(seen.days[enough - 1]) in str(caught.value)
    assert caught.value.found == MIN_DAYS - 1


@every_family
def test_fitting_and_forecasting_change_nothing(name: str, seen: Observations) -> None:
    fitted(name, as_of(seen, AS_OF)).forecast(seen, 50)
    world.same(seen, world.observe(world.prices()))


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean ridge"):
        family("rigde")


@every_family
def test_importance_is_a_share(name: str, seen: Observations) -> None:
    shares = fitted(name, as_of(seen, AS_OF)).importance()
    assert all(share >= 0 for share in shares.values())
    assert not shares or sum(shares.values()) == pytest.approx(1.0)


@every_family
def test_families_describe_themselves(name: str) -> None:
    chosen = family(name)
    assert chosen.name == name
    assert chosen.description.endswith(".")
    assert chosen.lookback >= 0
