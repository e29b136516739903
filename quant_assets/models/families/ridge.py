"""``ridge``: all targets in one linear solve on the day's returns and market features.

One SVD gives the solutions for all penalties and targets. The penalty has the least leave-one-out
error (Allen's PRESS in closed form: Hastie, Tibshirani and Friedman, "The Elements of Statistical
Learning", section 7.10). Optionally only the leading directions of the fitted values are used
(Izenman, "Reduced-rank regression for the multivariate linear model", 1975).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.models.label_transforms import (
    decorrelation_matrix,
    multiply_by_day,
    ranked_labels,
)
from quant_assets.models.low_rank import Product, find_matrix, name_arrays
from quant_assets.models.packing import pack, unpack
from quant_assets.models.protocol import PRIOR, Groups, Observations, Parameters, Resources
from quant_assets.models.search_space import Choice, Float, Space

name = "ridge"
description = "Ridge regression of all targets' ranks on the day's returns and market features."
library = "numpy"
lookback = 0
defaults: Parameters = {
    "returns": ("ret_1",),
    "clip": 4.0,
    "penalties": tuple(float(10**power) for power in np.arange(2.0, 7.5, 0.5)),
    "rank": None,
    "shrinkage": 0.5,
}
space: Space = {
    "returns": Choice(
        (
            ("ret_1",),
            ("ret_1", "ret_5"),
            ("ret_1", "ret_20"),
            ("ret_1", "ret_5", "ret_20"),
        )
    ),
    "clip": Float(1.0, 10.0, log=True),
    "shrinkage": Float(0.05, 1.0),
}


@dataclass(frozen=True)
class Ridge:
    """Coefficients on standardised inputs.

    Attributes:
        returns: names of the instrument features that are inputs.
        inputs: names of the p inputs: the market features, then each of ``returns`` once per
            instrument.
        clip: standardised inputs are clipped to plus and minus this.
        mean: (p,) mean of each input over the fitting days.
        scale: (p,) standard deviation of each input; 1 for an input that does not vary.
        coefficients: (p, m) decorrelated coefficients; factors in a market of many targets.
        intercept: (m,) decorrelated intercept.
        penalty: penalty of least leave-one-out error.
    """

    returns: tuple[str, ...]
    inputs: tuple[str, ...]
    clip: float
    mean: FloatArray
    scale: FloatArray
    coefficients: FloatArray | Product
    intercept: FloatArray
    penalty: float

    def forecast(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (rows, m) linear scores."""
        return (
            multiply_by_day(self._standardised_inputs(observations, rows), self.coefficients)
            + self.intercept
        )

    def contributions(
        self, observations: Observations, rows: int, groups: Groups
    ) -> Mapping[str, FloatArray]:
        """Compute the products of inputs and their coefficients; the intercept is the prior."""
        x = self._standardised_inputs(observations, rows)
        of_input = np.array([groups.get(name, name) for name in self.inputs])
        parts = {
            group: multiply_by_day(x * (of_input == group), self.coefficients)
            for group in dict.fromkeys(of_input.tolist())
        }
        return parts | {PRIOR: np.tile(self.intercept, (rows, 1))}

    def importance(self) -> Mapping[str, float]:
        """Return the share of each market feature and return in the absolute coefficients."""
        weight = (
            self.coefficients.absolute_row_sums()
            if isinstance(self.coefficients, Product)
            else np.abs(self.coefficients).sum(axis=1)
        )
        share = weight / max(weight.sum(), np.finfo(float).tiny)
        names, index = np.unique(self.inputs, return_inverse=True)
        return dict(zip(names.tolist(), np.bincount(index, share).tolist(), strict=True))

    def to_bytes(self) -> bytes:
        """Return all fields as bytes."""
        arrays: dict[str, Any] = {}
        for field, values in vars(self).items():
            arrays |= name_arrays(field, values) if field == "coefficients" else {field: values}
        return pack(**arrays)

    def _standardised_inputs(self, observations: Observations, rows: int) -> FloatArray:
        """Compute (rows, p) standardised inputs of the last days."""
        x = _join_inputs(observations.last(rows), self.returns)
        return _standardise(x, self.mean, self.scale, self.clip)


def fit(observations: Observations, parameters: Parameters, resources: Resources) -> Ridge:
    """Solve for all targets at once; an empty label counts as the middle rank.

    The parameter ``rank`` is the number of directions of the fitted values, None for all of them.
    ``shrinkage`` is that of the covariance by which expected ranks are divided.

    Raises:
        NotEnoughHistoryError: too few labels are known.
    """
    ranks = ranked_labels(observations)
    known = (~np.isnan(ranks)).any(axis=1)
    x = _join_inputs(observations, parameters["returns"])[known]
    y = np.nan_to_num(ranks[known])
    mean, scale = _compute_moments(x)
    x = _standardise(x, mean, scale, parameters["clip"])
    intercept = y.mean(axis=0)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    projected = u.T @ (y - intercept)
    penalty = min(
        parameters["penalties"],
        key=lambda candidate: _press_error(y - intercept, u, s, projected, candidate),
    )
    right = (s / (s**2 + penalty))[:, None] * projected
    matrix = decorrelation_matrix(ranks, parameters["shrinkage"])
    whole = isinstance(matrix, np.ndarray)
    coefficients: FloatArray | Product = vt.T @ right if whole else Product(vt.T, right)
    if parameters["rank"] is not None:
        coefficients = _reduce_rank(coefficients, x, parameters["rank"])
    returns = tuple(parameters["returns"])
    instruments = observations.instrument.values.shape[1]
    return Ridge(
        returns,
        (*observations.market.names, *np.repeat(returns, instruments).tolist()),
        parameters["clip"],
        mean,
        scale,
        coefficients @ matrix,
        intercept @ matrix,
        penalty,
    )


def load(stored: bytes) -> Ridge:
    """Restore a model from its bytes."""
    arrays = unpack(stored)
    return Ridge(
        returns=tuple(arrays.pop("returns").tolist()),
        inputs=tuple(arrays.pop("inputs").tolist()),
        clip=float(arrays.pop("clip")),
        penalty=float(arrays.pop("penalty")),
        coefficients=cast(FloatArray | Product, find_matrix("coefficients", arrays)),
        **{name: arrays[name] for name in ("mean", "scale", "intercept")},
    )


def _join_inputs(observations: Observations, returns: tuple[str, ...]) -> FloatArray:
    """Join market features and the named returns of all instruments to (n, p) inputs."""
    moves = [observations.instrument.column(name) for name in returns]
    return np.concatenate([observations.market.values, *moves], axis=1).astype(np.float64)


def _compute_moments(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute each input's mean and standard deviation; 0 and 1 for an input never known."""
    known = np.maximum((~np.isnan(x)).sum(axis=0), 1)
    mean = np.nansum(x, axis=0) / known
    scale = np.sqrt(np.nansum((x - mean) ** 2, axis=0) / known)
    return mean, np.where(scale > 0, scale, 1.0)


def _standardise(x: FloatArray, mean: FloatArray, scale: FloatArray, clip: float) -> FloatArray:
    """Scale inputs to mean 0 and deviation 1 over the fitting days, and clip; 0 where unknown."""
    return np.nan_to_num(np.clip((x - mean) / scale, -clip, clip))


def _reduce_rank(
    coefficients: FloatArray | Product, x: FloatArray, rank: int
) -> FloatArray | Product:
    """Project coefficients so that fitted values have their leading ``rank`` directions only."""
    directions = np.linalg.svd(x @ coefficients, full_matrices=False)[2][:rank]
    return coefficients @ directions.T @ directions


def _press_error(
    y: FloatArray, u: FloatArray, s: FloatArray, projected: FloatArray, penalty: float
) -> float:
    """Compute the sum of squared leave-one-out errors over all targets."""
    shrink = s**2 / (s**2 + penalty)
    leverage = np.einsum("ij,j,ij->i", u, shrink, u)
    errors = (y - u @ (shrink[:, None] * projected)) / (1.0 - leverage)[:, None]
    return float(np.sum(errors**2))
