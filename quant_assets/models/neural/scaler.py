"""Scaling of the neural families' inputs: standardised, clipped, unknown values set to 0."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray

_ROWS_AT_ONCE = 128
"""Number of days per block, which limits the memory of double-precision intermediates."""


@dataclass(frozen=True)
class Scaler:
    """Means and standard deviations of inputs over the fitting days.

    Attributes:
        mean: (..., p) mean of each input; 0 for an input that is never known.
        scale: (..., p) standard deviation of each input; 1 for an input that does not vary.
        clip: standardised inputs are clipped to plus and minus this.
    """

    mean: FloatArray
    scale: FloatArray
    clip: float

    def apply(self, values: AnyArray) -> AnyArray:
        """Standardise inputs.

        Returns an array of shape (n, ..., p), float32; 0, which is the mean, where unknown.

        Args:
            values: (n, ..., p) inputs; NaN where unknown.
        """
        out = np.empty(values.shape, dtype=np.float32)
        for start in range(0, len(values), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            z = (values[part].astype(np.float64) - self.mean) / self.scale
            out[part] = np.nan_to_num(np.clip(z, -self.clip, self.clip))
        return out

    def arrays(self, prefix: str) -> dict[str, AnyArray]:
        """Return the fields as arrays named ``<prefix>.<field>``, for :func:`unpack_scaler`."""
        return {f"{prefix}.{name}": np.asarray(value) for name, value in vars(self).items()}


def unpack_scaler(arrays: Mapping[str, AnyArray], prefix: str) -> Scaler:
    """Restore the scaler from arrays named ``<prefix>.<field>``."""
    mean, scale, clip = (arrays[f"{prefix}.{name}"] for name in ("mean", "scale", "clip"))
    return Scaler(mean, scale, float(clip))


def fit_scaler(values: AnyArray, clip: float, *, pooled: bool = False) -> Scaler:
    """Compute the means and standard deviations of inputs.

    Args:
        values: (n, ..., p) inputs of the fitting days; NaN where undefined.
        clip: standardised inputs are clipped to plus and minus this.
        pooled: whether each input has one mean and scale over all units, not one per unit.
    """
    axes = tuple(range(values.ndim - 1)) if pooled else (0,)
    known = np.maximum((~np.isnan(values)).sum(axis=axes), 1)
    mean = np.nansum(values, axis=axes, dtype=np.float64) / known
    # Squares are summed block by block, because a second copy of all inputs takes much memory.
    squares = np.zeros_like(mean)
    for start in range(0, len(values), _ROWS_AT_ONCE):
        distance = values[start : start + _ROWS_AT_ONCE] - mean
        squares += np.nansum(distance * distance, axis=axes)
    scale = np.sqrt(squares / known)
    return Scaler(mean, np.where(scale > 0, scale, 1.0), clip)
