"""Filtered regime probabilities, against statsmodels and against planted regimes."""

import warnings

import numpy as np
import pytest
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.models.markov_switching import Regimes, filtered_windows, fit_regimes

TRUE = Regimes(np.array([0.05, -0.1]), np.array([0.3, 2.0]), np.array([0.98, 0.94]))


def planted(days: int, seed: int = 1) -> tuple[FloatArray, BoolArray]:
    """Returns drawn from ``TRUE``, and a mask of the days of the turbulent regime."""
    random = np.random.default_rng(seed)
    state, states = 0, []
    for draw in random.random(days):
        state = state if draw < TRUE.stay[state] else 1 - state
        states.append(state)
    returns = random.normal(TRUE.mean[states], np.sqrt(TRUE.variance[states]))
    return returns, np.array(states, dtype=bool)


@pytest.fixture(scope="module")
def fitted() -> Regimes:
    return fit_regimes(planted(1500)[0])


def by_statsmodels(regimes: Regimes, returns: FloatArray) -> FloatArray:
    model = MarkovRegression(returns, k_regimes=2, switching_variance=True)
    stay = regimes.stay
    given = [stay[0], 1.0 - stay[1], *regimes.mean, *regimes.variance]
    probabilities: FloatArray = model.filter(given).filtered_marginal_probabilities[:, 1]
    return probabilities


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_filter_is_statsmodels(seed: int) -> None:
    returns, _ = planted(400, seed)
    np.testing.assert_allclose(TRUE.filtered(returns), by_statsmodels(TRUE, returns), atol=1e-12)


def test_a_filtered_probability_knows_no_later_day() -> None:
    returns, _ = planted(300)
    shocked = returns.copy()
    shocked[200:] *= 10
    before, after = TRUE.filtered(returns), TRUE.filtered(shocked)
    np.testing.assert_array_equal(before[:200], after[:200])
    assert not np.array_equal(before[200:], after[200:])


def test_a_day_without_a_return_is_predicted() -> None:
    returns, _ = planted(50)
    returns[20] = np.nan
    p = TRUE.filtered(returns)
    expected = p[19] * TRUE.stay[1] + (1 - p[19]) * (1 - TRUE.stay[0])
    assert p[20] == pytest.approx(expected, abs=1e-15)


def test_a_shock_beyond_all_bounds_is_turbulent() -> None:
    assert TRUE.filtered(np.array([0.0, 1e6, 0.0]))[1] == 1.0


def test_planted_regimes_are_found(fitted: Regimes) -> None:
    np.testing.assert_allclose(fitted.variance, TRUE.variance, rtol=0.2)
    np.testing.assert_allclose(fitted.stay, TRUE.stay, atol=0.03)
    returns, turbulent = planted(1500)
    assert np.mean((fitted.filtered(returns) > 0.5) == turbulent) > 0.9


def test_the_fit_is_the_likeliest(fitted: Regimes) -> None:
    """The likelihood is as large as that of statsmodels' search from its own start."""
    model = MarkovRegression(planted(1500)[0], k_regimes=2, switching_variance=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = model.fit(em_iter=50)
    ours = [fitted.stay[0], 1 - fitted.stay[1], *fitted.mean, *fitted.variance]
    assert model.loglike(ours) > own.llf - 0.01


@pytest.mark.parametrize(
    "returns",
    [
        np.zeros(300),
        np.full(300, np.nan),
        np.random.default_rng(1).normal(size=30),
        np.array([0.1]),
        np.append(np.zeros(299), 1.0),
    ],
    ids=["constant", "none", "short", "one day", "one move"],
)
def test_a_series_without_regimes_gets_usable_ones(returns: FloatArray) -> None:
    regimes = fit_regimes(returns)
    assert 0 < regimes.variance[0] < regimes.variance[1]
    assert ((regimes.stay > 0) & (regimes.stay < 1)).all()
    p = regimes.filtered(np.array([0.0, 5.0, np.nan]))
    assert ((p >= 0) & (p <= 1)).all()


def test_a_window_alone_is_filtered_as_among_others() -> None:
    returns, _ = planted(200)
    rows = filtered_windows(TRUE, returns, 60, 20)
    assert rows.shape == (200, 20)
    for row in (10, 59, 60, 150):
        alone = filtered_windows(TRUE, returns[max(0, row - 59) : row + 1], 60, 20)[-1]
        np.testing.assert_array_equal(alone, rows[row])
    np.testing.assert_array_equal(rows[150], TRUE.filtered(returns[91:151])[-20:])
