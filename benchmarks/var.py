"""A vector autoregression of all legs: ours with a prior in closed form, statsmodels' without.

Both use equal standardised returns, which statsmodels gets ready-made; both map forecasts to
targets in one way. The days after the fit judge them.
"""

from functools import partial
from pathlib import Path

import numpy as np
from statsmodels.tsa.api import VAR

from benchmarks.figures import Figure, medians
from benchmarks.models import JUDGED_DAYS, REPEATS, Exercise, history
from quant_assets.core.settings import load_settings
from quant_assets.core.typing import FloatArray
from quant_assets.market.targets import horizons_of
from quant_assets.models.families import bayesian_svar
from quant_assets.models.families.bayesian_svar import (
    LAGS,
    BayesianVar,
    lagged_returns,
    prior_variance,
)
from quant_assets.models.leg_returns import standardised_returns, to_target_scores
from quant_assets.models.protocol import Resources

RESPONSE_DAYS = 10


def without_prior(
    theirs: VAR, exercise: Exercise, returns: FloatArray, ours: BayesianVar
) -> FloatArray:
    """Return (JUDGED_DAYS, m) forecasts of statsmodels' VAR, iterated by its own method.

    Args:
        theirs: the fitted model of statsmodels.
        exercise: the history.
        returns: (n, k) standardised returns of the legs, without NaN.
        ours: the fitted model of this package.
    """
    horizons = horizons_of(exercise.whole.lags)
    moves = np.zeros((JUDGED_DAYS, len(horizons), len(ours.deviation)))
    for row, day in enumerate(range(len(returns) - JUDGED_DAYS, len(returns))):
        ahead = theirs.forecast(returns[day + 1 - LAGS : day + 1], horizons[-1] + 1)
        moves[row][:, ours.columns] = np.cumsum(ahead[1:], axis=0)[np.array(horizons) - 1]
    return to_target_scores(moves * ours.deviation, exercise.whole) / ours.width


def difference(ours: BayesianVar, known: FloatArray) -> float:
    """Return the largest difference to coefficients of least squares with the prior as extra days.

    Without a prior, least squares has no unique solution on a real market, where returns such as
    those of EUR/JPY are sums of those of EUR/USD and USD/JPY.
    """
    options, k = bayesian_svar.defaults, known.shape[1]
    variance = prior_variance(k, ours.tightness, options["decay"], options["drift"])
    drifts = np.arange(len(known) - LAGS)[::-1] < options["drift_days"]
    x = np.concatenate([drifts[:, None], lagged_returns(known)[:-1]], axis=1)
    days = np.concatenate([x, np.diag(1.0 / np.sqrt(variance))])
    expected = np.concatenate([known[LAGS:], np.zeros((len(variance), k))])
    slow = np.linalg.lstsq(days, expected, rcond=None)[0]
    return float(np.abs(slow - ours.coefficients).max())


def run(market: Path | None) -> list[Figure]:
    """Measure fits, impulse responses and scores, and the difference to a slow version."""
    exercise, settings = history(market), load_settings()
    options, resources = bayesian_svar.defaults, Resources(settings.seed, settings.threads)
    fit = partial(bayesian_svar.fit, exercise.observations, options, resources)
    ours = fit()
    returns = np.nan_to_num(standardised_returns(exercise.whole, ours.deviation)[:, ours.columns])
    known = returns[:-JUDGED_DAYS]
    theirs = VAR(known).fit(LAGS, trend="c")
    taken = medians(
        {
            "our fit": fit,
            "their fit": lambda: VAR(known).fit(LAGS, trend="c"),
            "our responses": lambda: ours.impulse_responses(RESPONSE_DAYS),
            "their responses": lambda: theirs.orth_ma_rep(RESPONSE_DAYS),
        },
        REPEATS,
    )
    everything = exercise.sample(len(exercise.observations.targets))
    forecasts = {
        "BVAR": ours.forecast(exercise.whole, JUDGED_DAYS),
        "statsmodels": without_prior(theirs, exercise, returns, ours),
    }
    size = f"{len(ours.variables)} legs, {LAGS} lags, {len(known)} days"
    priors = f"best of {len(options['tightness'])} priors"
    return [
        Figure(f"BVAR of {size}: fit, {priors}", taken["our fit"], "s", at_most=10.0),
        Figure(f"statsmodels' VAR of {size}: fit", taken["their fit"], "s"),
        Figure(f"BVAR: responses over {RESPONSE_DAYS} days", taken["our responses"], "s"),
        Figure(f"statsmodels: responses over {RESPONSE_DAYS} days", taken["their responses"], "s"),
        *(
            Figure(
                f"{whose}: score over the next {JUDGED_DAYS} days",
                exercise.score(forecast, everything),
            )
            for whose, forecast in forecasts.items()
        ),
        Figure(
            "BVAR, difference to least squares with dummy observations",
            difference(ours, known),
            at_most=1e-9,
        ),
    ]
