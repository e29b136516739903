"""Inputs of the neural families made comparable: standardised, clipped, nothing missing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray

_ROWS_AT_ONCE = 128
"""Double-precision intermediates of so many days stay small."""


@dataclass(frozen=True)
class Scaler:
    """Moments over the fitting days.

    Attributes:
        mean: (..., p) of each input; 0 for one that is never known.
        scale: likewise the standard deviation; 1 for one that does not vary.
        clip: standardised inputs are clipped to plus and minus this.
    """

    mean: FloatArray
    scale: FloatArray
    clip: float

    def apply(self, values: AnyArray) -> AnyArray:
        """(n, ..., p) float32 inputs; unknown is the mean, so 0."""
        out = np.empty(values.shape, dtype=np.float32)
        for start in range(0, len(values), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            z = (values[part].astype(np.float64) - self.mean) / self.scale
            out[part] = np.nan_to_num(np.clip(z, -self.clip, self.clip))
        return out

    def arrays(self, prefix: str) -> dict[str, AnyArray]:
        """What :func:`unpack_scaler` reads back."""
        return {f"{prefix}.{name}": np.asarray(value) for name, value in vars(self).items()}


def unpack_scaler(arrays: Mapping[str, AnyArray], prefix: str) -> Scaler:
    """The scaler stored under that prefix."""
    mean, scale, clip = (arrays[f"{prefix}.{name}"] for name in ("mean", "scale", "clip"))
    return Scaler(mean, scale, float(clip))


def fit_scaler(values: AnyArray, clip: float, *, pooled: bool = False) -> Scaler:
    """Moments over (n, ..., p) values.

    Args:
        values: inputs of the fitting days; NaN where undefined.
        clip: see :class:`Scaler`.
        pooled: one mean and scale per input over days and units, not one per unit and input.
    """
    axes = tuple(range(values.ndim - 1)) if pooled else (0,)
    known = np.maximum((~np.isnan(values)).sum(axis=axes), 1)
    mean = np.nansum(values, axis=axes, dtype=np.float64) / known
    # The mean of the squared distances, block by block: no second copy of all inputs.
    squares = np.zeros_like(mean)
    for start in range(0, len(values), _ROWS_AT_ONCE):
        distance = values[start : start + _ROWS_AT_ONCE] - mean
        squares += np.nansum(distance * distance, axis=axes)
    scale = np.sqrt(squares / known)
    return Scaler(mean, np.where(scale > 0, scale, 1.0), clip)
