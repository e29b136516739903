"""Trained networks as a forecaster, stored as arrays and JSON. Nothing is pickled."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.models.packing import pack, unpack
from quant_assets.models.protocol import Groups, Observations, Parameters, Resources

if TYPE_CHECKING:
    from quant_assets.models.neural.training import NetworkSpec

Arrays = Mapping[str, AnyArray]
BuildNetworks = Callable[[Observations, Parameters, Arrays], list["NetworkSpec"]]
"""Builds a family's networks and their inputs from observations, parameters and prepared arrays."""


@dataclass(frozen=True)
class NetworkForecaster:
    """Networks whose scores are averaged.

    Attributes:
        build_networks: function of the family that builds the networks and their inputs.
        lookback: lookback of the family in days.
        parameters: parameters of the fit.
        prepared: further arrays from which inputs are computed, such as means and scales.
        share: share of each input in the slopes of scores.
        weights: weights of each network, by name.
        curves: validation loss of each network, by epoch.
    """

    build_networks: BuildNetworks
    lookback: int
    parameters: Parameters
    prepared: Arrays
    share: Mapping[str, float]
    weights: tuple[Arrays, ...]
    curves: tuple[FloatArray, ...]

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (rows, m) mean scores of the networks."""
        from quant_assets.models.neural import scores

        return scores.forecast_scores(
            self._build_with_lookback(observations, rows), self.weights, rows
        )

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Compute integrated gradients; the prior is the score of inputs at their means."""
        from quant_assets.models.neural import scores

        return scores.contributions(
            self._build_with_lookback(observations, rows), self.weights, rows, groups
        )

    def importance(self) -> Mapping[str, float]:
        """Return each input's share in the slopes of scores."""
        return self.share

    def to_bytes(self) -> bytes:
        """Return the weights, the prepared arrays, and the parameters as JSON."""
        about = {"parameters": dict(self.parameters), "networks": len(self.weights)}
        arrays = {
            "about": np.array(json.dumps(about, sort_keys=True)),
            "inputs": np.array(list(self.share)),
            "share": np.array(list(self.share.values())),
            **{f"prepared.{name}": array for name, array in self.prepared.items()},
        }
        for i, (weights, curve) in enumerate(zip(self.weights, self.curves, strict=True)):
            arrays[f"curve.{i}"] = curve
            arrays |= {f"weights.{i}.{name}": array for name, array in weights.items()}
        return pack(**arrays)

    def _build_with_lookback(self, observations: Observations, rows: int) -> list["NetworkSpec"]:
        n = len(observations.days)
        recent = observations.rows(max(0, n - rows - self.lookback), n)
        return self.build_networks(recent, self.parameters, self.prepared)


def fit_networks(
    build_networks: BuildNetworks,
    lookback: int,
    observations: Observations,
    labels: FloatArray,
    parameters: Parameters,
    prepared: Arrays,
    resources: Resources,
) -> NetworkForecaster:
    """Train a family's networks on ranked labels.

    Args:
        build_networks: function of the family that builds the networks and their inputs.
        lookback: lookback of the family in days.
        observations: features up to the as-of day.
        labels: (n, m) ranked labels by forecast day; NaN where unknown.
        parameters: parameters of the fit.
        prepared: further arrays from which inputs are computed.
        resources: seed and checkpoint file.
    """
    from quant_assets.models.neural import scores, training

    longest = int(observations.lags.max())
    networks = build_networks(observations, parameters, prepared)
    options = training.read_options(parameters)
    trained = training.train_networks(
        networks, labels, longest, options, resources.seed, resources.checkpoint
    )
    weights = tuple(network.weights for network in trained)
    _, newest = training.split_days(labels, longest)
    share = scores.input_saliency(networks, weights, newest)
    curves = tuple(network.curve for network in trained)
    return NetworkForecaster(build_networks, lookback, parameters, prepared, share, weights, curves)


def labelled_days(labels: FloatArray) -> BoolArray:
    """(n,) mask of the days with a known label."""
    return np.asarray((~np.isnan(labels)).any(axis=1))


def load_networks(build_networks: BuildNetworks, lookback: int, stored: bytes) -> NetworkForecaster:
    """Restore a forecaster from the bytes of :meth:`NetworkForecaster.to_bytes`.

    Args:
        build_networks: function of the family that builds the networks and their inputs.
        lookback: lookback of the family in days.
        stored: the bytes.
    """
    arrays = unpack(stored)
    about = json.loads(str(arrays["about"]))
    inputs, share = arrays["inputs"].tolist(), arrays["share"].tolist()
    count = range(about["networks"])
    return NetworkForecaster(
        build_networks,
        lookback,
        about["parameters"],
        _select_prefix(arrays, "prepared."),
        dict(zip(inputs, share, strict=True)),
        tuple(_select_prefix(arrays, f"weights.{i}.") for i in count),
        tuple(arrays[f"curve.{i}"] for i in count),
    )


def _select_prefix(arrays: Arrays, prefix: str) -> Arrays:
    """Select the arrays whose name begins with a prefix, and remove it from their names."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
