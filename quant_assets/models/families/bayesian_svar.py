"""``bayesian_svar``: a vector autoregression of all legs' returns with a Minnesota prior.

The prior assumes that returns are unpredictable: coefficients are normal around zero, with a
smaller variance for older returns (Litterman, "Forecasting with Bayesian Vector Autoregressions",
1986), and the errors' covariance is inverse Wishart. Both are conjugate, so the posterior is one
linear solve (Kadiyala and Karlsson, 1997). The tightness of the prior maximises the marginal
likelihood, which has a closed form (Giannone, Lenza and Primiceri, "Prior Selection for Vector
Autoregressions", 2015). Drifts are estimated from the last ``drift_days`` only, since a drift
changes sooner than the links between markets. Shocks are identified recursively, in the order in
which the markets close.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
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
from quant_assets.models.search_space import Float, Int, Space

LAGS = 2

name = "bayesian_svar"
description = "Minnesota-prior VAR of all legs' returns, recursively identified."
library = "numpy"
lookback = LAGS - 1
defaults: Parameters = {
    "tightness": (0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2),
    "decay": 1.0,
    "drift": 0.04,
    "drift_days": 500,
    "prior_days": 20,
}
space: Space = {
    "decay": Float(0.5, 3.0),
    "drift": Float(0.005, 0.5, log=True),
    "drift_days": Int(60, 2500, log=True),
    "prior_days": Int(5, 500, log=True),
}


class Posterior(NamedTuple):
    """A matrix-normal inverse-Wishart posterior of a VAR.

    Attributes:
        coefficients: (1 + p k, k) posterior mean: the drift, then the p lags one after another.
        covariance: (k, k) posterior mean of the errors' covariance.
        evidence: log marginal likelihood, up to a constant that depends on the data's shape only.
    """

    coefficients: FloatArray
    covariance: FloatArray
    evidence: float


@dataclass(frozen=True)
class BayesianVar:
    """A fitted VAR of returns in standard deviations.

    Attributes:
        columns: (k,) positions of the variables among the instruments, in recursive order.
        variables: names of the variables.
        deviation: (i,) standard deviation of each instrument's daily returns; 0 for an instrument
            that never moved.
        coefficients: (1 + LAGS k, k) posterior mean of the coefficients.
        covariance: (k, k) posterior mean of the errors' covariance.
        tightness: tightness of the prior, chosen by the marginal likelihood.
        width: (m,) divisor of a target's expected label.
    """

    columns: IntArray
    variables: tuple[str, ...]
    deviation: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    tightness: float
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
            [observations.groups[i] for i in self.columns],
        )

    def impulse_responses(self, days: int) -> FloatArray:
        """Compute the response of each variable to each structural shock.

        Returns an array of shape (days + 1, k, k), by days since the shock; on day 0 it is the
        Cholesky factor of the errors' covariance. Shocks have variance one and are in the order of
        the variables. Responses are in standard deviations of the variable's daily returns.
        """
        k = len(self.variables)
        blocks = self.coefficients[1:].reshape(LAGS, k, k).transpose(0, 2, 1)
        responses = [np.linalg.cholesky(self.covariance)]
        for _ in range(days):
            recent = zip(blocks, reversed(responses), strict=False)
            responses.append(np.sum([a @ response for a, response in recent], axis=0))
        return np.stack(responses)

    def importance(self) -> Mapping[str, float]:
        """Return the share of each variable's past returns in the sum of absolute coefficients."""
        weight = np.abs(self.coefficients[1:]).reshape(LAGS, len(self.variables), -1)
        share = weight.sum(axis=(0, 2)) / max(weight.sum(), np.finfo(float).tiny)
        return dict(zip(self.variables, share.tolist(), strict=True)) if share.any() else {}

    def to_bytes(self) -> bytes:
        """Return all fields as bytes."""
        return pack(**vars(self))

    def _past(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (lookback + rows, k) standardised returns of the variables; 0 where unknown."""
        return np.nan_to_num(
            last_returns(observations, rows, lookback, self.deviation)[:, self.columns]
        )

    def _scores(
        self, observations: Observations, past: FloatArray, drift: float = 1.0
    ) -> FloatArray:
        """Compute (rows, m) scores from past returns and ``drift`` times the drifts.

        Scores are linear in both. There is one product per day, because a product over many days
        may round differently, and a day forecast again alone must give the same bits.
        """
        horizons = horizons_of(observations.lags)
        drifts, maps = cumulate_maps(self.coefficients, horizons)
        across = np.ascontiguousarray(np.concatenate(list(maps), axis=1))
        expected = np.stack([day @ across for day in lagged_returns(past)])
        moves = np.zeros((len(expected), len(horizons), len(self.deviation)))
        by_horizon = expected.reshape(len(expected), len(horizons), -1)
        moves[:, :, self.columns] = by_horizon + drift * drifts
        return to_target_scores(moves * self.deviation, observations) / self.width


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> BayesianVar:
    """Fit to all days with the tightness of the greatest marginal likelihood.

    Raises:
        NotEnoughHistoryError: too few labels are known.
    """
    ranked_labels(observations)  # raises if the history is too short
    deviation = return_deviations(observations)
    columns = recursive_order(observations)
    returns = np.nan_to_num(standardised_returns(observations, deviation)[:, columns])
    past, y = lagged_returns(returns)[:-1], returns[LAGS:]
    drifts = np.arange(len(y))[::-1] < parameters["drift_days"]
    x = np.concatenate([drifts[:, None], past], axis=1)
    posteriors = {}
    for tightness in parameters["tightness"]:
        variance = prior_variance(len(columns), tightness, parameters["decay"], parameters["drift"])
        posteriors[tightness] = posterior(x, y, variance)
    best = max(posteriors, key=lambda tightness: posteriors[tightness].evidence)
    return BayesianVar(
        columns,
        tuple(observations.instruments[i] for i in columns),
        deviation,
        posteriors[best].coefficients,
        posteriors[best].covariance,
        best,
        label_width(observations, parameters["prior_days"]),
    )


def load(stored: bytes) -> BayesianVar:
    """Restore a model from its bytes."""
    arrays = unpack(stored)
    return BayesianVar(
        variables=tuple(arrays.pop("variables").tolist()),
        tightness=float(arrays.pop("tightness")),
        **arrays,
    )


def recursive_order(observations: Observations) -> IntArray:
    """Return the (k,) positions of the instruments that are legs, in the order of their closes.

    An instrument cannot react to a later close on the same day.
    """
    legs = np.unique(observations.legs[observations.legs >= 0])
    places = [observations.closing_order[leg] for leg in legs]
    return np.asarray(legs[np.argsort(places, kind="stable")])


def lagged_returns(returns: FloatArray) -> FloatArray:
    """Join each day's (k,) returns with those of the days before it, the newest first.

    Returns an array of shape (n - LAGS + 1, LAGS k) from returns of shape (n, k).
    """
    last = len(returns)
    shifted = [returns[LAGS - 1 - ago : last - ago] for ago in range(LAGS)]
    return np.ascontiguousarray(np.concatenate(shifted, axis=1))


def prior_variance(k: int, tightness: float, decay: float, drift: float) -> FloatArray:
    """Compute the (1 + LAGS k,) prior variances of the coefficients of each input.

    Variables are in standard deviations, so the Minnesota prior needs no scales.

    Args:
        k: number of variables.
        tightness: prior standard deviation of a coefficient of lag 1.
        decay: power of the lag by which the standard deviation is divided.
        drift: prior standard deviation of a drift.
    """
    lags = [np.full(k, (tightness / lag**decay) ** 2) for lag in range(1, LAGS + 1)]
    return np.concatenate([[drift**2], *lags])


def posterior(x: FloatArray, y: FloatArray, variance: FloatArray) -> Posterior:
    """Compute the posterior of a regression of all variables on the same inputs.

    The prior of the errors' covariance is inverse Wishart with the identity as its mean and k + 2
    degrees of freedom, the smallest number with which it has a mean.

    Args:
        x: (n, q) inputs.
        y: (n, k) variables.
        variance: (q,) prior variance of the coefficients of each input.
    """
    n, k = y.shape
    degrees = k + 2
    precision = x.T @ x + np.diag(1.0 / variance)
    coefficients = np.linalg.solve(precision, x.T @ y)
    residuals = y - x @ coefficients
    penalty = coefficients.T @ (coefficients / variance[:, None])
    scale = np.eye(k) + residuals.T @ residuals + penalty
    scale = (scale + scale.T) / 2
    inputs = np.linalg.slogdet(precision).logabsdet + np.log(variance).sum()
    errors = np.linalg.slogdet(scale).logabsdet
    evidence = -0.5 * (k * inputs + (n + degrees) * errors)
    covariance = np.asarray(scale / (n + degrees - k - 1))
    return Posterior(np.asarray(coefficients), covariance, float(evidence))


def cumulate_maps(
    coefficients: FloatArray, horizons: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Compute drifts and maps from past returns to the expected moves over labels' windows.

    Forecasts are iterated: future returns are replaced by their own forecasts. The window of a
    label begins with the close of the day after the forecast day, so it excludes the next return.

    Returns drifts of shape (h, k) and maps of shape (h, LAGS k, k), at index i for labels of the
    i-th horizon.

    Args:
        coefficients: (1 + LAGS k, k) drifts and coefficients of past returns.
        horizons: the h horizons of labels in trading days, ascending.
    """
    k = coefficients.shape[1]
    drift, one_day = coefficients[0], coefficients[1:]
    level, ahead = drift, one_day
    drifts, total = np.zeros(k), np.zeros_like(one_day)
    all_drifts, maps = [], []
    for days in range(1, horizons[-1] + 1):
        level = level + drift @ ahead[:k]
        ahead = one_day @ ahead[:k] + np.concatenate([ahead[k:], np.zeros((k, k))])
        drifts, total = drifts + level, total + ahead
        if days in horizons:
            all_drifts.append(drifts)
            maps.append(total)
    return np.stack(all_drifts), np.stack(maps)
