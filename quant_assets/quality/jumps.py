"""Jumps: returns of a day that are far larger than the returns of the days before.

Which cells are rejected or carried forward is in ``quality.cleaning``.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.market.targets import shift

# Standard deviation over median absolute deviation of normal returns (1 / 0.6745).
_MAD_TO_DEVIATION = 1.4826
_BLOCK = 20_000


def compute_returns(value: FloatArray, filled: FloatArray) -> FloatArray:
    """Return the (n, k) log return of each price against the last price, carried forward.

    Args:
        value: (n, k) prices; NaN where there is none.
        filled: (n, k) prices, carried forward over short gaps.
    """
    returns: FloatArray = np.log(value) - np.log(shift(filled, 1))
    return returns


def find_jumps(returns: FloatArray, window: int, z: float, floor: float) -> BoolArray:
    """Return (n, k) whether a log return is a jump against earlier returns.

    The robust z-score is |r - median| / (1.4826 MAD) over the ``window`` returns before the day,
    after Iglewicz and Hoaglin (1993), *How to Detect and Handle Outliers*. If MAD is zero, every
    return above the floor is a jump.

    Args:
        returns: (n, k) log returns; NaN where there is none.
        window: number of rows before the day, of which at least half must have a return.
        z: robust z-score beyond which a return is a jump.
        floor: absolute return up to which nothing is a jump.
    """
    jumps = np.zeros(returns.shape, dtype=np.bool_)
    past = view_past(returns, window)
    candidates = np.argwhere(np.abs(returns) > floor)
    for start in range(0, len(candidates), _BLOCK):
        at = tuple(candidates[start : start + _BLOCK].T)
        middle, deviation, count = measure_past(past[at])
        jumps[at] = (2 * count >= window) & (np.abs(returns[at] - middle) > z * deviation)
    return jumps


def view_past(returns: FloatArray, window: int) -> FloatArray:
    """Return a view (n, k, window) of the returns in the rows before each cell; NaN before any."""
    unknown = np.full((window, returns.shape[1]), np.nan)
    padded = np.vstack([unknown, returns[:-1]])
    view: FloatArray = sliding_window_view(padded, window, axis=0)
    return view


def measure_past(past: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Measure the returns in the rows before b cells.

    Returns three arrays (b,): the median of the returns before the cell, their robust standard
    deviation, which is 1.4826 MAD, and their number. NaN without returns.

    Args:
        past: (b, window) returns before each cell; NaN where there is none.
    """
    middle = _median(past)
    deviation = _MAD_TO_DEVIATION * _median(np.abs(past - middle[:, None]))
    return middle, deviation, np.isfinite(past).sum(axis=1)


def _median(values: FloatArray) -> FloatArray:
    """Return the (b,) median of each row without its NaNs; NaN for a row of NaNs."""
    ordered = np.sort(values, axis=1)
    count = np.isfinite(values).sum(axis=1)[:, None]
    lower = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=1)
    upper = np.take_along_axis(ordered, count // 2, axis=1)
    median: FloatArray = ((lower + upper) / 2)[:, 0]
    return median
