"""``rank_prior``: each target's mean rank in the past. To beat, and to fall back on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.errors import unknown_name
from quant_assets.core.typing import FloatArray
from quant_assets.models.label_transforms import decorrelation, ranked_labels
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
    """One constant score per target, (m,)."""

    score: FloatArray

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """(rows, m) the same scores on every day."""
        return np.tile(self.score, (rows, 1))

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """All of it is the prior."""
        return {PRIOR: self.forecast(observations, rows)}

    def importance(self) -> Mapping[str, float]:
        """A constant has no inputs."""
        return {}

    def to_bytes(self) -> bytes:
        """The scores."""
        return pack(score=self.score)


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> RankPrior:
    """Scores from the last ``window`` days, with ``prior_days`` days of rank zero in the mean.

    ``variant`` is what the mean ranks are divided by:

    - ``mean``: nothing.
    - ``diagonal``: each target's standard deviation.
    - ``covariance``: the covariance of all targets, shrunk by ``shrinkage``.
    - ``ledoit_wolf``: likewise, shrunk by as much as Ledoit and Wolf ("A well-conditioned estimator
      for large-dimensional covariance matrices", 2004) estimate for independent days.

    Raises:
        NotEnoughHistoryError: too few labels are released.
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
    """Read the scores back."""
    return RankPrior(**unpack(stored))


def _plain(mean: FloatArray, ranks: FloatArray, parameters: Parameters) -> FloatArray:
    return mean


def _diagonal(mean: FloatArray, ranks: FloatArray, parameters: Parameters) -> FloatArray:
    known = np.maximum((~np.isnan(ranks)).sum(axis=0), 1)
    centre = np.nansum(ranks, axis=0) / known
    deviation = np.sqrt(np.nansum((ranks - centre) ** 2, axis=0) / known)
    return np.asarray(mean / np.where(deviation > 0, deviation, 1.0))


def _covariance(mean: FloatArray, ranks: FloatArray, parameters: Parameters) -> FloatArray:
    return np.asarray(mean @ decorrelation(ranks, parameters["shrinkage"]))


def _ledoit_wolf(mean: FloatArray, ranks: FloatArray, parameters: Parameters) -> FloatArray:
    from sklearn.covariance import ledoit_wolf_shrinkage

    days = ranks[(~np.isnan(ranks)).any(axis=1)]
    return np.asarray(mean @ decorrelation(ranks, ledoit_wolf_shrinkage(np.nan_to_num(days))))


_VARIANTS: Mapping[str, Callable[[FloatArray, FloatArray, Parameters], FloatArray]] = {
    "mean": _plain,
    "diagonal": _diagonal,
    "covariance": _covariance,
    "ledoit_wolf": _ledoit_wolf,
}
