"""``rank_mlp``: small networks over pooled (day, target) rows, averaged.

A network has the same weights for every target. There are several perceptrons on the day's target
features, and one recurrent network on the last four days' target features. Networks start from
different random weights; averaging their scores removes the differences that result (Hansen and
Salamon, "Neural Network Ensembles", 1990).
"""

from functools import partial
from typing import TYPE_CHECKING

from quant_assets.models.label_transforms import ranked_labels
from quant_assets.models.neural.forecaster import (
    Arrays,
    NetworkForecaster,
    fit_networks,
    labelled_days,
    load_networks,
)
from quant_assets.models.neural.scaler import fit_scaler, unpack_scaler
from quant_assets.models.protocol import Observations, Parameters, Resources
from quant_assets.models.search_space import Choice, Float, Int, Space

if TYPE_CHECKING:
    from quant_assets.models.neural.training import NetworkSpec

name = "rank_mlp"
description = "Small perceptrons and a recurrent network over (day, target) rows, averaged."
library = "torch"
_STEPS = 4
lookback = _STEPS - 1
defaults: Parameters = {
    "hidden": (32, 16),
    "perceptrons": 3,
    "recurrent_hidden": 16,
    "dropout": 0.3,
    "clip": 3.0,
    "epochs": 8,
    "patience": 3,
    "days_per_epoch": 400,
    "batch_days": 16,
    "learning_rate": 1e-3,
    "weight_decay": 10.0,
    "rank_weight": 1.0,
}
space: Space = {
    "hidden": Choice(((16,), (32, 16), (64, 32))),
    "dropout": Float(0.0, 0.6),
    "epochs": Int(2, 20, log=True),
    "learning_rate": Float(1e-4, 1e-2, log=True),
    "weight_decay": Float(0.1, 30.0, log=True),
    "rank_weight": Float(0.1, 10.0, log=True),
}


def fit(
    observations: Observations, parameters: Parameters, resources: Resources
) -> NetworkForecaster:
    """Train all networks on known labels."""
    labels = ranked_labels(observations)
    features = observations.target.values[labelled_days(labels)]
    prepared = fit_scaler(features, parameters["clip"], pooled=True).arrays("target")
    return fit_networks(
        _build_networks, lookback, observations, labels, parameters, prepared, resources
    )


def load(stored: bytes) -> NetworkForecaster:
    """Restore a model from its bytes."""
    return load_networks(_build_networks, lookback, stored)


def _build_networks(
    observations: Observations, parameters: Parameters, prepared: Arrays
) -> list["NetworkSpec"]:
    from quant_assets.models.neural.networks import PooledMlp, PooledRnn
    from quant_assets.models.neural.training import NetworkInput, NetworkSpec

    features, dropout = len(observations.target.names), parameters["dropout"]
    values = unpack_scaler(prepared, "target").apply(observations.target.values)
    day, days = (NetworkInput(values, observations.target.names, steps) for steps in (1, _STEPS))
    perceptron = partial(PooledMlp, features, tuple(parameters["hidden"]), dropout)
    recurrent = partial(PooledRnn, features, parameters["recurrent_hidden"], dropout)
    return [NetworkSpec(perceptron, (day,))] * parameters["perceptrons"] + [
        NetworkSpec(recurrent, (days,))
    ]
