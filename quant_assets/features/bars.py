"""Daily features of instruments from the bars of their sessions.

Row t needs bars up to the close of day t only, and is known at that close. A day has a value if at
least half of the bars of the instrument's session are present; a feature with volumes needs them
on as many bars. Windows of 20 days need half of their days. Nothing is ever infinite.

Bars are taken as they come: returns overnight and over days are wrong on the day of a split unless
the bars are adjusted. Formulas, papers and units are in ``bar_catalogue``; sums over bars are in
``bar_arrays``.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.features.bar_arrays import (
    BarLogs,
    Bars,
    before_in_day,
    count_day,
    first_in_day,
    last_in_day,
    sum_day,
)
from quant_assets.features.bar_catalogue import BAR_CATALOGUE, BAR_WINDOW, MINIMUM_SHARE
from quant_assets.features.kernels import positive_log, rolling_sum
from quant_assets.market.targets import shift

_CELLS_AT_ONCE = 250_000
"""Cells of a field that are computed at once: their intermediate arrays fit into the cache."""
_PARTS = 8
_CONSTANT = 3.0 - 2.0 * np.sqrt(2.0)


def bar_features(bars: Bars) -> dict[str, FloatArray]:
    """Compute all daily features from bars.

    Returns arrays of shape (n, k) by feature name, in the catalogue's order; NaN where too few bars
    are present and where a scale is zero, as for a constant price.

    Args:
        bars: bars of n consecutive trading days. The first ``BAR_LOOKBACK`` rows lack history.
    """
    parts = list(_cut(bars))
    with np.errstate(over="ignore", invalid="ignore"):
        by_part = [_day_statistics(bars.rows(part)) for part in parts]
        daily = {name: np.concatenate([each[name] for each in by_part]) for name in by_part[0]}
        features = {**daily, **_window_features(daily)}
        scale = np.sqrt(_divide(*_over_window(daily["realised_variance"], daily["returns"])))
        flows = [_order_imbalance(bars.rows(part), scale[part]) for part in parts]
        features["order_imbalance"] = np.concatenate(flows)
    return {each.name: _keep_finite(features[each.name]) for each in BAR_CATALOGUE}


def _cut(bars: Bars) -> Iterator[slice]:
    days, width = len(bars.close), bars.close[:1].size
    step = max(1, _CELLS_AT_ONCE // max(width, 1))
    for start in range(0, max(days, 1), step):
        yield slice(start, start + step)


def _day_statistics(bars: Bars) -> dict[str, FloatArray]:
    """Compute what needs the bars of a single day, and the sums that windows add up."""
    logs = BarLogs(bars)
    enough = has_enough(logs.present, bars)
    statistics = {
        **_variances(logs),
        **_liquidity(logs),
        "first_open": first_in_day(logs.open),
        "last_close": last_in_day(logs.close),
    }
    statistics["intraday_return"] = statistics["last_close"] - statistics["first_open"]
    statistics = {name: np.where(enough, each, np.nan) for name, each in statistics.items()}
    traded = has_enough(~np.isnan(logs.volume), bars)
    volumes = {**_volume_shares(logs, bars), **_price_impact(logs)}
    statistics |= {name: np.where(traded, each, np.nan) for name, each in volumes.items()}
    statistics["close_to_vwap"] = statistics["last_close"] - statistics.pop("log_vwap")
    statistics["amihud"] = np.where(has_enough(logs.value > 0, bars), _amihud(logs), np.nan)
    statistics["bars_present"] = _divide(count_day(logs.present), bars.slots.astype(np.float64))
    return statistics


def has_enough(mask: BoolArray, bars: Bars) -> BoolArray:
    """Return (n, k) whether a mask holds for enough bars of each session, and for one at least.

    Args:
        mask: (n, s, k) whether a bar counts.
        bars: bars with the sessions.
    """
    count = count_day(mask)
    return (count >= 1) & (bars.slots > 0) & (count >= MINIMUM_SHARE * bars.slots)


def _variances(logs: BarLogs) -> dict[str, FloatArray]:
    """Compute realised variance, realised range, bipower variation and the share of jumps.

    Sources: Andersen, Bollerslev, Diebold and Labys (2003); Christensen and Podolskij (2007);
    Barndorff-Nielsen and Shephard (2004), with the factor m / (m - 1) for m returns; Huang and
    Tauchen (2005).
    """
    variance, count = sum_day(logs.returns * logs.returns), count_day(logs.present)
    span, size = logs.high - logs.low, np.abs(logs.returns)
    products = sum_day(size * before_in_day(size))
    bipower = 0.5 * np.pi * products * _divide(count, count - 1.0)
    return {
        "realised_variance": variance,
        "realised_range": sum_day(span * span) / (4.0 * np.log(2.0)),
        "bipower_variation": bipower,
        "jump_share": np.maximum(1.0 - _divide(bipower, variance), 0.0),
        "returns": count,
    }


def _liquidity(logs: BarLogs) -> dict[str, FloatArray]:
    """Compute the spread of Corwin and Schultz (2012), and the sums for that of Roll (1984)."""
    products = logs.returns * before_in_day(logs.returns)
    spreads = _neighbour_spreads(logs)
    return {
        "products": sum_day(products),
        "pairs": count_day(~np.isnan(products)),
        "corwin_schultz_spread": _divide(sum_day(spreads), count_day(~np.isnan(spreads))),
    }


def _neighbour_spreads(logs: BarLogs) -> FloatArray:
    """Estimate a spread from each bar and the bar before; (n, s, k), 0 where it is negative."""
    high, low, close = (before_in_day(each) for each in (logs.high, logs.low, logs.close))
    gap = np.maximum(logs.low - close, 0.0) - np.maximum(close - logs.high, 0.0)
    joint = np.maximum(high, logs.high - gap) - np.minimum(low, logs.low - gap)
    before, own = high - low, logs.high - logs.low
    squares = before * before + own * own
    alpha = (np.sqrt(2.0 * squares) - np.sqrt(squares)) / _CONSTANT - joint / np.sqrt(_CONSTANT)
    # 2 (e^a - 1) / (e^a + 1)
    return np.asarray(np.maximum(2.0 * np.tanh(0.5 * alpha), 0.0))


def _volume_shares(logs: BarLogs, bars: Bars) -> dict[str, FloatArray]:
    """Compute the log of the volume-weighted price, and the volume's shares at both ends."""
    total = sum_day(logs.volume)
    slot = np.arange(logs.volume.shape[1])[:, None]
    slots = bars.slots[:, None]
    part = (slots + _PARTS - 1) // _PARTS
    at_begin, at_end = slot < part, (slot >= slots - part) & (slot < slots)
    return {
        "log_vwap": positive_log(_divide(sum_day(logs.value) * 1e6, total)),
        "volume_share_first": _divide(sum_day(np.where(at_begin, logs.volume, 0.0)), total),
        "volume_share_last": _divide(sum_day(np.where(at_end, logs.volume, 0.0)), total),
    }


def _price_impact(logs: BarLogs) -> dict[str, FloatArray]:
    """Compute the sums for the slope of returns on signed value, as in Kyle (1985)."""
    signed = np.sign(logs.returns) * logs.value
    return {"impact": sum_day(logs.returns * signed), "flow": sum_day(signed * signed)}


def _amihud(logs: BarLogs) -> FloatArray:
    """Compute the mean of absolute returns for a million of currency, as in Amihud (2002)."""
    ratios = _divide(np.abs(logs.returns), logs.value)
    return _divide(sum_day(ratios), count_day(~np.isnan(ratios)))


def _window_features(daily: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Compute what needs earlier days, from (n, k) sums of each day."""
    covariance = _divide(*_over_window(daily["products"], daily["pairs"]))
    return {
        "overnight_return": daily["first_open"] - shift(daily["last_close"], 1),
        f"kyle_lambda_{BAR_WINDOW}": _divide(*_over_window(daily["impact"], daily["flow"])),
        f"roll_spread_{BAR_WINDOW}": 2.0 * np.sqrt(np.maximum(-covariance, 0.0)),
    }


def _order_imbalance(bars: Bars, scale: FloatArray) -> FloatArray:
    """Compute the share of bought less sold volume by bulk volume classification.

    Source: Easley, Lopez de Prado and O'Hara (2012, 2016), with the normal distribution.

    Args:
        bars: (n, s, k) bars.
        scale: (n, k) root mean square of returns over the window.
    """
    # Its import takes too long for loading the definitions.
    from scipy.special import ndtr

    logs = BarLogs(bars)
    moves = _divide(logs.returns, scale[:, None])
    weighed = np.where(np.isnan(moves), np.nan, logs.volume)
    net = sum_day(weighed * (2.0 * ndtr(moves) - 1.0))
    enough = has_enough(~np.isnan(weighed), bars)
    return np.where(enough, _divide(net, sum_day(weighed)), np.nan)


def _over_window(*values: FloatArray) -> tuple[FloatArray, ...]:
    return tuple(rolling_sum(each, [BAR_WINDOW])[BAR_WINDOW] for each in values)


def _divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; NaN where the denominator is missing, zero or negative."""
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def _keep_finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)
