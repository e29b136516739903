"""``rank_prior``: each target's mean rank in the past; the baseline, and the fall-back family."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.errors import unknown_name
from quant_assets.core.typing import FloatArray
from quant_assets.models.label_transforms import decorrelation_matrix, ranked_labels
from quant_assets.models.packing import pack, unpack
from quant_assets.models.protocol import PRIOR, Groups, Observations, Parameters, Resources
from quant_assets.models.search_space import Float, Int, Space

name = "rank_prior"
description = (
    "Mean of the daily standardised label ranks of each target, shrunk towards none and weighted "
    "by the shrunk inverse of their covariance."
)
library = "numpy"
lookback = 0
defaults: Parameters = {
    "variant": "covariance",
    "window": 2000,
    "prior_days": 60,
    "shrinkage": 0.4,
}
space: Space = {
    "window": Int(120, 2500, log=True),
    "prior_days": Int(5, 500, log=True),
    "shrinkage": Float(0.05, 1.0),
}


@dataclass(frozen=True)
class RankPrior:
    """One constant score per target.

    Attributes:
        score: (m,) scores.
    """

    score: FloatArray

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """Return (rows, m) scores, equal on all days."""
        return np.tile(self.score, (rows, 1))

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Return the scores as the contribution of the prior."""
        return {PRIOR: self.forecast(observations, rows)}

    def importance(self) -> Mapping[str, float]:
        """Return nothing, since the scores have no inputs."""
        return {}

    def to_bytes(self) -> bytes:
        """Return the scores as bytes."""
        return pack(score=self.score)


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> RankPrior:
    """Compute mean ranks of the last ``window`` days, with ``prior_days`` days of rank 0 added.

    The parameter ``variant`` says by what the mean ranks are divided:

    - ``mean``: by nothing.
    - ``diagonal``: by each target's standard deviation.
    - ``covariance``: by the covariance of all targets, shrunk by ``shrinkage``.
    - ``ledoit_wolf``: by the covariance of all targets, shrunk by the estimate of Ledoit and Wolf
      ("A well-conditioned estimator for large-dimensional covariance matrices", 2004) for
      independent days.

    Raises:
        NotEnoughHistoryError: too few labels are known.
        UnknownNameError: there is no such variant.
    """
    variant = parameters["variant"]
    if variant not in _VARIANTS:
        raise unknown_name("variant", variant, list(_VARIANTS))
    window = observations.rows(
        max(0, len(observations.days) - parameters["window"]), len(observations.days)
    )
    ranks = ranked_labels(window)
    known = (~np.isnan(ranks)).sum(axis=0)
    mean = np.nansum(ranks, axis=0) / (known + parameters["prior_days"])
    return RankPrior(_VARIANTS[variant](mean, ranks, parameters))


def load(stored: bytes) -> RankPrior:
    """Restore a model from its bytes."""
    return RankPrior(**unpack(stored))


def _keep(mean: FloatArray, ranks: FloatArray, parameters: Parameters) -> FloatArray:
    return mean


def _divide_by_deviation(mean: FloatArray, ranks: FloatArray, parameters: Parameters) -> FloatArray:
    known = np.maximum((~np.isnan(ranks)).sum(axis=0), 1)
    centre = np.nansum(ranks, axis=0) / known
    deviation = np.sqrt(np.nansum((ranks - centre) ** 2, axis=0) / known)
    return np.asarray(mean / np.where(deviation > 0, deviation, 1.0))


def _divide_by_covariance(
    mean: FloatArray, ranks: FloatArray, parameters: Parameters
) -> FloatArray:
    return np.asarray(mean @ decorrelation_matrix(ranks, parameters["shrinkage"]))


def _divide_by_ledoit_wolf(
    mean: FloatArray, ranks: FloatArray, parameters: Parameters
) -> FloatArray:
    from sklearn.covariance import ledoit_wolf_shrinkage

    days = ranks[(~np.isnan(ranks)).any(axis=1)]
    return np.asarray(
        mean @ decorrelation_matrix(ranks, ledoit_wolf_shrinkage(np.nan_to_num(days)))
    )


_VARIANTS: Mapping[str, Callable[[FloatArray, FloatArray, Parameters], FloatArray]] = {
    "mean": _keep,
    "diagonal": _divide_by_deviation,
    "covariance": _divide_by_covariance,
    "ledoit_wolf": _divide_by_ledoit_wolf,
}
