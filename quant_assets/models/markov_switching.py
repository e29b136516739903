"""A Markov-switching model of returns with two regimes, and its filtered probabilities.

r[t] ~ N(mean[s], variance[s]) with s[t] a two-state Markov chain (Hamilton, "A New Approach to the
Economic Analysis of Nonstationary Time Series and the Business Cycle", Econometrica 1989).
Parameters are statsmodels' maximum-likelihood estimates. A filtered probability depends on no later
day; smoothed probabilities, which do, are not computed.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray

_MIN_RETURNS = 100
_LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class Regimes:
    """Parameters of both regimes, the calm one first.

    Attributes:
        mean: (2,) of the returns.
        variance: (2,) ascending.
        stay: (2,) probability that the next day has the same regime.
    """

    mean: FloatArray
    variance: FloatArray
    stay: FloatArray

    def filtered(self, returns: FloatArray) -> FloatArray:
        """Compute the probability of the turbulent regime on each day, given the returns up to it.

        The first day starts from the chain's long-run probability. A day without a return keeps the
        probability predicted from the day before. The recursion uses plain floats, so that the same
        window always gives the same bits.

        Args:
            returns: (n,) daily returns; NaN where unknown.
        """
        (calm_stay, rough_stay), (calm_mean, rough_mean) = self.stay.tolist(), self.mean.tolist()
        calm_variance, rough_variance = self.variance.tolist()
        leave = 1.0 - calm_stay
        # The odds exp(log_scale + ...) of a return under the turbulent against the calm regime.
        log_scale = 0.5 * math.log(calm_variance / rough_variance)
        before = leave / (leave + 1.0 - rough_stay)
        after, probabilities = before, []
        for r in returns.tolist():
            if not math.isnan(r):
                surprise = (r - calm_mean) ** 2 / calm_variance
                surprise -= (r - rough_mean) ** 2 / rough_variance
                odds = math.exp(min(log_scale + 0.5 * surprise, 700.0))
                after = before * odds / (before * odds + 1.0 - before)
            else:
                after = before
            probabilities.append(after)
            before = after * rough_stay + (1.0 - after) * leave
        return np.array(probabilities)


def filtered_windows(regimes: Regimes, returns: FloatArray, window: int, kept: int) -> FloatArray:
    """Compute filtered probabilities of the last days of each day's own window.

    Returns an array of shape (n, kept): row t has the probabilities of days t - kept + 1 to t, from
    the returns of the window that ends with day t.

    Args:
        regimes: fitted parameters.
        returns: (n,) daily returns.
        window: days per window; days before the first count as unknown.
        kept: number of last days of a window to return.
    """
    padded = np.concatenate([np.full(window - 1, np.nan), returns.astype(np.float64)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    return np.stack([regimes.filtered(row)[-kept:] for row in windows])


def fit_regimes(returns: FloatArray) -> Regimes:
    """Fit two regimes to the known returns by maximum likelihood.

    A series that is short or constant, or in which the search finds no two regimes, gets regimes
    with half and twice its variance that last 40 days on average.

    Args:
        returns: (n,) daily returns; NaN where unknown.
    """
    known = returns[~np.isnan(returns)].astype(np.float64)
    guess = _guess_regimes(known)
    if len(known) < _MIN_RETURNS or np.ptp(known) == 0:
        return guess
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    start = [guess.stay[0], 1.0 - guess.stay[1], *guess.mean, *guess.variance]
    with warnings.catch_warnings():
        # The parameters are checked below; a search that does not converge fails the check.
        warnings.simplefilter("ignore")
        model = MarkovRegression(known, k_regimes=2, switching_variance=True)
        try:
            estimate = model.fit(start, em_iter=10, maxiter=100, cov_type="none", disp=False)
        except np.linalg.LinAlgError:
            return guess
    calm_stay, rough_leave, *moments = np.asarray(estimate.params).tolist()
    mean, variance = np.array(moments[:2]), np.array(moments[2:])
    order = np.argsort(variance)
    stay = np.array([calm_stay, 1.0 - rough_leave])[order]
    fitted = Regimes(mean[order], variance[order], stay)
    return fitted if _is_plausible(fitted, float(known.var())) else guess


def _guess_regimes(known: FloatArray) -> Regimes:
    variance = float(known.var()) if len(known) > 1 else 0.0
    scale = variance if variance > 0 else 1.0
    mean = np.full(2, known.mean() if len(known) else 0.0)
    return Regimes(mean, scale * np.array([0.5, 2.0]), np.full(2, 0.975))


def _is_plausible(regimes: Regimes, variance: float) -> bool:
    """Return whether both regimes last, neither is a single point, and all values are finite."""
    numbers = np.concatenate([regimes.mean, regimes.variance, regimes.stay])
    if not np.isfinite(numbers).all():
        return False
    lasting = ((regimes.stay > _LEAST_SHARE) & (regimes.stay < 1.0 - 1e-6)).all()
    return bool(lasting and (regimes.variance > _LEAST_SHARE * variance).all())
