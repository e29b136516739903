"""Properties that every family of the registry must have."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from quant_assets.core.errors import NotEnoughHistoryError, UnknownNameError
from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import COMPETITION_GROUPS, market_of
from quant_assets.models.label_transforms import MIN_DAYS
from quant_assets.models.protocol import PRIOR, FeatureBlock, Forecaster, Observations, Resources
from quant_assets.models.registry import FAMILIES, FAST, load_family, select_families
from quant_assets.scoring.attribution import group_inputs
from quant_assets_tests.support import synthetic

AS_OF = 300
GROUPS = group_inputs(COMPETITION_GROUPS)
# How far contributions may miss a forecast, in its deviations: an integral is taken by quadrature,
# and XGBoost computes in single precision.
TOLERANCE = {"torch": 1e-3, "xgboost": 1e-5}
# What holds after two epochs and between two orders holds for more: fits take a third of the time.
QUICK = {"epochs": 2, "arma_orders": ((0, 0), (1, 0))}
every_family = pytest.mark.parametrize("name", FAMILIES)
Usual = Callable[[str], Forecaster]


@pytest.fixture(scope="module")
def usual(observations: Observations) -> Usual:
    """A family's fit as of ``AS_OF``, shared by the tests that only read it."""
    return cache(lambda name: fitted(name, as_of(observations, AS_OF)))


def fitted(name: str, observations: Observations, *, seed: int = 7, threads: int = 1) -> Forecaster:
    chosen = load_family(name)
    return chosen.fit(observations, chosen.defaults, Resources(seed, threads))


def as_of(observations: Observations, row: int) -> Observations:
    return observations.rows(0, row + 1)


def with_features(observations: Observations, **values: FloatArray) -> Observations:
    """Replace the values of the named feature blocks."""
    blocks = {
        level: FeatureBlock(getattr(observations, level).names, x) for level, x in values.items()
    }
    return replace(observations, **blocks)


def check_complete(forecast: FloatArray, days: int, observations: Observations) -> None:
    assert forecast.shape == (days, len(observations.targets))
    assert forecast.dtype == np.float64
    assert np.isfinite(forecast).all()


def check_contributions(
    name: str, model: Forecaster, observations: Observations, days: int
) -> None:
    """Contributions have no NaN, and they sum to the forecast up to a constant a day."""
    parts, forecast = (
        model.contributions(observations, days, GROUPS),
        model.forecast(observations, days),
    )
    for part in parts.values():
        check_complete(part, days, observations)
    missed = np.sum(list(parts.values()), axis=0) - forecast
    missed -= missed.mean(axis=1, keepdims=True)
    allowed = TOLERANCE.get(load_family(name).library, 1e-12) * forecast.std(axis=1)
    # On a day without any input scores are the same but for rounding.
    assert (np.abs(missed).max(axis=1) <= allowed + 1e-15).all()


@every_family
@pytest.mark.parametrize("row", [120, 251, AS_OF])
def test_nothing_later_matters(
    name: str, row: int, observations: Observations, usual: Usual
) -> None:
    """All prices after a day and all labels that are not known on it are changed."""
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), row, seed=row))
    known_labels = altered.known_labels.copy()
    known_labels[row + 1 :] = np.random.default_rng(row).normal(size=known_labels[row + 1 :].shape)
    altered = replace(altered, known_labels=known_labels)
    assert not np.array_equal(altered.labels()[row], observations.labels()[row], equal_nan=True)
    assert not np.array_equal(
        altered.target.values[row + 1], observations.target.values[row + 1], equal_nan=True
    )

    synthetic.assert_same(as_of(altered, row), as_of(observations, row))
    ours = fitted(name, as_of(altered, row))
    theirs = usual(name) if row == AS_OF else fitted(name, as_of(observations, row))
    assert ours.to_bytes() == theirs.to_bytes()
    forecasts = [
        model.forecast(as_of(x, row), 40) for model, x in ((ours, altered), (theirs, observations))
    ]
    np.testing.assert_array_equal(*forecasts)
    parts = [
        model.contributions(as_of(x, row), 3, GROUPS)
        for model, x in ((ours, altered), (theirs, observations))
    ]
    np.testing.assert_equal(*parts)


@every_family
def test_what_is_known_does_matter(name: str, observations: Observations, usual: Usual) -> None:
    """The test above can fail: a fit depends on the labels that became known on its day."""
    before = as_of(observations, AS_OF)
    known_labels = before.known_labels.copy()
    known_labels[AS_OF] = -known_labels[AS_OF]
    altered = replace(before, known_labels=known_labels)
    assert fitted(name, altered).to_bytes() != usual(name).to_bytes()


@every_family
def test_a_fit_does_not_depend_on_how_much_is_held_after_it(
    name: str, observations: Observations, usual: Usual
) -> None:
    """Views of a longer history and a history read up to the day give the same fit."""
    cut = synthetic.observe(synthetic.until(synthetic.prices(), AS_OF))
    assert fitted(name, cut).to_bytes() == usual(name).to_bytes()


@every_family
def test_a_day_alone_is_forecast_as_among_others(
    name: str, observations: Observations, usual: Usual
) -> None:
    chosen = load_family(name)
    model = usual(name)
    days = len(observations.days) - AS_OF
    bulk = model.forecast(observations, days)
    check_complete(bulk, days, observations)
    for row in range(AS_OF, len(observations.days)):
        alone = model.forecast(observations.rows(max(row - chosen.lookback, 0), row + 1), 1)
        np.testing.assert_array_equal(alone, bulk[row - AS_OF : row - AS_OF + 1])
    week = model.forecast(as_of(observations, AS_OF + 9), 5)
    np.testing.assert_array_equal(week, bulk[5:10])


@every_family
def test_a_day_alone_is_attributed_as_among_others(
    name: str, observations: Observations, usual: Usual
) -> None:
    chosen, days = load_family(name), 6
    model = usual(name)
    bulk = model.contributions(as_of(observations, AS_OF + days - 1), days, GROUPS)
    for row in range(days):
        day = observations.rows(AS_OF + row - chosen.lookback, AS_OF + row + 1)
        alone = model.contributions(day, 1, GROUPS)
        np.testing.assert_equal(alone, {group: part[[row]] for group, part in bulk.items()})


@every_family
def test_contributions_sum_to_the_forecast(
    name: str, observations: Observations, usual: Usual
) -> None:
    check_contributions(name, usual(name), observations, 20)


@every_family
def test_a_group_is_the_sum_of_its_features(
    name: str, observations: Observations, usual: Usual
) -> None:
    model = usual(name)
    single, grouped = (model.contributions(observations, 2, groups) for groups in ({}, GROUPS))
    groups = {feature: GROUPS.get(feature, feature) for feature in single}
    assert set(groups.values()) == set(grouped)
    for group, part in grouped.items():
        features = [single[feature] for feature in groups if groups[feature] == group]
        np.testing.assert_allclose(part, np.sum(features, axis=0), rtol=1e-6, atol=1e-9)


@every_family
def test_only_the_prior_does_not_depend_on_the_day(
    name: str, observations: Observations, usual: Usual
) -> None:
    parts = usual(name).contributions(observations, 5, GROUPS)
    constant = {PRIOR, "drift"} & set(parts)
    assert len(constant) == 1
    for group, part in parts.items():
        if part.any():
            assert np.ptp(part, axis=0).any() == (group not in constant), group


@pytest.mark.parametrize("name", ["ridge", "autoregressive", "bayesian_svar"])
def test_what_a_linear_model_does_not_see_adds_nothing(
    name: str, observations: Observations, usual: Usual
) -> None:
    """A forecast without a market's returns differs by exactly their contribution."""
    model = usual(name)
    parts = model.contributions(observations, 10, GROUPS)
    markets = np.array([market_of(instrument) for instrument in observations.instruments])
    hidden = {"return": markets != ""} | {name: markets == name for name in set(markets.tolist())}
    without = {}
    for group in hidden.keys() & parts:
        values = observations.instrument.values.copy()
        values[:, hidden[group]] = np.nan
        without[group] = model.forecast(with_features(observations, instrument=values), 10)
    forecast = model.forecast(observations, 10)
    assert any(not np.array_equal(other, forecast) for other in without.values())
    for group, other in without.items():
        np.testing.assert_allclose(parts[group], forecast - other, rtol=0, atol=1e-10)


@every_family
def test_a_stored_model_is_the_model(name: str, observations: Observations, usual: Usual) -> None:
    model = usual(name)
    stored = model.to_bytes()
    loaded = load_family(name).load(stored)
    assert loaded.to_bytes() == stored
    np.testing.assert_array_equal(
        loaded.forecast(observations, 50), model.forecast(observations, 50)
    )


@every_family
def test_the_same_seed_gives_the_same_bytes(name: str, observations: Observations) -> None:
    first, again = (fitted(name, as_of(observations, AS_OF), seed=11).to_bytes() for _ in range(2))
    assert first == again


@every_family
def test_threads_do_not_change_the_model(
    name: str, observations: Observations, usual: Usual
) -> None:
    one, two = usual(name), fitted(name, as_of(observations, AS_OF), threads=2)
    assert one.to_bytes() == two.to_bytes()
    np.testing.assert_array_equal(*(model.forecast(observations, 50) for model in (one, two)))


@every_family
def test_days_are_forecast_differently_or_all_alike(
    name: str, observations: Observations, usual: Usual
) -> None:
    """Scores differ between targets, since a day with equal scores could not be submitted."""
    forecast = usual(name).forecast(observations, 50)
    assert (np.ptp(forecast, axis=1) > 0).all()


@every_family
@pytest.mark.parametrize("when", ["before the fit", "after the fit"])
def test_features_may_be_missing(name: str, when: str, observations: Observations) -> None:
    """An instrument, a target, a market feature and some days have no values."""
    part = slice(None, AS_OF) if when == "before the fit" else slice(AS_OF, None)
    blocks = {
        level: getattr(observations, level).values.copy()
        for level in ("target", "instrument", "market")
    }
    blocks["target"][part, 3] = blocks["instrument"][part, 2] = blocks["market"][part, 1] = np.nan
    for values in blocks.values():
        values[part][-3:] = np.nan
    holed = with_features(observations, **blocks)
    model = fitted(name, as_of(holed, AS_OF))
    check_complete(model.forecast(holed, 80), 80, observations)
    check_contributions(name, model, holed, 5)


@every_family
def test_labels_may_be_missing(name: str, observations: Observations) -> None:
    """A target has no labels, and in one week no label becomes known."""
    known_labels = observations.known_labels.copy()
    known_labels[:, 7] = np.nan
    known_labels[200:205] = np.nan
    holed = replace(observations, known_labels=known_labels)
    check_complete(fitted(name, as_of(holed, AS_OF)).forecast(holed, 50), 50, observations)


@every_family
def test_too_few_days_are_refused(name: str, observations: Observations) -> None:
    first_known = 2
    enough = MIN_DAYS + first_known - 1
    check_complete(
        fitted(name, as_of(observations, enough)).forecast(observations, 5), 5, observations
    )
    with pytest.raises(NotEnoughHistoryError, match=f"at least {MIN_DAYS}") as caught:
        fitted(name, as_of(observations, enough - 1))
    assert str(observations.days[enough - 1]) in str(caught.value)
    assert caught.value.found == MIN_DAYS - 1


@every_family
def test_fitting_and_forecasting_change_nothing(name: str, observations: Observations) -> None:
    fitted(name, as_of(observations, AS_OF)).forecast(observations, 50)
    synthetic.assert_same(observations, synthetic.observe(synthetic.prices()))


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
