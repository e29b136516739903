"""``lightgbm``: one booster over all (day, target) rows, shallow and strongly regularised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.models.base import Observations, Parameters, Resources
from quant_assets.models.labels import ranked_labels
from quant_assets.typing import FloatArray

if TYPE_CHECKING:
    import lightgbm

name = "lightgbm"
description = "One pooled LightGBM over (day, target) rows of the target features."
library = "lightgbm"
lookback = 0
defaults: Parameters = {
    "num_boost_round": 80,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 500,
    "lambda_l2": 50.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "max_bin": 63,
}


@dataclass(frozen=True)
class Booster:
    """A fitted booster."""

    booster: "lightgbm.Booster"

    def forecast(self, seen: Observations, rows: int) -> FloatArray:
        """(rows, m) leaf sums; a missing feature takes the branch learnt for it."""
        x = seen.target.values[len(seen.days) - rows :]
        scores = self.booster.predict(x.reshape(-1, x.shape[-1]))
        return np.asarray(scores, dtype=np.float64).reshape(x.shape[:2])

    def importance(self) -> Mapping[str, float]:
        """Share of each feature in the gain of all splits."""
        gain = self.booster.feature_importance("gain")
        return dict(zip(self.booster.feature_name(), gain / max(gain.sum(), 1e-300), strict=True))

    def to_bytes(self) -> bytes:
        """LightGBM's text format."""
        return self.booster.model_to_string().encode()


def fit(seen: Observations, parameters: Parameters, resources: Resources) -> Booster:
    """Fit on every released label, each day weighing the same."""
    import lightgbm

    ranks = ranked_labels(seen)
    known = ~np.isnan(ranks)
    weight = (known / np.maximum(known.sum(axis=1, keepdims=True), 1))[known]
    data = lightgbm.Dataset(
        seen.target.values[known],
        ranks[known],
        weight=weight / weight.mean(),
        feature_name=list(seen.target.names),
        params={"max_bin": parameters["max_bin"]},
    )
    options = {
        **parameters,
        "objective": "regression",
        "seed": resources.seed,
        "num_threads": resources.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    rounds = options.pop("num_boost_round")
    return Booster(lightgbm.train(options, data, num_boost_round=rounds))


def load(stored: bytes) -> Booster:
    """Read the text format back."""
    import lightgbm

    return Booster(lightgbm.Booster(model_str=stored.decode()))
