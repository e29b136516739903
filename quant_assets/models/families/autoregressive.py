"""``autoregressive``: each instrument's return from its own past, with orders chosen by BIC.

Every instrument gets an autoregression, fitted by least squares conditional on its first returns
(Hamilton, "Time Series Analysis", 1994, section 5.2), all instruments at once. A leg that is a
target by itself gets an ARIMA(p, 1, q) of its log price, that is an ARMA(p, q) of its return, by
maximum likelihood with statsmodels. Its autoregressive form, cut after ``LAGS`` days, is stored.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from quant_assets.core.errors import FitError
from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.market.targets import horizons_of
from quant_assets.models.label_transforms import ranked_labels
from quant_assets.models.leg_returns import (
    label_width,
    last_returns,
    return_deviations,
    split_by_group,
    standardised_returns,
    to_target_scores,
)
from quant_assets.models.packing import pack, unpack
from quant_assets.models.protocol import Groups, Observations, Parameters, Resources
from quant_assets.models.search_space import Int, Space

LAGS = 20

name = "autoregressive"
description = "Autoregression of each leg's return, ARIMA for single legs, orders chosen by BIC."
library = "statsmodels"
lookback = LAGS - 1
defaults: Parameters = {
    "window": 500,
    "max_order": 5,
    "arma_orders": ((0, 0), (1, 0), (0, 1), (1, 1)),
    "arma_days": 250,
    "prior_days": 20,
}
space: Space = {
    "window": Int(120, 2500, log=True),
    "max_order": Int(1, 10),
    "prior_days": Int(5, 500, log=True),
}


@dataclass(frozen=True)
class Autoregression:
    """One autoregression per instrument, of returns in standard deviations.

    Attributes:
        deviation: (k,) standard deviation of daily returns; 0 for an instrument that never moved.
        mean: (k,) mean of the standardised returns.
        weights: (LAGS, k) weights of past returns in the next return, the newest first.
        orders: (k, 2) orders of the autoregressive and of the moving-average part.
        width: (m,) divisor of a target's expected label.
    """

    deviation: FloatArray
    mean: FloatArray
    weights: FloatArray
    orders: IntArray
    width: FloatArray

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (rows, m) expected labels in units of their width."""
        return self._scores(observations, self._past(observations, rows))

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Compute the contributions of the drift and of each market's past returns."""
        return split_by_group(
            partial(self._scores, observations),
            self._past(observations, rows),
            observations.groups,
        )

    def importance(self) -> Mapping[str, float]:
        """Return the share of each lagged return in the sum of absolute weights."""
        weight = np.abs(self.weights).sum(axis=1)
        if not weight.any():
            return {}
        share = weight / weight.sum()
        return {f"return_{ago}_days_ago": float(share[ago]) for ago in np.flatnonzero(share)}

    def to_bytes(self) -> bytes:
        """Return all fields as bytes."""
        return pack(**vars(self))

    def _past(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (lookback + rows, k) standardised returns less their mean; 0 where unknown."""
        return np.nan_to_num(last_returns(observations, rows, lookback, self.deviation) - self.mean)

    def _scores(
        self, observations: Observations, past: FloatArray, drift: float = 1.0
    ) -> FloatArray:
        """Compute (rows, m) scores from past returns and ``drift`` times the mean returns.

        Scores are linear in both. Sums over lags are taken one lag after the other, so that a day
        has the same bits alone as among other days.
        """
        rows, horizons = len(past) - lookback, horizons_of(observations.lags)
        mean = drift * self.mean
        moves = mean * np.array(horizons)[:, None] + np.zeros((rows, 1, 1))
        windows = cumulate_weights(self.weights, horizons)
        for ago, weights in enumerate(np.moveaxis(windows, 1, 0)):
            start = lookback - ago
            moves += past[start : start + rows, None] * weights
        return to_target_scores(moves * self.deviation, observations) / self.width


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> Autoregression:
    """Fit to the last ``window`` days.

    Raises:
        NotEnoughHistoryError: too few labels are known.
        FitError: no ARMA model of a single leg converged.
    """
    ranked_labels(observations)  # raises if the history is too short
    recent = observations.rows(
        max(0, len(observations.days) - parameters["window"]), len(observations.days)
    )
    deviation = return_deviations(recent)
    returns = standardised_returns(recent, deviation)
    observed = ~np.isnan(returns)
    mean = np.nansum(returns, axis=0) / np.maximum(observed.sum(axis=0), 1)
    centred = np.nan_to_num(returns - mean)
    weights, order = fit_least_squares(centred, observed, parameters["max_order"])
    orders = np.stack([order, np.zeros_like(order)], axis=1)
    for leg in np.unique(observations.legs[observations.legs[:, 1] < 0, 0]):
        if observed[:, leg].sum() >= parameters["arma_days"]:
            weights[:, leg], orders[leg] = fit_maximum_likelihood(
                centred[:, leg], parameters["arma_orders"], observations.instruments[leg]
            )
    width = label_width(observations, parameters["prior_days"])
    return Autoregression(deviation, mean, weights, orders, width)


def load(stored: bytes) -> Autoregression:
    """Restore a model from its bytes."""
    return Autoregression(**unpack(stored))


def fit_least_squares(
    centred: FloatArray, observed: BoolArray, max_order: int, prior_days: float = 1.0
) -> tuple[FloatArray, IntArray]:
    """Fit an autoregression to each column, with the order from 0 to ``max_order`` of least BIC.

    Returns (LAGS, k) weights and the (k,) orders. One QR decomposition per column gives the fits of
    all orders, because the first p columns of Q span the first p lags.

    Args:
        centred: (n, k) standardised returns less their mean; 0 where not observed.
        observed: (n, k) whether a return is observed.
        max_order: largest order, at most LAGS.
        prior_days: number of days per lag that are added to the data, on which the lagged return
            was 1 and the next return 0. With them a price that hardly moves can be fitted.
    """
    n, k = centred.shape
    lagged = np.stack([centred[max_order - j : n - j] for j in range(1, max_order + 1)], axis=-1)
    known = observed[max_order:]
    x = np.moveaxis(np.where(known[..., None], lagged, 0.0), 1, 0)
    prior = np.broadcast_to(np.sqrt(prior_days) * np.eye(max_order), (k, max_order, max_order))
    q, r = np.linalg.qr(np.concatenate([x, prior], axis=1))
    y = centred[max_order:].T
    projected = np.einsum("ktp,kt->kp", q[:, : y.shape[1]], y)
    explained = np.cumsum(np.pad(projected**2, ((0, 0), (1, 0))), axis=1)
    errors = np.maximum(np.sum(y * y, axis=1)[:, None] - explained, np.finfo(float).tiny)
    days = np.maximum(known.sum(axis=0), 1)[:, None]
    bic = days * np.log(errors / days) + np.arange(max_order + 1) * np.log(days)
    order = np.argmin(bic, axis=1)
    weights = np.zeros((LAGS, k))
    for p in range(1, max_order + 1):
        of_order = order == p
        solved = np.linalg.solve(r[of_order, :p, :p], projected[of_order, :p, None])
        weights[:p, of_order] = solved[..., 0].T
    return weights, order


def fit_maximum_likelihood(
    centred: FloatArray, orders: Sequence[tuple[int, int]], instrument: str
) -> tuple[FloatArray, tuple[int, int]]:
    """Fit the ARMA model of least BIC to one series, among the models that converge.

    Returns the (LAGS,) weights of its autoregressive form, and its order.

    Args:
        centred: (n,) standardised returns less their mean; 0 where not observed.
        orders: orders (p, q) to try.
        instrument: name of the instrument, for the error.

    Raises:
        FitError: no model converged.
    """
    from statsmodels.tools.sm_exceptions import ModelWarning
    from statsmodels.tsa.arima.model import ARIMA
    from statsmodels.tsa.arima_process import arma2ar

    candidates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        for p, q in orders:
            model = ARIMA(centred, order=(p, 0, q), trend="n").fit(cov_type="none")
            if model.mle_retvals["converged"] and np.isfinite(model.bic):
                candidates.append((model, (p, q)))
    if not candidates:
        raise FitError(
            "no ARMA model converged",
            where=instrument,
            expected=f"one of the orders {orders}",
            hint="leave out larger orders (arma_orders), or fit on another window",
        )
    best, order = min(candidates, key=lambda candidate: candidate[0].bic)
    polynomials = best.polynomial_ar, best.polynomial_ma
    return -arma2ar(*polynomials, lags=LAGS + 1)[1:], order


def cumulate_weights(weights: FloatArray, horizons: Sequence[int]) -> FloatArray:
    """Compute the weights of past returns in the expected move over each label's window.

    Forecasts are iterated: a future return is replaced by its own forecast. The window of a label
    begins with the close of the day after the forecast day, so it excludes the next return.

    Returns an array of shape (h, LAGS, k), at index i for labels of the i-th horizon.

    Args:
        weights: (LAGS, k) weights of past returns in the next return, the newest first.
        horizons: the h horizons of labels in trading days, ascending.
    """
    ahead, total, windows = weights, np.zeros_like(weights), []
    for days in range(1, horizons[-1] + 1):
        ahead = ahead[0] * weights + np.concatenate([ahead[1:], np.zeros_like(ahead[:1])])
        total = total + ahead
        if days in horizons:
            windows.append(total)
    return np.stack(windows)
