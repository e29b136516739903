"""What tuning maximises: the competition's metric over all validation days, if it is stable.

No search here: parameters come in, daily correlations and their value go out.
"""

from collections.abc import Sequence

import numpy as np

from quant_assets.core.errors import FitError, NotEnoughHistoryError
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.models.protocol import Family, Observations, Parameters, Resources
from quant_assets.scoring.metric import daily_ic, score_of_ic
from quant_assets.tuning.folds import Fold

INSTABILITY_PENALTY = 0.5
_FEWEST_DAYS = 2


def validate_fold(
    seen: Observations, fold: Fold, chosen: Family, parameters: Parameters, resources: Resources
) -> FloatArray:
    """Daily IC of one fit on its validation days, without days on which no ranking is right.

    Args:
        seen: at least the days up to the fold's ``known_on``; what follows is not looked at.
        fold: rows to fit and to judge.
        chosen: the family.
        parameters: of the fit, complete.
        resources: likewise.

    Raises:
        FitError: the fit came to nothing, or scores all targets of a day alike.
        NotEnoughHistoryError: too few labels to fit on, or to judge by.
    """
    from threadpoolctl import threadpool_limits

    truth = seen.rows(fold.fit, fold.known_on + 1).labels()[: fold.stop - fold.fit]
    scored = _varies(truth)
    if scored.sum() < _FEWEST_DAYS:
        raise NotEnoughHistoryError(
            "too few validation days with labels",
            where=f"from {seen.days[fold.fit]} to {seen.days[fold.stop - 1]}",
            expected=f"at least {_FEWEST_DAYS}",
            found=int(scored.sum()),
        )
    # How BLAS splits a product among threads shows in the last bits of a decomposition.
    with threadpool_limits(1, user_api="blas"):
        model = chosen.fit(seen.rows(0, fold.fit + 1), parameters, resources)
        forecast = model.forecast(seen.rows(0, fold.stop), fold.stop - fold.fit)
    ic = daily_ic(forecast[scored], truth[scored])
    if np.isnan(ic).any():
        raise FitError(
            "a fit scores all targets of a day alike",
            where=f"{chosen.name} as of {seen.days[fold.fit]}",
            hint="regularise less",
        )
    return ic


def objective_value(ics: Sequence[FloatArray]) -> float:
    """The metric over the days of all folds, less half the deviation of the folds' metrics.

    Args:
        ics: daily IC of each fold. A day on which several folds are judged counts several times.
    """
    whole = score_of_ic(np.concatenate(ics))
    return whole - INSTABILITY_PENALTY * float(np.std([score_of_ic(ic) for ic in ics]))


def _varies(truth: FloatArray) -> BoolArray:
    """(n,) whether a day has two labels that differ; on others the IC is undefined."""
    known = ~np.isnan(truth)
    low, high = np.where(known, truth, np.inf), np.where(known, truth, -np.inf)
    return np.asarray(high.max(axis=1) > low.min(axis=1))
