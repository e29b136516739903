"""``autoregressive``: each leg's return from its own past, the order chosen by BIC.

Every instrument gets an autoregression by least squares given its first returns (Hamilton, "Time
Series Analysis", 1994, section 5.2), all of them at once. A leg that is a target by itself gets an
ARIMA(p, 1, q) of its log price, that is an ARMA(p, q) of its return, by maximum likelihood with
statsmodels; it is kept in its autoregressive form, cut after ``LAGS`` days.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from quant_assets.core.errors import FitError
from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.market.targets import MAX_LAG
from quant_assets.models.label_transforms import ranked_labels
from quant_assets.models.leg_returns import (
    deviations,
    drift_and_markets,
    label_width,
    last_days,
    standardised,
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
        deviation: (k,) of a day's return; 0 for an instrument that never moved.
        mean: (k,) of the standardised return.
        weights: (LAGS, k) of the next return on those before it, newest first.
        orders: (k, 2) of the autoregressive and of the moving-average part.
        width: (m,) divisor of a target's expected label.
    """

    deviation: FloatArray
    mean: FloatArray
    weights: FloatArray
    orders: IntArray
    width: FloatArray

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """(rows, m) expected labels in units of their width."""
        return self._scores(observations, self._past(observations, rows))

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Of the drift, and of the past returns of each market."""
        return drift_and_markets(
            partial(self._scores, observations),
            self._past(observations, rows),
            observations.instruments,
        )

    def importance(self) -> Mapping[str, float]:
        """Share of the return of so many days ago in the sum of absolute weights."""
        weight = np.abs(self.weights).sum(axis=1)
        if not weight.any():
            return {}
        share = weight / weight.sum()
        return {f"return_{back}_days_ago": float(share[back]) for back in np.flatnonzero(share)}

    def to_bytes(self) -> bytes:
        """All weights."""
        return pack(**vars(self))

    def _past(self, observations: Observations, rows: int) -> FloatArray:
        """(lookback + rows, k) standardised returns less their mean; 0 where not observed."""
        return np.nan_to_num(last_days(observations, rows, lookback, self.deviation) - self.mean)

    def _scores(
        self, observations: Observations, past: FloatArray, drift: float = 1.0
    ) -> FloatArray:
        """(rows, m) of past returns and ``drift`` times the mean ones; linear in both.

        Sums over lags are taken one lag after the other, so that a day gets the same bits alone as
        among others.
        """
        rows = len(past) - lookback
        mean = drift * self.mean
        moves = mean * np.arange(1, MAX_LAG + 1)[:, None] + np.zeros((rows, 1, 1))
        for back, weights in enumerate(np.moveaxis(cumulate_weights(self.weights), 1, 0)):
            start = lookback - back
            moves += past[start : start + rows, None] * weights
        return to_target_scores(moves * self.deviation, observations) / self.width


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> Autoregression:
    """Fit to the last ``window`` days.

    Raises:
        FitError: no ARMA model of a single leg converged.
    """
    ranked_labels(observations)  # refuses too short a history
    recent = observations.rows(
        max(0, len(observations.days) - parameters["window"]), len(observations.days)
    )
    deviation = deviations(recent)
    returns = standardised(recent, deviation)
    observed = ~np.isnan(returns)
    mean = np.nansum(returns, axis=0) / np.maximum(observed.sum(axis=0), 1)
    centred = np.nan_to_num(returns - mean)
    weights, order = least_squares(centred, observed, parameters["max_order"])
    orders = np.stack([order, np.zeros_like(order)], axis=1)
    for leg in np.unique(observations.legs[observations.legs[:, 1] < 0, 0]):
        if observed[:, leg].sum() >= parameters["arma_days"]:
            weights[:, leg], orders[leg] = maximum_likelihood(
                centred[:, leg], parameters["arma_orders"], observations.instruments[leg]
            )
    width = label_width(observations, parameters["prior_days"])
    return Autoregression(deviation, mean, weights, orders, width)


def load(stored: bytes) -> Autoregression:
    """Read the weights back."""
    return Autoregression(**unpack(stored))


def least_squares(
    centred: FloatArray, observed: BoolArray, max_order: int, prior_days: float = 1.0
) -> tuple[FloatArray, IntArray]:
    """(LAGS, k) weights and (k,) order with the least BIC, 0 to ``max_order``, of each column.

    One QR decomposition per column, all in one call, serves every order: the first p columns of Q
    span the first p lags.

    Args:
        centred: (n, k) standardised returns less their mean, 0 where not observed.
        observed: (n, k).
        max_order: at most LAGS.
        prior_days: days on which a lag was one and nothing followed, added once a lag. They keep a
            price solvable that hardly ever moves.
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
        of = order == p
        weights[:p, of] = np.linalg.solve(r[of, :p, :p], projected[of, :p, None])[..., 0].T
    return weights, order


def maximum_likelihood(
    centred: FloatArray, orders: Sequence[tuple[int, int]], instrument: str
) -> tuple[FloatArray, tuple[int, int]]:
    """(LAGS,) weights and order of the ARMA model of one series with the least BIC.

    A model that does not converge is not a candidate.

    Raises:
        FitError: none converged.
    """
    from statsmodels.tools.sm_exceptions import ModelWarning
    from statsmodels.tsa.arima.model import ARIMA
    from statsmodels.tsa.arima_process import arma2ar

    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        for p, q in orders:
            model = ARIMA(centred, order=(p, 0, q), trend="n").fit(cov_type="none")
            if model.mle_retvals["converged"] and np.isfinite(model.bic):
                found.append((model, (p, q)))
    if not found:
        raise FitError(
            "no ARMA model converged",
            where=instrument,
            expected=f"one of the orders {orders}",
            hint="leave out larger orders (arma_orders), or fit on another window",
        )
    best, order = min(found, key=lambda candidate: candidate[0].bic)
    polynomials = best.polynomial_ar, best.polynomial_ma
    return -arma2ar(*polynomials, lags=LAGS + 1)[1:], order


def cumulate_weights(weights: FloatArray) -> FloatArray:
    """(MAX_LAG, LAGS, k) weights of the moves of each label's window on the returns known.

    Forecasts are iterated: the next return is replaced by its own forecast. The window of a label
    begins with the close of the day after the forecast's, so the next return itself is not in it.
    """
    ahead, total, windows = weights, np.zeros_like(weights), []
    for _ in range(MAX_LAG):
        ahead = ahead[0] * weights + np.concatenate([ahead[1:], np.zeros_like(ahead[:1])])
        total = total + ahead
        windows.append(total)
    return np.stack(windows)
