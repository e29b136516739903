"""``lightgbm``: shallow, strongly regularised boosters over all (day, target) rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.models.label_transforms import (
    day_weights,
    decorrelation_matrix,
    multiply_by_day,
    ranked_labels,
    sample_known,
    standardised_labels,
    take_known,
)
from quant_assets.models.low_rank import Matrix, find_matrix, name_arrays
from quant_assets.models.packing import pack, unpack
from quant_assets.models.protocol import (
    PRIOR,
    Groups,
    Observations,
    Parameters,
    Resources,
    sum_by_group,
)
from quant_assets.models.search_space import Float, Int, Space

if TYPE_CHECKING:
    import lightgbm

name = "lightgbm"
description = "Pooled LightGBM over (day, target) rows of the target features, several seeds."
library = "lightgbm"
lookback = 0
defaults: Parameters = {
    "seeds": 3,
    "num_boost_round": 30,
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 500,
    "lambda_l2": 50.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.2,
    "bagging_freq": 1,
    "max_bin": 63,
    "label_clip": 3.0,
    "shrinkage": 0.5,
}
space: Space = {
    "num_boost_round": Int(10, 300, log=True),
    "learning_rate": Float(0.01, 0.3, log=True),
    "num_leaves": Int(4, 63, log=True),
    "min_data_in_leaf": Int(50, 5000, log=True),
    "lambda_l2": Float(0.1, 1000.0, log=True),
    "feature_fraction": Float(0.1, 1.0),
    "bagging_fraction": Float(0.1, 1.0),
    "shrinkage": Float(0.05, 1.0),
}


@dataclass(frozen=True)
class Boosters:
    """Boosters that differ in their seed, and whose scores are averaged.

    Attributes:
        boosters: one booster per seed.
        decorrelation: (m, m) matrix by which the scores of a day are multiplied.
    """

    boosters: tuple["lightgbm.Booster", ...]
    decorrelation: Matrix

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (rows, m) scores; a missing feature takes the branch learnt for it."""
        return multiply_by_day(self._mean(observations, rows)[..., 0], self.decorrelation)

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Compute exact Shapley values of the trees, decorrelated as the scores are.

        Source: Lundberg, Erion and Lee, "Consistent Individualized Feature Attribution for Tree
        Ensembles" (2018). The prior is the trees' expected score without any inputs.
        """
        values = self._mean(observations, rows, pred_contrib=True)
        sums = sum_by_group(np.moveaxis(values, -1, 0), (*observations.target.names, PRIOR), groups)
        return {group: multiply_by_day(part, self.decorrelation) for group, part in sums.items()}

    def importance(self) -> Mapping[str, float]:
        """Return each feature's share in the gain of all splits."""
        gain = np.sum([b.feature_importance("gain") for b in self.boosters], axis=0)
        names = self.boosters[0].feature_name()
        return dict(zip(names, gain / gain.sum(), strict=True)) if gain.any() else {}

    def to_bytes(self) -> bytes:
        """Return the boosters in LightGBM's text format, and the matrix."""
        text = json.dumps([_drop_threads(b.model_to_string()) for b in self.boosters]).encode()
        return pack(
            boosters=np.frombuffer(text, np.uint8),
            **name_arrays("decorrelation", self.decorrelation),
        )

    def _mean(
        self, observations: Observations, rows: int, *, pred_contrib: bool = False
    ) -> FloatArray:
        """Compute the (rows, m, outputs) mean of the boosters' scores or contributions."""
        x = observations.target.values[len(observations.days) - rows :]
        pooled = x.reshape(-1, x.shape[-1])
        options = {"pred_contrib": pred_contrib}
        outputs = [np.asarray(b.predict(pooled, **options)) for b in self.boosters]
        mean = np.mean(outputs, axis=0)
        return np.asarray(mean.reshape(*x.shape[:2], -1))


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> Boosters:
    """Fit to all known labels, or to many of them, with the same total weight for each day."""
    import lightgbm

    options = dict(parameters)
    seeds, rounds = options.pop("seeds"), options.pop("num_boost_round")
    clip, shrinkage = options.pop("label_clip"), options.pop("shrinkage")
    matrix = decorrelation_matrix(ranked_labels(observations), shrinkage)
    labels = sample_known(standardised_labels(observations, clip), resources.seed)
    data = lightgbm.Dataset(
        take_known(observations.target.values, labels),
        labels[~np.isnan(labels)],
        weight=day_weights(labels),
        feature_name=list(observations.target.names),
        params={"max_bin": options["max_bin"]},
    )
    options |= {
        "objective": "regression",
        "num_threads": resources.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    boosters = (
        lightgbm.train({**options, "seed": resources.seed + i}, data, num_boost_round=rounds)
        for i in range(seeds)
    )
    return Boosters(tuple(boosters), matrix)


def load(stored: bytes) -> Boosters:
    """Restore a model from its bytes."""
    import lightgbm

    arrays = unpack(stored)
    texts = json.loads(arrays["boosters"].tobytes())
    boosters = tuple(lightgbm.Booster(model_str=text) for text in texts)
    return Boosters(boosters, find_matrix("decorrelation", arrays))


def _drop_threads(model: str) -> str:
    """Remove the number of threads from LightGBM's text, so that equal models are equal bytes."""
    return "\n".join(x for x in model.split("\n") if not x.startswith("[num_threads:"))
