"""``transformer_mat``: attention across instruments; a target's score is leg A's less leg B's.

The network's inputs are features of instruments, not of targets. A target's score depends on its
legs and holding period only, so it is consistent with all other targets that share a leg.
``neural.networks`` has the network.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

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

name = "transformer_mat"
description = "A transformer with one token per instrument; a target is the difference of its legs."
library = "torch"
lookback = 0
defaults: Parameters = {
    "width": 32,
    "heads": 2,
    "layers": 1,
    "networks": 2,
    "dropout": 0.3,
    "clip": 3.0,
    "epochs": 10,
    "patience": 3,
    "days_per_epoch": 600,
    "batch_days": 16,
    "learning_rate": 1e-3,
    "weight_decay": 1.0,
    "rank_weight": 1.0,
}
space: Space = {
    "width": Choice((16, 32, 64)),
    "layers": Int(1, 3),
    "dropout": Float(0.0, 0.6),
    "epochs": Int(2, 30, log=True),
    "learning_rate": Float(1e-4, 1e-2, log=True),
    "weight_decay": Float(0.01, 30.0, log=True),
}


def fit(
    observations: Observations, parameters: Parameters, resources: Resources
) -> NetworkForecaster:
    """Train the networks on known labels; every instrument has its own means and scales."""
    labels = ranked_labels(observations)
    features = observations.instrument.values[labelled_days(labels)]
    prepared = {
        **fit_scaler(features, parameters["clip"]).arrays("instrument"),
        "lags": np.unique(observations.lags),
    }
    return fit_networks(
        _build_networks, lookback, observations, labels, parameters, prepared, resources
    )


def load(stored: bytes) -> NetworkForecaster:
    """Restore a model from its bytes."""
    return load_networks(_build_networks, lookback, stored)


def _build_networks(
    observations: Observations, parameters: Parameters, prepared: Arrays
) -> list["NetworkSpec"]:
    from quant_assets.models.neural.networks import PairTransformer
    from quant_assets.models.neural.training import NetworkInput, NetworkSpec

    values = unpack_scaler(prepared, "instrument").apply(observations.instrument.values)
    sizes = {key: parameters[key] for key in ("width", "heads", "layers", "dropout")}
    build = partial(
        PairTransformer,
        observations.legs,
        np.searchsorted(prepared["lags"], observations.lags),
        instruments=len(observations.instruments),
        features=len(observations.instrument.names),
        **sizes,
    )
    return [
        NetworkSpec(build, (NetworkInput(values, observations.instrument.names),))
    ] * parameters["networks"]
