"""Trained networks as a forecaster, and as stored: arrays and a text, never pickles."""

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
Members = Callable[[Observations, Parameters, Arrays], list["NetworkSpec"]]
"""The networks and their inputs, given days, parameters and what was prepared for a fit."""


@dataclass(frozen=True)
class NetworkForecaster:
    """A mean of networks.

    Attributes:
        members: the family's, building networks and inputs.
        lookback: the family's.
        parameters: the family's, as fitted.
        prepared: what else inputs are made with, such as means and scales.
        share: of each input.
        weights: of each network, by name.
        curves: validation losses of each network, by epoch.
    """

    members: Members
    lookback: int
    parameters: Parameters
    prepared: Arrays
    share: Mapping[str, float]
    weights: tuple[Arrays, ...]
    curves: tuple[FloatArray, ...]

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """(rows, m) mean scores."""
        from quant_assets.models.neural import scores

        return scores.forecast_scores(self._members(observations, rows), self.weights, rows)

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Integrated gradients; what the networks score mean inputs is the prior."""
        from quant_assets.models.neural import scores

        return scores.contributions(self._members(observations, rows), self.weights, rows, groups)

    def importance(self) -> Mapping[str, float]:
        """Share of each input in the slopes of scores."""
        return self.share

    def to_bytes(self) -> bytes:
        """Weights by name, what was prepared, and parameters as JSON."""
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

    def _members(self, observations: Observations, rows: int) -> list["NetworkSpec"]:
        n = len(observations.days)
        recent = observations.rows(max(0, n - rows - self.lookback), n)
        return self.members(recent, self.parameters, self.prepared)


def fit_networks(
    members: Members,
    lookback: int,
    observations: Observations,
    labels: FloatArray,
    parameters: Parameters,
    prepared: Arrays,
    resources: Resources,
) -> NetworkForecaster:
    """Train a family's networks on ranked labels."""
    from quant_assets.models.neural import scores, training

    longest = int(observations.lags.max())
    networks = members(observations, parameters, prepared)
    options = training.read_options(parameters)
    trained = training.train_networks(
        networks, labels, longest, options, resources.seed, resources.checkpoint
    )
    weights = tuple(network.weights for network in trained)
    _, newest = training.split_days(labels, longest)
    share = scores.saliency(networks, weights, newest)
    curves = tuple(network.curve for network in trained)
    return NetworkForecaster(members, lookback, parameters, prepared, share, weights, curves)


def labelled_days(labels: FloatArray) -> BoolArray:
    """(n,) the days with a released label."""
    return np.asarray((~np.isnan(labels)).any(axis=1))


def load_networks(members: Members, lookback: int, stored: bytes) -> NetworkForecaster:
    """Read :meth:`NetworkForecaster.to_bytes` back."""
    arrays = unpack(stored)
    about = json.loads(str(arrays["about"]))
    inputs, share = arrays["inputs"].tolist(), arrays["share"].tolist()
    count = range(about["networks"])
    return NetworkForecaster(
        members,
        lookback,
        about["parameters"],
        _under(arrays, "prepared."),
        dict(zip(inputs, share, strict=True)),
        tuple(_under(arrays, f"weights.{i}.") for i in count),
        tuple(arrays[f"curve.{i}"] for i in count),
    )


def _under(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays whose name begins so, without it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
