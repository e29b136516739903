"""The Bayesian VAR against slow versions, against statsmodels, and on markets that follow a VAR."""

import numpy as np
import pytest
from scipy.stats import multivariate_t
from statsmodels.tsa.api import VAR

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import COMPETITION_GROUPS, closing_orders, market_of
from quant_assets.models.families import bayesian_svar
from quant_assets.models.families.bayesian_svar import LAGS, BayesianVar, posterior
from quant_assets.models.leg_returns import to_target_scores
from quant_assets.models.protocol import Observations, Resources
from quant_assets_tests.support import leg_market

FLAT = {**bayesian_svar.defaults, "tightness": (1e6,), "drift": 1e6, "drift_days": 10_000}


def regression(days: int, inputs: int, variables: int) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(1)
    x = random.normal(size=(days, inputs))
    return x, x @ random.normal(scale=0.3, size=(inputs, variables)) + random.normal(
        size=(days, variables)
    )


def linked(days: int = 900, horizons: tuple[int, ...] = (1, 2, 3, 4)) -> Observations:
    """Tokyo follows New York two days later, so today's returns predict labels."""
    returns = 0.01 * np.random.default_rng(2).normal(size=(days, 4))
    returns[2:, 1] += 0.8 * returns[:-2, 3]
    return leg_market.observe(returns, horizons)


def fitted(observations: Observations, **parameters: object) -> BayesianVar:
    return bayesian_svar.fit(observations, {**bayesian_svar.defaults, **parameters}, Resources())


def test_posterior_mean_is_least_squares_with_dummy_observations() -> None:
    """One regression per variable, the prior as one more day for each input."""
    x, y = regression(50, 7, 3)
    variance = np.array([9.0, 0.04, 0.04, 0.04, 0.01, 0.01, 0.01])
    dummies = np.diag(1.0 / np.sqrt(variance))
    result = posterior(x, y, variance)
    for variable in range(3):
        slow = np.linalg.lstsq(
            np.concatenate([x, dummies]), np.concatenate([y[:, variable], np.zeros(7)]), rcond=None
        )[0]
        np.testing.assert_allclose(result.coefficients[:, variable], slow, rtol=1e-10)


def test_posterior_covariance_adds_prior_and_residuals() -> None:
    x, y = regression(50, 7, 3)
    variance = np.full(7, 0.05)
    result = posterior(x, y, variance)
    scale = np.eye(3) + y.T @ np.linalg.inv(np.eye(50) + x @ np.diag(variance) @ x.T) @ y
    np.testing.assert_allclose(result.covariance, scale / (50 + 5 - 3 - 1), rtol=1e-10)


def test_evidence_is_the_density_of_the_variable() -> None:
    """With one variable the marginal likelihood is a Student density of all its days."""
    x, y = regression(30, 4, 1)

    def both(variance: FloatArray) -> tuple[float, float]:
        shape = (np.eye(30) + x @ np.diag(variance) @ x.T) / 3
        density = multivariate_t(np.zeros(30), shape, df=3).logpdf(y[:, 0])
        return posterior(x, y, variance).evidence, float(density)

    ours, theirs = np.transpose([both(np.full(4, v)) for v in (0.001, 0.02, 0.3, 5.0)])
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-8)
    assert np.ptp(theirs) > 1


@pytest.mark.parametrize("horizons", [(1, 2, 3, 4), (1, 3, 10), (5, 20)])
def test_a_flat_prior_is_the_var_of_statsmodels(horizons: tuple[int, ...]) -> None:
    observations = linked(400, horizons)
    model = bayesian_svar.fit(observations, FLAT, Resources())
    returns = observations.instrument.column("ret_1").astype(np.float64) / model.deviation
    returns = returns[:, model.columns]
    theirs = VAR(returns).fit(LAGS, trend="c")
    np.testing.assert_allclose(model.coefficients, theirs.params, rtol=0, atol=1e-8)

    responses = theirs.orth_ma_rep(6, P=np.linalg.cholesky(model.covariance))
    np.testing.assert_allclose(model.impulse_responses(6), responses, rtol=0, atol=1e-8)

    moves = np.zeros((5, len(horizons), 4))
    for row in range(5):
        past = returns[: len(returns) - 4 + row]
        ahead = theirs.forecast(past[-LAGS:], horizons[-1] + 1)
        totals = np.cumsum(ahead[1:], axis=0)
        moves[row][:, model.columns] = totals[np.array(horizons) - 1]
    expected = to_target_scores(moves * model.deviation, observations) / model.width
    np.testing.assert_allclose(model.forecast(observations, 5), expected, rtol=0, atol=1e-8)


def test_shocks_reach_markets_in_the_order_of_their_close() -> None:
    model = fitted(linked())
    markets = [market_of(variable) for variable in model.variables]
    hours = closing_orders(markets, COMPETITION_GROUPS)
    assert list(hours) == sorted(hours)
    assert model.variables[0] == "JPX_Gold_Standard_Futures"
    same_day = model.impulse_responses(0)[0]
    np.testing.assert_array_equal(np.triu(same_day, 1), 0.0)
    np.testing.assert_allclose(same_day @ same_day.T, model.covariance, rtol=1e-10)


def test_responses_show_the_planted_link() -> None:
    """New York's shock moves Tokyo two days later and nothing else."""
    model = fitted(linked())
    new_york, tokyo = (model.variables.index(f) for f in leg_market.INSTRUMENTS[3:0:-2])
    responses = model.impulse_responses(3)
    assert responses[2, tokyo, new_york] == pytest.approx(0.6, abs=0.1)
    responses[2, tokyo, new_york] = 0.0
    responses[0] = 0.0
    assert np.abs(responses).max() < 0.15


def test_forecasts_use_the_planted_link() -> None:
    observations = linked()
    forecast = fitted(observations.rows(0, 700)).forecast(observations, 200)[:-5]
    labels = observations.labels()[700:-5]
    gold_and_aluminium = 1
    assert observations.lags[gold_and_aluminium] == 1
    foreseen = np.corrcoef(forecast[:, gold_and_aluminium], labels[:, gold_and_aluminium])[0, 1]
    assert foreseen > 0.4


def test_evidence_shrinks_noise_and_leaves_a_link() -> None:
    noise = leg_market.observe(0.01 * np.random.default_rng(3).normal(size=(900, 4)))
    assert fitted(noise).tightness <= 0.05
    assert fitted(linked()).tightness >= 0.1
    assert np.abs(fitted(noise).coefficients[1:]).max() < 0.05


@pytest.mark.parametrize("horizons", [(1, 2, 3, 4), (1, 3, 10), (5, 20)])
def test_a_tight_prior_leaves_the_recent_drift(horizons: tuple[int, ...]) -> None:
    returns = 0.01 * np.random.default_rng(4).normal(size=(500, 4)) + [0, 0.001, 0.002, 0.003]
    observations = leg_market.observe(returns, horizons)
    model = fitted(observations, tightness=(1e-9,), drift=1e6, drift_days=300)
    means = returns[-300:].mean(axis=0)
    moves = np.tile(np.array(horizons)[:, None] * means, (2, 1, 1))
    expected = to_target_scores(moves, observations) / model.width
    np.testing.assert_allclose(model.forecast(observations, 2), expected, rtol=0, atol=1e-6)


def test_importance_names_the_variable_that_leads() -> None:
    shares = fitted(linked()).importance()
    assert max(shares, key=lambda variable: shares[variable]) == "US_Stock_VT"
