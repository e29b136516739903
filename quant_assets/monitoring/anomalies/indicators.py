"""Seven indicators of an unusual price or volume of an instrument, free of unit and scale.

They are computed from prices as the source gave them, before cleaning, so that they show as well
what cleaning accepts and what it rejects. Arrays only. A row depends on the ``LOOKBACK_DAYS`` rows
before it alone.
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

INDICATORS = ("return", "return_5", "volume", "range", "gap", "volatility", "still")
_MAX_DEVIATIONS, _MAX_LOG_RATIO = np.arcsinh(1000.0), np.arcsinh(5.0)
_MAX_LOG_DAYS = np.arcsinh(np.log1p(20.0))
_LARGEST = np.array(
    [
        *(_MAX_DEVIATIONS, _MAX_DEVIATIONS, _MAX_DEVIATIONS, _MAX_LOG_RATIO),
        *(_MAX_DEVIATIONS, _MAX_LOG_RATIO, _MAX_LOG_DAYS),
    ]
)
INDICATOR_BOUNDS = np.stack([np.append(-_LARGEST[:-1], 0.0), _LARGEST], axis=1)
"""(7, 2) least and largest value expected of each indicator, squeezed as they are: a thousand
deviations, a ratio of exp(5), a month of days without a move."""
CARRIED_DAYS = 5
"""Days for which a close is carried forward, as in cleaning: a holiday is no jump."""
LOOKBACK_DAYS = 2 * (WINSOR_WINDOW + CARRIED_DAYS) + 2
"""Days that an indicator looks back: a return is divided by the volatility of 60 clipped returns,
and each of these was clipped by the volatility of the 60 returns before it."""
_WEEK, _MONTH = 5, 20
_MIN_VOLUME_SPREAD = 0.1
"""Least standard deviation of log volumes: a volume that hardly ever changes would otherwise make
the smallest change look enormous."""


def price_indicators(panel: PricePanel) -> FloatArray:
    """Compute the indicators of each day and instrument.

    Returns and gaps are in trailing volatilities, volumes in trailing standard deviations of log
    volume. Range and volatility are log ratios to their trailing values. ``still`` is the logarithm
    of one more than the number of days on which the close has not changed in any digit. All are
    squeezed by asinh, so that a price that is ten times too large and one that is a thousand times
    too large are not far apart.

    Args:
        panel: n days of prices of k instruments as given; NaN where there is none.

    Returns:
        (n, k, 7) in the order of ``INDICATORS``; NaN where nothing was observed. All seven are NaN
        where the day or the ``CARRIED_DAYS`` days before it have no close.
    """
    close = positive_log(panel.close)
    carried = carry_forward(close)
    before = shift(carried, 1)
    returns = close - before
    clipped = rolling_rms(winsorised_returns(carried), [_WEEK, WINSOR_WINDOW])
    scale = shift(clipped[WINSOR_WINDOW], 1)
    opening, high, low = (positive_log(panel.field(name)) for name in ("open", "high", "low"))
    indicators = [
        ratio(returns, scale),
        ratio(close - shift(carried, _WEEK), np.sqrt(_WEEK) * scale),
        _volume_deviations(positive_log(panel.field("volume"))),
        _range_ratio(high - low),
        ratio(opening - before, scale),
        positive_log(ratio(clipped[_WEEK], scale)),
        np.log1p(_days_unchanged(returns)),
    ]
    result: FloatArray = np.arcsinh(np.stack(indicators, axis=-1))
    result[np.isnan(returns) | np.isnan(scale)] = np.nan
    return result


def carry_forward(values: FloatArray) -> FloatArray:
    """(n, k) newest value of the day and the ``CARRIED_DAYS`` days before it; NaN without one."""
    result = values.copy()
    for days in range(1, CARRIED_DAYS + 1):
        result = np.where(np.isnan(result), shift(values, days), result)
    return result


def _volume_deviations(volume: FloatArray) -> FloatArray:
    """(n, k) log volume less its mean of the month before, in standard deviations of that month."""
    mean, spread = rolling_mean_std(volume, [_MONTH])[_MONTH]
    return (volume - shift(mean, 1)) / np.maximum(shift(spread, 1), _MIN_VOLUME_SPREAD)


def _range_ratio(span: FloatArray) -> FloatArray:
    """(n, k) log ratio of a day's range to the mean range of the month before; NaN if zero."""
    return positive_log(ratio(span, shift(rolling_mean(span, [_MONTH])[_MONTH], 1)))


def _days_unchanged(returns: FloatArray) -> AnyArray:
    """(n, k) for how many days, ``_MONTH`` at most, every return was zero.

    Days without a return are not counted, and do not end the stretch.
    """
    moved = np.where(np.isnan(returns), 0.0, (returns != 0.0).astype(np.float64))
    unchanged = np.where(returns == 0.0, 1.0, 0.0)
    in_stretch = np.ones(returns.shape, dtype=np.bool_)
    count = np.zeros(returns.shape)
    for days in range(_MONTH):
        in_stretch &= _shift_zero_filled(moved, days) == 0.0
        count += in_stretch * _shift_zero_filled(unchanged, days)
    return count


def _shift_zero_filled(values: FloatArray, days: int) -> FloatArray:
    return np.nan_to_num(shift(values, days)) if days else values
