"""Features of single instruments: returns, volatility, momentum, reversal, activity.

No feature here depends on other instruments or on targets. All features are functions of changes
in log prices, volumes and open interest, so units and scales do not matter. Row t is known at the
close of day t.
"""

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.features.catalogue import RETURN_WINDOWS, VOLATILITY_WINDOWS, order_features
from quant_assets.features.kernels import (
    exponential_mean,
    positive_log,
    ratio,
    rolling_max,
    rolling_mean,
    rolling_mean_std,
    rolling_rms,
    rolling_sum,
)
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import shift

WINSOR_LIMIT, WINSOR_WINDOW = 8.0, 60
_LN2 = float(np.log(2.0))


def instrument_features(panel: PricePanel) -> dict[str, FloatArray]:
    """Compute all features of the instruments.

    Returns arrays of shape (n, k) by feature name, in the catalogue's order; NaN where less than
    half of a window is observed and where a scale is zero, as for a constant price; never infinite.

    Args:
        panel: (n, k) prices after cleaning. A field that the panel lacks gives features that are
            all NaN (:func:`quant_assets.features.catalogue.find_left_out` lists them).
    """
    close = positive_log(panel.close)
    returns = winsorised_returns(close)
    sums = rolling_sum(returns, RETURN_WINDOWS)
    volatility = rolling_rms(returns, VOLATILITY_WINDOWS)
    features = {f"ret_{w}": sums[w] for w in RETURN_WINDOWS}
    features |= {f"vol_{w}": volatility[w] for w in VOLATILITY_WINDOWS}
    features |= _range_volatility(panel, close)
    features |= _oscillators(close, returns)
    features |= _activity(panel)
    features["momentum_250_20"] = sums[250] - sums[20]
    features["reversal_5"] = -ratio(sums[5], volatility[20] * np.sqrt(5.0))
    cubes = rolling_mean(returns * returns * returns, [60])[60]
    features["skew_60"] = ratio(ratio(ratio(cubes, volatility[60]), volatility[60]), volatility[60])
    return order_features("instrument", features)


def winsorised_returns(close: FloatArray) -> FloatArray:
    """Compute daily log returns, clipped at ``WINSOR_LIMIT`` times their trailing root mean square.

    Returns an array of shape (n, k); NaN where a close or the one before it is missing. The limit
    of day t is known on day t - 1. Returns without a limit, after a short or constant history, are
    not clipped.

    Args:
        close: (n, k) logs of closing prices.
    """
    returns = close - shift(close, 1)
    trailing = shift(rolling_rms(returns, [WINSOR_WINDOW])[WINSOR_WINDOW], 1)
    limit = np.where(trailing > 0, WINSOR_LIMIT * trailing, np.inf)
    return np.clip(returns, -limit, limit)


def _range_volatility(panel: PricePanel, close: FloatArray) -> dict[str, FloatArray]:
    """Compute volatilities from daily ranges, and the average true range of log prices.

    Sources: Parkinson (1980), Garman and Klass (1980), Yang and Zhang (2000), Wilder (1978).
    """
    opening, high, low = (positive_log(panel.field(name)) for name in ("open", "high", "low"))
    before = shift(close, 1)
    span, body = high - low, close - opening
    garman_klass = 0.5 * span * span - (2 * _LN2 - 1) * body * body
    within = (high - close) * (high - opening) + (low - close) * (low - opening)
    overnight, daytime = (
        rolling_mean_std(x, [20], ddof=1)[20].std for x in (opening - before, body)
    )
    weight = 0.34 / (1.34 + 21 / 19)
    yang_zhang = overnight * overnight + weight * daytime * daytime
    yang_zhang += (1 - weight) * rolling_mean(within, [20])[20]
    true_range = np.fmax(high, before) - np.fmin(low, before)
    true_range[np.isnan(span)] = np.nan
    return {
        "parkinson_20": rolling_rms(span, [20])[20] / np.sqrt(4 * _LN2),
        "garman_klass_20": _root(rolling_mean(garman_klass, [20])[20]),
        "yang_zhang_20": _root(yang_zhang),
        "atr_14": rolling_mean(true_range, [14])[14],
    }


def _oscillators(close: FloatArray, returns: FloatArray) -> dict[str, FloatArray]:
    """Compute where the price lies within its recent range.

    The RSI uses plain means (Cutler's variant), and the MACD exponential means of log prices over
    limited windows. Neither then depends on the first day of the history or on the price level.
    """
    gains = rolling_sum(np.maximum(returns, 0.0), [14])[14]
    macd = exponential_mean(close, 12, 128) - exponential_mean(close, 26, 128)
    return {
        "rsi_14": ratio(gains, rolling_sum(np.abs(returns), [14])[14]) - 0.5,
        "macd": macd,
        "macd_histogram": macd - exponential_mean(macd, 9, 64),
        "bollinger_20": _z_score(close, 20),
        "drawdown_250": close - rolling_max(close, 250),
    }


def _activity(panel: PricePanel) -> dict[str, FloatArray]:
    interest = positive_log(panel.field("open_interest"))
    return {
        "volume_z_20": _z_score(positive_log(panel.field("volume")), 20),
        "open_interest_change_5": interest - shift(interest, 5),
    }


def _z_score(values: FloatArray, window: int) -> FloatArray:
    mean, std = rolling_mean_std(values, [window])[window]
    return ratio(values - mean, std)


def _root(variance: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(variance, 0.0))
