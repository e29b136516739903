"""``rank_prior``: each target's mean rank over the past year. To beat, and to fall back on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.models.base import Observations, Parameters, Resources
from quant_assets.models.labels import ranked_labels
from quant_assets.models.stored import pack, unpack
from quant_assets.typing import FloatArray

name = "rank_prior"
description = "Mean of the daily standardised label ranks of each target, shrunk towards none."
library = "numpy"
lookback = 0
defaults: Parameters = {"window": 250, "prior_days": 60}


@dataclass(frozen=True)
class RankPrior:
    """One constant score per target, (m,)."""

    mean: FloatArray

    def forecast(self, seen: Observations, rows: int) -> FloatArray:
        """(rows, m) the same scores on every day."""
        return np.tile(self.mean, (rows, 1))

    def importance(self) -> Mapping[str, float]:
        """A constant has no inputs."""
        return {}

    def to_bytes(self) -> bytes:
        """The scores."""
        return pack(mean=self.mean)


def fit(seen: Observations, parameters: Parameters, resources: Resources) -> RankPrior:
    """Mean over the last ``window`` days, with ``prior_days`` days of rank zero added."""
    window = seen.rows(max(0, len(seen.days) - parameters["window"]), len(seen.days))
    ranks = ranked_labels(window)
    known = (~np.isnan(ranks)).sum(axis=0)
    return RankPrior(np.nansum(ranks, axis=0) / (known + parameters["prior_days"]))


def load(stored: bytes) -> RankPrior:
    """Read the scores back."""
    return RankPrior(**unpack(stored))
