"""Every feature computed again: slow, obvious, window by window, and without the package.

Prices and names come in; nothing of ``quant_assets.features`` is imported.
"""

from collections.abc import Callable
from math import log, sqrt
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.typing import FloatArray
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs

Arrays = dict[str, FloatArray]
Statistic = Callable[[FloatArray], float | np.floating[Any]]


def rolling(values: FloatArray, window: int, statistic: Statistic) -> FloatArray:
    """Return the statistic of each window's observed values; NaN if fewer than half exist."""
    columns = values.reshape(len(values), -1)
    result = np.full(columns.shape, np.nan)
    for t in range(len(columns)):
        for j in range(columns.shape[1]):
            part = columns[max(t - window + 1, 0) : t + 1, j]
            observed = part[~np.isnan(part)]
            if len(observed) >= window / 2:
                result[t, j] = statistic(observed)
    return result.reshape(values.shape)


def rms(observed: FloatArray) -> float:
    return float(np.sqrt(np.mean(observed**2)))


def z(values: FloatArray, window: int) -> FloatArray:
    deviation = rolling(values, window, np.std)
    return (values - rolling(values, window, np.mean)) / _positive(deviation)


def weighted_mean(values: FloatArray, span: int, window: int) -> FloatArray:
    weights = (1 - 2 / (span + 1)) ** np.arange(window)
    result = np.full(values.shape, np.nan)
    for t in range(len(values)):
        part = values[max(t - window + 1, 0) : t + 1][::-1]
        for j in range(values.shape[1]):
            observed = ~np.isnan(part[:, j])
            used = weights[: len(part)][observed]
            if used.sum() >= weights.sum() / 2:
                result[t, j] = np.dot(used, part[observed, j]) / used.sum()
    return result


def later(values: FloatArray, rows: int) -> FloatArray:
    result = np.full(values.shape, np.nan)
    result[rows:] = values[: len(values) - rows]
    return result


def ranks(values: FloatArray) -> FloatArray:
    frame = pd.DataFrame(values)
    count = frame.notna().sum(axis=1)
    return ((frame.rank(axis=1) - 0.5).div(count, axis=0) - 0.5).to_numpy()


def instruments(panel: PricePanel) -> Arrays:
    close, opening, high, low = (np.log(panel.field(x)) for x in ("close", "open", "high", "low"))
    raw = close - later(close, 1)
    limit = 8 * later(rolling(raw, 60, rms), 1)
    r = np.where(np.abs(raw) > limit, np.sign(raw) * limit, raw)
    out = {f"ret_{w}": rolling(r, w, np.sum) for w in (1, 2, 3, 5, 10, 20, 60, 120, 250)}
    out |= {f"vol_{w}": rolling(r, w, rms) for w in (5, 20, 60, 250)}
    before = later(close, 1)
    out["parkinson_20"] = np.sqrt(rolling((high - low) ** 2, 20, np.mean) / (4 * log(2)))
    body = close - opening
    garman_klass = (high - low) ** 2 / 2 - (2 * log(2) - 1) * body**2
    out["garman_klass_20"] = np.sqrt(np.clip(rolling(garman_klass, 20, np.mean), 0, None))
    k = 0.34 / (1.34 + 21 / 19)
    variances = [rolling(x, 20, lambda v: np.var(v, ddof=1)) for x in (opening - before, body)]
    within = (high - close) * (high - opening) + (low - close) * (low - opening)
    total = variances[0] + k * variances[1] + (1 - k) * rolling(within, 20, np.mean)
    out["yang_zhang_20"] = np.sqrt(np.clip(total, 0, None))
    out["momentum_250_20"] = out["ret_250"] - out["ret_20"]
    out["reversal_5"] = -out["ret_5"] / _positive(out["vol_20"] * sqrt(5))
    out["rsi_14"] = rolling(r, 14, _rsi)
    out["macd"] = weighted_mean(close, 12, 128) - weighted_mean(close, 26, 128)
    out["macd_histogram"] = out["macd"] - weighted_mean(out["macd"], 9, 64)
    out["bollinger_20"] = z(close, 20)
    previous_or_own_high = np.where(np.isnan(before), high, np.maximum(high, before))
    previous_or_own_low = np.where(np.isnan(before), low, np.minimum(low, before))
    out["atr_14"] = rolling(previous_or_own_high - previous_or_own_low, 14, np.mean)
    out["volume_z_20"] = z(np.log(panel.field("volume")), 20)
    interest = np.log(panel.field("open_interest"))
    out["open_interest_change_5"] = interest - later(interest, 5)
    out["skew_60"] = rolling(r, 60, lambda v: np.mean(v**3)) / _positive(out["vol_60"] ** 3)
    out["drawdown_250"] = close - rolling(close, 250, np.max)
    return out


def groups(panel: PricePanel, own: Arrays) -> Arrays:
    scaled = own["ret_1"] / _positive(later(own["vol_60"], 1))
    names = ("LME", "JPX", "US", "FX")
    daily = {}
    for name in names:
        chosen = [i for i, x in enumerate(panel.instruments) if x.startswith(name)]
        daily[name] = _across(scaled[:, chosen], 1, np.mean)
    out = {
        f"factor_{w}": np.column_stack([rolling(daily[name], w, np.sum) for name in names])
        for w in (1, 5, 20)
    }
    for w in (1, 5):
        out[f"lead_{w}"] = np.full_like(out["factor_1"], np.nan)
        for follower in (0, 1):
            factor = out[f"factor_{w}"]
            out[f"lead_{w}"][:, follower] = factor[:, 2] - factor[:, follower]
    return out


def market(own: Arrays) -> Arrays:
    scaled = own["ret_1"] / _positive(later(own["vol_60"], 1))
    daily = {"all": _across(scaled, 1, np.mean)}
    out = {f"factor_all_{w}": rolling(daily["all"], w, np.sum) for w in (1, 5, 20)}
    out["dispersion_1"] = _across(scaled, 2, np.std)
    out["dispersion_20"] = rolling(out["dispersion_1"], 20, np.mean)
    volatility = {w: rolling(daily["all"], w, rms) for w in (20, 250)}
    out["volatility_ratio_20_250"] = volatility[20] / _positive(volatility[250])
    return out


def targets(
    panel: PricePanel, own: Arrays, shared: Arrays, pairs: TargetPairs, known_labels: FloatArray
) -> Arrays:

    def legs(values: FloatArray, sign: float) -> FloatArray:
        columns = []
        for first, second in zip(pairs.leg_a, pairs.leg_b, strict=True):
            column = values[:, panel.instruments.index(first)].copy()
            if second is not None:
                column += sign * values[:, panel.instruments.index(second)]
            columns.append(column)
        return np.column_stack(columns)

    out = {f"diff_{name}": legs(values, -1) for name, values in own.items()}
    out |= {f"sum_{name}": legs(values, +1) for name, values in own.items()}
    level, move = legs(np.log(panel.close), -1), legs(own["ret_1"], -1)
    out |= {f"spread_z_{w}": z(level, w) for w in (20, 60, 250)}
    volatility = {w: rolling(move, w, rms) for w in (20, 60, 250)}
    out["spread_volatility"] = volatility[60] * np.sqrt(pairs.lags)
    out["spread_volatility_ratio_20_250"] = volatility[20] / _positive(volatility[250])
    for w in (5, 20, 60, 250):
        out[f"spread_move_{w}"] = out[f"diff_ret_{w}"] / _positive(volatility[60] * sqrt(w))
    factor = shared["factor_all_1"][:, None] + 0 * own["ret_1"]
    products = rolling(own["ret_1"] * factor, 250, np.sum)
    beta = products / _positive(rolling(factor**2 + 0 * own["ret_1"], 250, np.sum))
    out["beta_difference"] = legs(beta, -1)
    out["beta_move_5"] = out["beta_difference"] * shared["factor_all_5"][:, None]
    deviation = {w: _positive(rolling(known_labels, w, np.std)) for w in (20, 60, 250, 500)}
    for w, std in deviation.items():
        out[f"label_mean_{w}"] = rolling(known_labels, w, np.mean) / std
    out["label_newest"] = known_labels / deviation[250]
    out["label_rank_mean_250"] = rolling(ranks(known_labels), 250, np.mean)
    ranked = [x for x in out if x.startswith(("label", "spread"))]
    out |= {f"rank_{name}": ranks(out[name]) for name in ranked}
    out["lag"] = np.array([[float(lag) for lag in pairs.lags]] * len(known_labels))
    return out


def _positive(scale: FloatArray) -> FloatArray:
    return np.where(scale > 1e-12, scale, np.nan)


def _rsi(observed: FloatArray) -> float:
    moved = np.abs(observed).sum()
    return float(observed[observed > 0].sum() / moved) - 0.5 if moved > 0 else np.nan


def _across(values: FloatArray, least: int, statistic: Statistic) -> FloatArray:
    rows = [row[~np.isnan(row)] for row in values]
    return np.array([statistic(row) if len(row) >= least else np.nan for row in rows])
