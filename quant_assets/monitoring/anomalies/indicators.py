"""What may be conspicuous about an instrument on a day: seven figures free of unit and scale.

From prices as the source gave them, before cleaning, so that what cleaning lets through or takes
out is seen all the same. Arrays only. A row depends on the ``LOOKBACK`` rows before it alone.
"""

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray
from quant_assets.features.instruments import WINSOR_WINDOW, winsorised_returns
from quant_assets.features.kernels import (
    positive_log,
    ratio,
    rolling_mean,
    rolling_mean_std,
    rolling_rms,
)
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import shift

NAMES = ("return", "return_5", "volume", "range", "gap", "volatility", "still")
_WIDE, _TIMES, _LONGEST = np.arcsinh(1000.0), np.arcsinh(5.0), np.arcsinh(np.log1p(20.0))
_FARTHEST = np.array([_WIDE, _WIDE, _WIDE, _TIMES, _WIDE, _TIMES, _LONGEST])
REACH = np.stack([np.append(-_FARTHEST[:-1], 0.0), _FARTHEST], axis=1)
"""(7, 2) how far each figure may go: a thousand deviations, a ratio of exp(5), a month."""
CARRIED = 5
"""Days a close is carried over, as cleaning does: a holiday is no jump."""
LOOKBACK = 2 * (WINSOR_WINDOW + CARRIED) + 2
"""Returns are clipped by what 60 days before them were, and measured by 60 that were clipped."""
_WEEK, _MONTH = 5, 20
_LEAST_SPREAD = 0.1
"""Of log volumes: a volume that hardly ever changes is no reason to measure in millionths."""


def price_indicators(panel: PricePanel) -> FloatArray:
    """(n, k, 7) figures of each day and instrument, in the order of ``NAMES``.

    Args:
        panel: prices as given; NaN where there are none.

    Returns and gaps are in trailing volatilities, volumes in trailing standard deviations of log
    volume, range and volatility are log ratios to what they were, ``still`` is the logarithm of
    one more than the days that the close has been the same to the last digit. All are squeezed by
    asinh, so ten times too much and a thousand times too much are not worlds apart. NaN where
    nothing was observed: all seven where the day or the ``CARRIED`` days before have no close.
    """
    close = positive_log(panel.close)
    known = carry_forward(close)
    before = shift(known, 1)
    returns = close - before
    clipped = rolling_rms(winsorised_returns(known), [_WEEK, WINSOR_WINDOW])
    scale = shift(clipped[WINSOR_WINDOW], 1)
    opening, high, low = (positive_log(panel.field(name)) for name in ("open", "high", "low"))
    figures = [
        ratio(returns, scale),
        ratio(close - shift(known, _WEEK), np.sqrt(_WEEK) * scale),
        _volume(positive_log(panel.field("volume"))),
        _times(high - low),
        ratio(opening - before, scale),
        positive_log(ratio(clipped[_WEEK], scale)),
        np.log1p(_still(returns)),
    ]
    found: FloatArray = np.arcsinh(np.stack(figures, axis=-1))
    found[np.isnan(returns) | np.isnan(scale)] = np.nan
    return found


def carry_forward(values: FloatArray) -> FloatArray:
    """(n, k) the newest value of the day and the ``CARRIED`` days before it."""
    result = values.copy()
    for days in range(1, CARRIED + 1):
        result = np.where(np.isnan(result), shift(values, days), result)
    return result


def _volume(volume: FloatArray) -> FloatArray:
    mean, spread = rolling_mean_std(volume, [_MONTH])[_MONTH]
    return (volume - shift(mean, 1)) / np.maximum(shift(spread, 1), _LEAST_SPREAD)


def _times(span: FloatArray) -> FloatArray:
    """Log ratio of a day's range to the mean one of the month before; a zero range is a NaN."""
    return positive_log(ratio(span, shift(rolling_mean(span, [_MONTH])[_MONTH], 1)))


def _still(returns: FloatArray) -> AnyArray:
    """(n, k) for how many days, ``_MONTH`` at most, every return was zero.

    Days without a return are passed over.
    """
    moved = np.where(np.isnan(returns), 0.0, (returns != 0.0).astype(np.float64))
    stood = np.where(returns == 0.0, 1.0, 0.0)
    going = np.ones(returns.shape, dtype=np.bool_)
    count = np.zeros(returns.shape)
    for days in range(_MONTH):
        going &= _earlier(moved, days) == 0.0
        count += going * _earlier(stood, days)
    return count


def _earlier(values: FloatArray, days: int) -> FloatArray:
    return np.nan_to_num(shift(values, days)) if days else values
