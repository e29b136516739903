"""The autoregressions against statsmodels and against loops over days."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg, ar_select_order
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.arima_process import ArmaProcess

from quant_assets.core.errors import FitError
from quant_assets.core.typing import FloatArray
from quant_assets.models.families import autoregressive
from quant_assets.models.families.autoregressive import LAGS, Autoregression
from quant_assets.models.protocol import Resources
from quant_assets_tests.support import leg_market


def series(days: int, *weights: float, ma: float = 0.0, seed: int = 0) -> FloatArray:
    """(days,) centred draws of an ARMA process whose errors have variance one."""
    process = ArmaProcess(np.r_[1.0, -np.array(weights)], [1.0, ma])
    draw = process.generate_sample(
        days, burnin=200, distrvs=np.random.default_rng(seed).standard_normal
    )
    return np.asarray(draw - draw.mean())


def test_order_and_weights_are_those_of_statsmodels() -> None:
    drawn = np.stack(
        [
            series(600, seed=1),
            series(600, 0.3, seed=2),
            series(600, 0.2, -0.3, seed=3),
            series(600, 0.1, 0.1, 0.0, 0.3, seed=4),
        ],
        axis=1,
    )
    observed = np.ones(drawn.shape, dtype=bool)
    weights, orders = autoregressive.fit_least_squares(drawn, observed, 5, prior_days=0.0)
    assert orders.tolist() == [0, 1, 2, 4]
    for column, order in enumerate(orders):
        chosen = ar_select_order(drawn[:, column], maxlag=5, ic="bic", trend="n")
        assert (chosen.ar_lags or []) == list(range(1, order + 1))
        if order:
            theirs = AutoReg(drawn[:, column], int(order), trend="n", hold_back=5).fit()
            np.testing.assert_allclose(weights[:order, column], theirs.params, rtol=1e-10)
        np.testing.assert_array_equal(weights[order:, column], 0.0)


def test_days_without_a_return_are_not_fitted() -> None:
    drawn = series(500, 0.4, -0.2, seed=5)[:, None]
    observed = np.random.default_rng(6).random(drawn.shape) > 0.2
    drawn[~observed] = 0.0
    weights, (order,) = autoregressive.fit_least_squares(drawn, observed, 4, prior_days=0.0)
    rows = [row for row in range(4, 500) if observed[row, 0]]
    x = np.array([[drawn[row - lag, 0] for lag in range(1, order + 1)] for row in rows])
    expected = np.linalg.lstsq(x, drawn[rows, 0], rcond=None)[0]
    assert order >= 2
    np.testing.assert_allclose(weights[:order, 0], expected, rtol=1e-10)


def test_prices_that_hardly_move_can_be_solved() -> None:
    drawn = np.zeros((200, 3))
    drawn[100, 0] = drawn[199, 1] = 14.0
    weights, _ = autoregressive.fit_least_squares(drawn, np.ones(drawn.shape, dtype=bool), 5)
    assert np.abs(weights).max() < 1


@pytest.mark.parametrize("horizons", [(1, 2, 3, 4), (1, 3, 10), (5, 20)])
def test_windows_are_sums_of_iterated_forecasts(horizons: tuple[int, ...]) -> None:
    weights = np.random.default_rng(7).normal(scale=0.1, size=(LAGS, 3))
    newest_first = np.random.default_rng(8).normal(size=(LAGS, 3))
    path = newest_first[::-1].tolist()
    for _ in range(horizons[-1] + 1):
        path.append(np.sum(weights * np.array(path[: -LAGS - 1 : -1]), axis=0))
    ahead = np.array(path[LAGS:])
    windows = np.sum(autoregressive.cumulate_weights(weights, horizons) * newest_first, axis=1)
    for window, lag in zip(windows, horizons, strict=True):
        np.testing.assert_allclose(window, ahead[1 : lag + 1].sum(axis=0), rtol=1e-9)


@pytest.mark.parametrize(("weights", "ma", "order"), [((0.5,), 0.4, (1, 1)), ((), -0.5, (0, 1))])
def test_arma_in_autoregressive_form_forecasts_as_statsmodels(
    weights: tuple[float, ...], ma: float, order: tuple[int, int]
) -> None:
    drawn = series(800, *weights, ma=ma, seed=9)
    orders = autoregressive.defaults["arma_orders"]
    weights, chosen = autoregressive.fit_maximum_likelihood(drawn, orders, "LME_AH")
    assert chosen == order
    horizons = (1, 2, 3, 4, 20)
    theirs = ARIMA(drawn, order=(order[0], 0, order[1]), trend="n").fit().forecast(21)
    windows = autoregressive.cumulate_weights(weights[:, None], horizons)[..., 0]
    expected = np.cumsum(theirs[1:])[np.array(horizons) - 1]
    np.testing.assert_allclose(windows @ drawn[: -LAGS - 1 : -1], expected, atol=1e-5)


def test_no_model_of_a_single_leg_is_an_error() -> None:
    observations = leg_market.observe(0.01 * np.random.default_rng(10).normal(size=(400, 4)))
    parameters = {**autoregressive.defaults, "arma_orders": ()}
    with pytest.raises(FitError, match="FX_EURUSD"):
        autoregressive.fit(observations, parameters, Resources())


def test_legs_of_short_histories_get_no_moving_average() -> None:
    process = series(400, ma=0.6, seed=11)
    returns = 0.01 * np.stack([process, *np.random.default_rng(12).normal(size=(3, 400))], axis=1)
    orders = []
    for days in (autoregressive.defaults["arma_days"] - 1, 400):
        observations = leg_market.observe(returns[:days])
        orders.append(autoregressive.fit(observations, autoregressive.defaults, Resources()).orders)
    assert [int(order[0, 1]) for order in orders] == [0, 1]
    assert not orders[1][1:, 1].any()


def test_forecasts_begin_two_days_ahead() -> None:
    """Returns that alternate: the day after next moves with today's return, the next against it."""
    returns = leg_market.vector_autoregression(-0.6 * np.eye(4), 900, seed=13)
    returns += [0.0, 0.001, 0.002, -0.001]
    observations = leg_market.observe(returns)
    model = autoregressive.fit(observations.rows(0, 700), autoregressive.defaults, Resources())
    np.testing.assert_allclose(model.weights[0], -0.6, atol=0.1)
    np.testing.assert_allclose(model.mean * model.deviation, returns[:700].mean(axis=0), atol=1e-4)
    forecast = model.forecast(observations, 200)[:-5] * model.width
    labels = observations.labels()[700:-5]
    one_day = observations.lags == 1
    foreseen = np.corrcoef(forecast[:, one_day].ravel(), labels[:, one_day].ravel())[0, 1]
    assert foreseen > 0.3


def test_the_forecast_of_a_horizon_does_not_depend_on_the_others() -> None:
    returns = leg_market.vector_autoregression(0.3 * np.eye(4), 400, seed=16)
    few, many = (leg_market.observe(returns, x) for x in ((1, 20), (1, 2, 3, 4, 20)))
    model = autoregressive.fit(many, autoregressive.defaults, Resources())
    kept = np.isin(many.lags, few.lags)
    alone = replace(model, width=model.width[kept])
    np.testing.assert_array_equal(alone.forecast(few, 5), model.forecast(many, 5)[:, kept])


def test_an_unobserved_return_is_taken_for_its_mean() -> None:
    returns = leg_market.vector_autoregression(0.5 * np.eye(4), 400, seed=14)
    observations = leg_market.observe(returns)
    model = autoregressive.fit(observations, autoregressive.defaults, Resources())
    observations.instrument.values[-1] = np.nan
    unknown = model.forecast(observations, 1)
    observations.instrument.values[-1, :, 0] = model.mean * model.deviation
    np.testing.assert_allclose(model.forecast(observations, 1), unknown, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("horizons", [(1, 2, 3, 4), (1, 3, 10), (5, 20)])
def test_without_memory_forecasts_are_means_and_have_no_inputs(
    horizons: tuple[int, ...],
) -> None:
    returns = 0.01 * np.random.default_rng(15).normal(size=(100, 4))
    observations = leg_market.observe(returns, horizons)
    mean, deviation = np.array([0.1, 0.0, -0.1, 0.05]), np.array([0.01, 0.02, 0.0, 0.01])
    model = Autoregression(
        deviation,
        mean,
        np.zeros((LAGS, 4)),
        np.zeros((4, 2), dtype=np.int64),
        np.full(len(observations.targets), 2.0),
    )
    moves = mean * deviation
    expected = [
        lag * (moves[a] - (moves[b] if b >= 0 else 0.0)) / 2.0
        for lag, (a, b) in zip(observations.lags, observations.legs, strict=True)
    ]
    np.testing.assert_allclose(
        model.forecast(observations, 3), np.tile(expected, (3, 1)), rtol=1e-12
    )
    assert model.importance() == {}
