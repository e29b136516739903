"""``regime_lstm``: a linear score of target features whose weights depend on the market's regime.

An LSTM reads the market features of the last twenty days and the filtered probability of turbulence
on each of them (``models.markov_switching``), and sets the weights of the target features.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.models.label_transforms import ranked_labels
from quant_assets.models.markov_switching import Regimes, filtered_windows, fit_regimes
from quant_assets.models.neural.forecaster import (
    Arrays,
    NetworkForecaster,
    fit_networks,
    labelled_days,
    load_networks,
)
from quant_assets.models.neural.scaler import fit_scaler, unpack_scaler
from quant_assets.models.protocol import Observations, Parameters, Resources
from quant_assets.models.search_space import Float, Int, Space

if TYPE_CHECKING:
    from quant_assets.models.neural.training import NetworkSpec

name = "regime_lstm"
description = "Linear in the target features, with weights an LSTM over market and regime sets."
library = "torch"
_STEPS, _FILTERED = 20, 120
lookback = _FILTERED - 1
defaults: Parameters = {
    "hidden": 8,
    "networks": 3,
    "dropout": 0.3,
    "clip": 3.0,
    "epochs": 10,
    "patience": 3,
    "days_per_epoch": 600,
    "batch_days": 16,
    "learning_rate": 2e-3,
    "weight_decay": 1.0,
    "rank_weight": 1.0,
}
space: Space = {
    "hidden": Int(4, 32, log=True),
    "dropout": Float(0.0, 0.6),
    "epochs": Int(2, 30, log=True),
    "learning_rate": Float(2e-4, 2e-2, log=True),
    "weight_decay": Float(0.01, 30.0, log=True),
    "rank_weight": Float(0.1, 10.0, log=True),
}
_FACTOR = "factor_all_1"


def fit(
    observations: Observations, parameters: Parameters, resources: Resources
) -> NetworkForecaster:
    """Fit the regimes to the market's daily factor, then train the networks on known labels."""
    labels, clip = ranked_labels(observations), parameters["clip"]
    rows = labelled_days(labels)
    regimes = fit_regimes(observations.market.column(_FACTOR))
    prepared = {
        **fit_scaler(observations.target.values[rows], clip, pooled=True).arrays("target"),
        **fit_scaler(observations.market.values[rows], clip).arrays("market"),
        **{f"regimes.{field}": array for field, array in vars(regimes).items()},
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
    from quant_assets.models.neural.networks import RegimeLstm
    from quant_assets.models.neural.training import NetworkInput, NetworkSpec

    regimes = Regimes(*(prepared[f"regimes.{field}"] for field in ("mean", "variance", "stay")))
    returns = observations.market.column(_FACTOR)
    turbulence = filtered_windows(regimes, returns, _FILTERED, _STEPS)[..., None]
    inputs = (
        NetworkInput(
            unpack_scaler(prepared, "target").apply(observations.target.values),
            observations.target.names,
        ),
        NetworkInput(
            unpack_scaler(prepared, "market").apply(observations.market.values),
            observations.market.names,
            _STEPS,
        ),
        NetworkInput((2.0 * turbulence - 1.0).astype(np.float32), ("turbulence",)),
    )
    sizes = (len(observations.target.names), len(observations.market.names) + 1)
    build = partial(RegimeLstm, *sizes, parameters["hidden"], parameters["dropout"])
    return [NetworkSpec(build, inputs)] * parameters["networks"]
