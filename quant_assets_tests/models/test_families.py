"""What every family of the registry must keep to, however it works inside."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from quant_assets.core.errors import NotEnoughHistoryError, UnknownNameError
from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import market_of
from quant_assets.models.label_transforms import MIN_DAYS
from quant_assets.models.protocol import PRIOR, FeatureBlock, Forecaster, Observations, Resources
from quant_assets.models.registry import FAMILIES, FAST, load_family, select_families
from quant_assets.scoring.attribution import GROUPS
from quant_assets_tests.support import synthetic

AS_OF = 300
# How far contributions may miss a forecast, in its deviations: an integral is taken by quadrature,
# and XGBoost computes in single precision.
TOLERANCE = {"torch": 1e-3, "xgboost": 1e-5}
# What holds after two epochs and between two orders holds for more: fits take a third of the time.
QUICK = {"epochs": 2, "arma_orders": ((0, 0), (1, 0))}
every_family = pytest.mark.parametrize("name", FAMILIES)
Usual = Callable[[str], Forecaster]


@pytest.fixture(scope="module")
def usual(seen: Observations) -> Usual:
    """A family's fit as of ``AS_OF``, made once: to look at, as any fit is."""
    return cache(lambda name: fitted(name, as_of(seen, AS_OF)))


def fitted(name: str, seen: Observations, *, seed: int = 7, threads: int = 1) -> Forecaster:
    chosen = load_family(name)
    quick = {key: value for key, value in QUICK.items() if key in chosen.defaults}
    return chosen.fit(seen, {**chosen.defaults, **quick}, Resources(seed, threads))


def as_of(seen: Observations, row: int) -> Observations:
    return seen.rows(0, row + 1)


def with_features(seen: Observations, **values: FloatArray) -> Observations:
    """Other values for the blocks named."""
    blocks = {level: FeatureBlock(getattr(seen, level).names, x) for level, x in values.items()}
    return replace(seen, **blocks)


def check_complete(forecast: FloatArray, days: int, seen: Observations) -> None:
    assert forecast.shape == (days, len(seen.targets))
    assert forecast.dtype == np.float64
    assert np.isfinite(forecast).all()


def check_contributions(name: str, model: Forecaster, seen: Observations, days: int) -> None:
    """Each is complete, and together they are the forecast up to a constant a day."""
    parts, forecast = model.contributions(seen, days, GROUPS), model.forecast(seen, days)
    for part in parts.values():
        check_complete(part, days, seen)
    missed = np.sum(list(parts.values()), axis=0) - forecast
    missed -= missed.mean(axis=1, keepdims=True)
    allowed = TOLERANCE.get(load_family(name).library, 1e-12) * forecast.std(axis=1)
    # On a day without any input scores are the same but for rounding.
    assert (np.abs(missed).max(axis=1) <= allowed + 1e-15).all()


@every_family
@pytest.mark.parametrize("row", [120, 251, AS_OF])
def test_nothing_later_matters(name: str, row: int, seen: Observations, usual: Usual) -> None:
    """Every price after a day and every label not released on it are changed."""
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), row, seed=row))
    released = altered.released.copy()
    released[row + 1 :] = np.random.default_rng(row).normal(size=released[row + 1 :].shape)
    altered = replace(altered, released=released)
    assert not np.array_equal(altered.labels()[row], seen.labels()[row], equal_nan=True)
    assert not np.array_equal(
        altered.target.values[row + 1], seen.target.values[row + 1], equal_nan=True
    )

    synthetic.assert_same(as_of(altered, row), as_of(seen, row))
    ours = fitted(name, as_of(altered, row))
    theirs = usual(name) if row == AS_OF else fitted(name, as_of(seen, row))
    assert ours.to_bytes() == theirs.to_bytes()
    forecasts = [
        model.forecast(as_of(x, row), 40) for model, x in ((ours, altered), (theirs, seen))
    ]
    np.testing.assert_array_equal(*forecasts)
    parts = [
        model.contributions(as_of(x, row), 3, GROUPS)
        for model, x in ((ours, altered), (theirs, seen))
    ]
    np.testing.assert_equal(*parts)


@every_family
def test_what_is_known_does_matter(name: str, seen: Observations, usual: Usual) -> None:
    """The test above can fail: a fit sees labels up to the very day of their release."""
    before = as_of(seen, AS_OF)
    released = before.released.copy()
    released[AS_OF] = -released[AS_OF]
    altered = replace(before, released=released)
    assert fitted(name, altered).to_bytes() != usual(name).to_bytes()


@every_family
def test_a_fit_does_not_depend_on_how_much_is_held_after_it(
    name: str, seen: Observations, usual: Usual
) -> None:
    """Views of a longer history and a history read up to the day give the same fit."""
    cut = synthetic.observe(synthetic.until(synthetic.prices(), AS_OF))
    assert fitted(name, cut).to_bytes() == usual(name).to_bytes()


@every_family
def test_a_day_alone_is_forecast_as_among_others(
    name: str, seen: Observations, usual: Usual
) -> None:
    chosen = load_family(name)
    model = usual(name)
    days = len(seen.days) - AS_OF
    bulk = model.forecast(seen, days)
    check_complete(bulk, days, seen)
    for row in range(AS_OF, len(seen.days)):
        alone = model.forecast(seen.rows(max(row - chosen.lookback, 0), row + 1), 1)
        np.testing.assert_array_equal(alone, bulk[row - AS_OF : row - AS_OF + 1])
    week = model.forecast(as_of(seen, AS_OF + 9), 5)
    np.testing.assert_array_equal(week, bulk[5:10])


@every_family
def test_a_day_alone_is_attributed_as_among_others(
    name: str, seen: Observations, usual: Usual
) -> None:
    chosen, days = load_family(name), 6
    model = usual(name)
    bulk = model.contributions(as_of(seen, AS_OF + days - 1), days, GROUPS)
    for row in range(days):
        day = seen.rows(AS_OF + row - chosen.lookback, AS_OF + row + 1)
        alone = model.contributions(day, 1, GROUPS)
        np.testing.assert_equal(alone, {group: part[[row]] for group, part in bulk.items()})


@every_family
def test_contributions_sum_to_the_forecast(name: str, seen: Observations, usual: Usual) -> None:
    check_contributions(name, usual(name), seen, 20)


@every_family
def test_a_group_is_the_sum_of_its_features(name: str, seen: Observations, usual: Usual) -> None:
    model = usual(name)
    single, grouped = (model.contributions(seen, 2, groups) for groups in ({}, GROUPS))
    groups = {feature: GROUPS.get(feature, feature) for feature in single}
    assert set(groups.values()) == set(grouped)
    for group, part in grouped.items():
        features = [single[feature] for feature in groups if groups[feature] == group]
        np.testing.assert_allclose(part, np.sum(features, axis=0), rtol=1e-6, atol=1e-9)


@every_family
def test_only_the_prior_does_not_depend_on_the_day(
    name: str, seen: Observations, usual: Usual
) -> None:
    parts = usual(name).contributions(seen, 5, GROUPS)
    constant = {PRIOR, "drift"} & set(parts)
    assert len(constant) == 1
    for group, part in parts.items():
        if part.any():
            assert np.ptp(part, axis=0).any() == (group not in constant), group


@pytest.mark.parametrize("name", ["ridge", "autoregressive", "bayesian_svar"])
def test_what_a_linear_model_does_not_see_adds_nothing(
    name: str, seen: Observations, usual: Usual
) -> None:
    """A forecast without the returns of a market, or of all, misses just what they contribute."""
    model = usual(name)
    parts = model.contributions(seen, 10, GROUPS)
    markets = np.array([market_of(instrument) for instrument in seen.instruments])
    hidden = {"return": markets != ""} | {name: markets == name for name in set(markets.tolist())}
    without = {}
    for group in hidden.keys() & parts:
        values = seen.instrument.values.copy()
        values[:, hidden[group]] = np.nan
        without[group] = model.forecast(with_features(seen, instrument=values), 10)
    forecast = model.forecast(seen, 10)
    assert any(not np.array_equal(other, forecast) for other in without.values())
    for group, other in without.items():
        np.testing.assert_allclose(parts[group], forecast - other, rtol=0, atol=1e-10)


@every_family
def test_a_stored_model_is_the_model(name: str, seen: Observations, usual: Usual) -> None:
    model = usual(name)
    stored = model.to_bytes()
    loaded = load_family(name).load(stored)
    assert loaded.to_bytes() == stored
    np.testing.assert_array_equal(loaded.forecast(seen, 50), model.forecast(seen, 50))


@every_family
def test_the_same_seed_gives_the_same_bytes(name: str, seen: Observations) -> None:
    first, again = (fitted(name, as_of(seen, AS_OF), seed=11).to_bytes() for _ in range(2))
    assert first == again


@every_family
def test_threads_do_not_change_the_model(name: str, seen: Observations, usual: Usual) -> None:
    one, two = usual(name), fitted(name, as_of(seen, AS_OF), threads=2)
    assert one.to_bytes() == two.to_bytes()
    np.testing.assert_array_equal(*(model.forecast(seen, 50) for model in (one, two)))


@every_family
def test_days_are_forecast_differently_or_all_alike(
    name: str, seen: Observations, usual: Usual
) -> None:
    """Scores tell targets apart: a day with one score for all could not be submitted."""
    forecast = usual(name).forecast(seen, 50)
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
    model = fitted(name, as_of(holed, AS_OF))
    check_complete(model.forecast(holed, 80), 80, seen)
    check_contributions(name, model, holed, 5)


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
    synthetic.assert_same(seen, synthetic.observe(synthetic.prices()))


def test_the_fall_back_is_always_chosen() -> None:
    assert select_families("ridge") == ("rank_prior", "ridge")
    assert select_families("fast") == FAST
    assert select_families("xgboost, fast") == ("rank_prior", "ridge", "lightgbm", "xgboost")
    assert select_families("all") == FAMILIES


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean ridge"):
        load_family("rigde")


@every_family
def test_importance_is_a_share(name: str, usual: Usual) -> None:
    shares = usual(name).importance()
    assert all(share >= 0 for share in shares.values())
    assert not shares or sum(shares.values()) == pytest.approx(1.0)


@every_family
def test_families_describe_themselves(name: str) -> None:
    chosen = load_family(name)
    assert chosen.name == name
    assert chosen.description.endswith(".")
    assert chosen.lookback >= 0
