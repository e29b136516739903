"""``xgboost``: one booster over all (day, target) rows of explained and residual moves.

A spread's move over some days is the sum of a part that its beta to the factor of all instruments
explains, and a residual. Both are in units of the spread's volatility. Further inputs are the moves
of the two legs' own markets and slow features of the target.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.market.targets import spread
from quant_assets.models.label_transforms import (
    day_weights,
    decorrelation_matrix,
    multiply_by_day,
    ranked_labels,
    sample_known,
    standardised_labels,
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
    import xgboost

name = "xgboost"
description = "One pooled XGBoost over (day, target) rows of explained and residual moves."
library = "xgboost"
lookback = 0
defaults: Parameters = {
    "num_boost_round": 60,
    "learning_rate": 0.05,
    "max_depth": 3,
    "min_child_weight": 500.0,
    "reg_lambda": 200.0,
    "subsample": 0.5,
    "colsample_bytree": 0.5,
    "max_bin": 64,
    "label_clip": 3.0,
    "shrinkage": 0.5,
}
space: Space = {
    "num_boost_round": Int(10, 300, log=True),
    "learning_rate": Float(0.01, 0.3, log=True),
    "max_depth": Int(2, 6),
    "min_child_weight": Float(20.0, 5000.0, log=True),
    "reg_lambda": Float(1.0, 1000.0, log=True),
    "shrinkage": Float(0.05, 1.0),
}

_ROWS_AT_ONCE = 500_000
"""Number of days times targets whose inputs fit into memory."""
WINDOWS = (1, 5, 20)
MARKET_INPUTS = ("factor_all_5", "factor_all_20", "volatility_ratio_20_250", "dispersion_20")
TARGET_INPUTS = (
    *("beta_difference", "diff_vol_20", "spread_volatility_ratio_20_250", "lag"),
    *("spread_z_60", "spread_z_250", "spread_move_250"),
    *("label_mean_20", "label_mean_250", "label_mean_500", "label_rank_mean_250"),
)
_OWN_GROUPS = {
    f"{kind}_{w}": kind for kind in ("explained", "residual", "markets") for w in WINDOWS
}


@dataclass(frozen=True)
class FactorBooster:
    """A fitted booster.

    Attributes:
        booster: the booster, which predicts standardised labels.
        decorrelation: (m, m) matrix by which the scores of a day are multiplied.
    """

    booster: "xgboost.Booster"
    decorrelation: Matrix

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (rows, m) scores; a missing input takes the branch learnt for it."""
        _, x = factor_inputs(observations.last(rows))
        scores = self.booster.inplace_predict(x.reshape(-1, x.shape[-1])).astype(np.float64)
        return multiply_by_day(scores.reshape(x.shape[:2]), self.decorrelation)

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Compute exact Shapley values in single precision, as the family ``lightgbm`` does.

        The explained, residual and market moves are each summed over their windows.
        """
        import xgboost

        names, x = factor_inputs(observations.last(rows))
        pooled = xgboost.DMatrix(x.reshape(-1, x.shape[-1]), feature_names=list(names), nthread=1)
        values = self.booster.predict(pooled, pred_contribs=True).astype(np.float64)
        values = values.reshape(*x.shape[:2], -1)
        sums = sum_by_group(np.moveaxis(values, -1, 0), (*names, PRIOR), {**groups, **_OWN_GROUPS})
        return {group: multiply_by_day(part, self.decorrelation) for group, part in sums.items()}

    def importance(self) -> Mapping[str, float]:
        """Return each input's share in the gain of all splits; 0 for an input without splits."""
        gain = cast(Mapping[str, float], self.booster.get_score(importance_type="total_gain"))
        total, names = sum(gain.values()), self.booster.feature_names or ()
        return {name: gain.get(name, 0.0) / total for name in names} if total else {}

    def to_bytes(self) -> bytes:
        """Return the booster as XGBoost's UBJSON, and the matrix."""
        raw = np.frombuffer(self.booster.save_raw("ubj"), np.uint8)
        return pack(booster=raw, **name_arrays("decorrelation", self.decorrelation))


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> FactorBooster:
    """Fit to all known labels, or to many of them, with the same total weight for each day."""
    import xgboost

    options = dict(parameters)
    rounds, bins = options.pop("num_boost_round"), options["max_bin"]
    clip, shrinkage = options.pop("label_clip"), options.pop("shrinkage")
    matrix = decorrelation_matrix(ranked_labels(observations), shrinkage)
    labels = sample_known(standardised_labels(observations, clip), resources.seed)
    known = ~np.isnan(labels)
    names, x = _known_inputs(observations, known)
    data = xgboost.QuantileDMatrix(
        x,
        labels[known],
        weight=day_weights(labels),
        feature_names=list(names),
        max_bin=bins,
        nthread=resources.threads,
    )
    options |= {
        "objective": "reg:squarederror",
        "base_score": 0.0,
        "tree_method": "hist",
        "seed": resources.seed,
        "nthread": resources.threads,
    }
    return FactorBooster(xgboost.train(options, data, rounds), matrix)


def load(stored: bytes) -> FactorBooster:
    """Restore a model from its bytes."""
    import xgboost

    arrays = unpack(stored)
    booster = xgboost.Booster(model_file=bytearray(arrays["booster"].tobytes()))
    return FactorBooster(booster, find_matrix("decorrelation", arrays))


def _known_inputs(
    observations: Observations, known: BoolArray
) -> tuple[tuple[str, ...], FloatArray]:
    """Compute the names and the (labels, p) inputs of known labels, in blocks of days.

    Args:
        observations: of n days and m targets.
        known: (n, m) whether a label is known.
    """
    days, targets = known.shape
    step = max(1, _ROWS_AT_ONCE // max(targets, 1))
    names: tuple[str, ...] = ()
    blocks: list[FloatArray] = []
    for start in range(0, days, step):
        names, x = factor_inputs(observations.rows(start, start + step))
        blocks.append(x[known[start : start + step]])
    return names, np.concatenate(blocks)


def factor_inputs(observations: Observations) -> tuple[tuple[str, ...], FloatArray]:
    """Compute the inputs of the booster.

    Returns the names of the p inputs and their (n, m, p) values, float32; NaN where undefined.
    """
    target, market = observations.target, observations.market
    daily = target.column("spread_volatility") / np.sqrt(observations.lags)
    daily = np.where(daily > 0, daily, np.nan)
    beta = target.column("beta_difference")
    inputs = {}
    for w in WINDOWS:
        explained = beta * market.column(f"factor_all_{w}")[:, None]
        unit = daily * np.sqrt(w)
        inputs[f"explained_{w}"] = explained / unit
        inputs[f"residual_{w}"] = (target.column(f"diff_ret_{w}") - explained) / unit
        factors = np.stack(
            [market.column(f"factor_{leg}_{w}") for leg in observations.groups], axis=1
        )
        inputs[f"markets_{w}"] = spread(factors, observations.legs[:, 0], observations.legs[:, 1])
    inputs |= {name: target.column(name) for name in TARGET_INPUTS}
    inputs |= {
        name: np.broadcast_to(market.column(name)[:, None], daily.shape) for name in MARKET_INPUTS
    }
    return tuple(inputs), np.stack([x.astype(np.float32) for x in inputs.values()], axis=-1)
