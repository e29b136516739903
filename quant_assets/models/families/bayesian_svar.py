"""``bayesian_svar``: a vector autoregression of all legs' returns with a Minnesota prior.

The prior takes returns for unpredictable: coefficients are normal around zero and tighter for
older returns (Litterman, "Forecasting with Bayesian Vector Autoregressions", 1986), the errors'
covariance is inverse Wishart, and both are conjugate, so that the posterior is one linear solve
(Kadiyala and Karlsson, 1997). How tight is chosen by the marginal likelihood, in closed form as
well (Giannone, Lenza and Primiceri, "Prior Selection for Vector Autoregressions", 2015). Returns
drift in the last ``drift_days`` only: a drift does not last as long as what links the markets.
Shocks are identified recursively, in the order in which the markets close.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.instruments import market_of
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
from quant_assets.models.search_space import Float, Int, Space

LAGS = 2
BY_CLOSE = ("JPX", "LME", "US", "FX")
"""Markets by the hour of their close: none answers on the same day to one that closes after it."""

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
        coefficients: (1 + p k, k) mean: the drift, then lag by lag.
        covariance: (k, k) mean of the errors' covariance.
        evidence: log marginal likelihood, up to a constant of the data's shape.
    """

    coefficients: FloatArray
    covariance: FloatArray
    evidence: float


@dataclass(frozen=True)
class BayesianVar:
    """A fitted VAR of returns in standard deviations.

    Attributes:
        columns: (k,) positions of the variables among the instruments, in recursive order.
        variables: their names.
        deviation: (i,) of a day's return, for all instruments; 0 for one that never moved.
        coefficients: (1 + LAGS k, k) posterior mean.
        covariance: (k, k) posterior mean.
        tightness: the one chosen.
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
        """(rows, m) expected labels in units of their width."""
        return self._scores(observations, self._past(observations, rows))

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Of the drift, and of the past returns of each market."""
        return drift_and_markets(
            partial(self._scores, observations), self._past(observations, rows), self.variables
        )

    def impulse_responses(self, days: int) -> FloatArray:
        """(days + 1, k, k) response of each variable to each structural shock, days after it.

        Shocks have a variance of one and are ordered as the variables; responses are in standard
        deviations of the responding variable's daily return. On day 0 it is the Cholesky factor.
        """
        k = len(self.variables)
        blocks = self.coefficients[1:].reshape(LAGS, k, k).transpose(0, 2, 1)
        responses = [np.linalg.cholesky(self.covariance)]
        for _ in range(days):
            recent = zip(blocks, reversed(responses), strict=False)
            responses.append(np.sum([a @ response for a, response in recent], axis=0))
        return np.stack(responses)

    def importance(self) -> Mapping[str, float]:
        """Share of each variable's past returns in the sum of absolute coefficients."""
        weight = np.abs(self.coefficients[1:]).reshape(LAGS, len(self.variables), -1)
        share = weight.sum(axis=(0, 2)) / max(weight.sum(), np.finfo(float).tiny)
        return dict(zip(self.variables, share.tolist(), strict=True)) if share.any() else {}

    def to_bytes(self) -> bytes:
        """All coefficients."""
        return pack(**vars(self))

    def _past(self, observations: Observations, rows: int) -> FloatArray:
        """(lookback + rows, k) standardised returns of the variables; 0 where not observed."""
        return np.nan_to_num(
            last_days(observations, rows, lookback, self.deviation)[:, self.columns]
        )

    def _scores(
        self, observations: Observations, past: FloatArray, drift: float = 1.0
    ) -> FloatArray:
        """(rows, m) of past returns and ``drift`` times the drifts; linear in both.

        One product per day: a product over many days may round differently from one over a
        single day, and a replayed day must give the same bits.
        """
        drifts, maps = cumulate_maps(self.coefficients)
        across = np.ascontiguousarray(np.concatenate(list(maps), axis=1))
        expected = np.stack([day @ across for day in lagged(past)])
        moves = np.zeros((len(expected), MAX_LAG, len(self.deviation)))
        moves[:, :, self.columns] = expected.reshape(len(expected), MAX_LAG, -1) + drift * drifts
        return to_target_scores(moves * self.deviation, observations) / self.width


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> BayesianVar:
    """Fit to all days with the tightness of the greatest marginal likelihood."""
    ranked_labels(observations)  # refuses too short a history
    deviation = deviations(observations)
    columns = recursive_order(observations)
    returns = np.nan_to_num(standardised(observations, deviation)[:, columns])
    past, y = lagged(returns)[:-1], returns[LAGS:]
    drifts = np.arange(len(y))[::-1] < parameters["drift_days"]
    x = np.concatenate([drifts[:, None], past], axis=1)
    found = {}
    for tightness in parameters["tightness"]:
        variance = prior_variance(len(columns), tightness, parameters["decay"], parameters["drift"])
        found[tightness] = posterior(x, y, variance)
    best = max(found, key=lambda tightness: found[tightness].evidence)
    return BayesianVar(
        columns,
        tuple(observations.instruments[i] for i in columns),
        deviation,
        found[best].coefficients,
        found[best].covariance,
        best,
        label_width(observations, parameters["prior_days"]),
    )


def load(stored: bytes) -> BayesianVar:
    """Read the coefficients back."""
    arrays = unpack(stored)
    return BayesianVar(
        variables=tuple(arrays.pop("variables").tolist()),
        tightness=float(arrays.pop("tightness")),
        **arrays,
    )


def recursive_order(observations: Observations) -> IntArray:
    """(k,) positions of the instruments that are legs, by the hour of their market's close."""
    legs = np.unique(observations.legs[observations.legs >= 0])
    hours = [BY_CLOSE.index(market_of(observations.instruments[leg])) for leg in legs]
    return np.asarray(legs[np.argsort(hours, kind="stable")])


def lagged(returns: FloatArray) -> FloatArray:
    """(n - LAGS + 1, LAGS k) each day's return and those before it, newest first."""
    last = len(returns)
    parts = [returns[LAGS - 1 - back : last - back] for back in range(LAGS)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def prior_variance(k: int, tightness: float, decay: float, drift: float) -> FloatArray:
    """(1 + LAGS k,) variance of the coefficients of each input around zero.

    Variables are in standard deviations, so the Minnesota prior needs no scales.
    """
    lags = [np.full(k, (tightness / lag**decay) ** 2) for lag in range(1, LAGS + 1)]
    return np.concatenate([[drift**2], *lags])


def posterior(x: FloatArray, y: FloatArray, variance: FloatArray) -> Posterior:
    """Posterior of a regression of all variables on the same inputs.

    The prior of the errors' covariance is inverse Wishart with mean one and k + 2 degrees of
    freedom, the fewest with which it has a mean.

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


def cumulate_maps(coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(MAX_LAG, k) drifts and (MAX_LAG, LAGS k, k) maps from known returns to windows' moves.

    Forecasts are iterated: the next returns are replaced by their own forecasts. The window of a
    label begins with the close of the day after the forecast's, so the next return is not in it.
    """
    k = coefficients.shape[1]
    drift, one = coefficients[0], coefficients[1:]
    level, ahead = drift, one
    levels, maps = [np.zeros(k)], [np.zeros_like(one)]
    for _ in range(MAX_LAG):
        level = level + drift @ ahead[:k]
        ahead = one @ ahead[:k] + np.concatenate([ahead[k:], np.zeros((k, k))])
        levels.append(levels[-1] + level)
        maps.append(maps[-1] + ahead)
    return np.stack(levels[1:]), np.stack(maps[1:])
