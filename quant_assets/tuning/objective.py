"""The objective of tuning: the competition's metric over all validation days, if it is stable.

Parameters come in, daily ICs and their value go out. Trying parameters belongs in
``tuning.search``.
"""

from collections.abc import Sequence

import numpy as np

from quant_assets.core.errors import FitError, NotEnoughHistoryError
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.models.protocol import Family, Observations, Parameters, Resources
from quant_assets.scoring.metric import daily_ic, score_of_ic
from quant_assets.tuning.folds import Fold

INSTABILITY_PENALTY = 0.5
"""Weight of the standard deviation of the folds' scores in the objective."""
_FEWEST_DAYS = 2


def validate_fold(
    observations: Observations,
    fold: Fold,
    family: Family,
    parameters: Parameters,
    resources: Resources,
    members: BoolArray | None = None,
) -> FloatArray:
    """Fit a family as of a fold's first row, and compute the daily ICs on its validation days.

    Args:
        observations: all days up to the fold's ``known_row``; later days are not used.
        fold: the rows to fit and to judge.
        family: the family to fit.
        parameters: all parameters of the fit.
        resources: seed and threads of the fit.
        members: (n, m) targets whose legs are in the universe on each of the n days; no others are
            judged. None if all are.

    Returns:
        (n,) ICs of the validation days whose labels differ; a day whose labels are missing or all
        equal is left out, since its IC is undefined.

    Raises:
        FitError: the fit failed, or it gives all targets of a day the same score.
        NotEnoughHistoryError: there are too few labels to fit on or to judge by.
    """
    from threadpoolctl import threadpool_limits

    days = fold.stop_row - fold.fit_row
    validated = observations.days[fold.fit_row : fold.stop_row]
    labels = observations.rows(fold.fit_row, fold.known_row + 1).labels()[:days]
    if members is not None:
        labels = np.where(members[fold.fit_row : fold.stop_row], labels, np.nan)
    scored = _labels_vary(labels)
    if scored.sum() < _FEWEST_DAYS:
        raise NotEnoughHistoryError(
            "too few validation days with labels",
            where=f"from {validated[0]} to {validated[-1]}",
            expected=f"at least {_FEWEST_DAYS}",
            found=int(scored.sum()),
        )
    # The last bits of a decomposition depend on how BLAS splits a product among threads.
    with threadpool_limits(1, user_api="blas"):
        model = family.fit(observations.rows(0, fold.fit_row + 1), parameters, resources)
        forecast = model.forecast(observations.rows(0, fold.stop_row), days)
    ic = daily_ic(forecast[scored], labels[scored])
    if np.isnan(ic).any():
        raise FitError(
            "a fit gives all targets of a day the same score",
            where=f"{family.name} as of {validated[0]}",
            hint="regularise less",
        )
    return ic


def objective_value(ics: Sequence[FloatArray]) -> float:
    """Score over the days of all folds, less half the standard deviation of the folds' scores.

    Args:
        ics: (n,) daily ICs of each fold. A day in several folds counts several times.
    """
    whole = score_of_ic(np.concatenate(ics))
    return whole - INSTABILITY_PENALTY * float(np.std([score_of_ic(ic) for ic in ics]))


def _labels_vary(labels: FloatArray) -> BoolArray:
    """(n,) whether a day of (n, m) labels has two that differ; NaN labels do not count."""
    known = ~np.isnan(labels)
    low, high = np.where(known, labels, np.inf), np.where(known, labels, -np.inf)
    return np.asarray(high.max(axis=1) > low.min(axis=1))
