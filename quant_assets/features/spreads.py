"""Features of targets: differences and sums over the legs, the spread itself, released labels.

Features of one leg alone belong in ``instruments``; models get what is here, one row per day and
target. Row t is known at the close of day t: labels enter by the day they are released.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.features.catalogue import (
    BETA_WINDOW,
    DIFFERENCES,
    LABEL_WINDOWS,
    MOVE_WINDOWS,
    RANKED,
    SUMS,
    Z_WINDOWS,
    in_order,
)
from quant_assets.features.kernels import (
    positive_log,
    ratio,
    recent,
    rolling_mean,
    rolling_mean_std,
    rolling_rms,
    rolling_sum,
)
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs
from quant_assets.ranks import standardised_ranks
from quant_assets.typing import FloatArray, IntArray

# Temporaries of this many targets stay in the processor's cache.
_TARGETS_AT_ONCE = 424


@dataclass(frozen=True)
class _Legs:
    """(m,) columns of both legs; a second leg of -1 takes the zeros put after the last column."""

    first: IntArray
    second: IntArray

    def of(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, m) values of leg A and of leg B, from (n, k)."""
        padded = np.concatenate([values, np.zeros((len(values), 1))], axis=1)
        return np.take(values, self.first, axis=1), np.take(padded, self.second, axis=1)

    def difference(self, values: FloatArray) -> FloatArray:
        first, second = self.of(values)
        return np.subtract(first, second, out=first)

    def sum(self, values: FloatArray) -> FloatArray:
        first, second = self.of(values)
        return np.add(first, second, out=first)


@dataclass(frozen=True)
class _Given:
    """What all targets share.

    Attributes:
        rows: last rows wanted.
        log_close: (n, k) logs of closes.
        instruments: (n, k) arrays by name.
        factor_move: (n,) move of the factor of all instruments over five days.
    """

    rows: int
    log_close: FloatArray
    instruments: Mapping[str, FloatArray]
    factor_move: FloatArray


def target_features(
    panel: PricePanel,
    instruments: Mapping[str, FloatArray],
    market: Mapping[str, FloatArray],
    pairs: TargetPairs,
    released: FloatArray,
    *,
    last_rows: int | None = None,
) -> dict[str, FloatArray]:
    """Feature name to (n, m) array, in the catalogue's order.

    Args:
        panel: (n, k) prices.
        instruments: what ``instrument_features(panel)`` returned.
        market: what ``market_features(panel, instruments)`` returned.
        pairs: m targets, their legs among the panel's instruments.
        released: (n, m) labels indexed by the day they are released.
        last_rows: return only that many last rows; they are bit for bit those of the whole, if the
            panel holds ``catalogue.LOOKBACK`` rows before them or begins with the history.

    NaN as soon as a leg has no value; the missing second leg of a single-leg target counts as 0.
    About 45 arrays of n x m doubles live at once: 0.3 GB for 2,000 days of 424 targets.

    Raises:
        KeyError: a leg is not among the panel's instruments.
    """
    rows = len(panel.days) if last_rows is None else min(last_rows, len(panel.days))
    given = _Given(
        rows,
        positive_log(panel.close),
        {**instruments, "beta": _betas(instruments["ret_1"], market["factor_all_1"])},
        market["factor_all_5"],
    )
    released = recent(released, rows + max(LABEL_WINDOWS) - 1)
    ranks = _rank(recent(released, rows + 250 - 1))
    first, second = pairs.legs(panel.instruments)
    features: dict[str, FloatArray] = {}
    for start in range(0, len(pairs), _TARGETS_AT_ONCE):
        part = slice(start, start + _TARGETS_AT_ONCE)
        legs, lags = _Legs(first[part], second[part]), pairs.lags[part]
        of_part = _leg_features(given, legs) | _spread_features(given, legs, lags)
        of_part |= _label_features(released[:, part], ranks[:, part], rows)
        for name, values in of_part.items():
            features.setdefault(name, np.empty((rows, len(pairs))))[:, part] = values
    features |= {f"rank_{name}": _rank(features[name]) for name in RANKED}
    features["lag"] = np.tile(pairs.lags.astype(np.float64), (rows, 1))
    return in_order("target", features)


def _leg_features(given: _Given, legs: _Legs) -> dict[str, FloatArray]:
    own = {name: recent(values, given.rows) for name, values in given.instruments.items()}
    features = {f"diff_{name}": legs.difference(own[name]) for name in DIFFERENCES}
    features |= {f"sum_{name}": legs.sum(own[name]) for name in SUMS}
    beta = legs.difference(own["beta"])
    move = beta * recent(given.factor_move, given.rows)[:, None]
    return features | {"beta_difference": beta, "beta_move_5": move}


def _spread_features(given: _Given, legs: _Legs, lags: IntArray) -> dict[str, FloatArray]:
    rows, reach = given.rows, given.rows + max(Z_WINDOWS) - 1
    level = legs.difference(recent(given.log_close, reach))
    returns = legs.difference(recent(given.instruments["ret_1"], reach))
    volatility = {w: recent(x, rows) for w, x in rolling_rms(returns, [20, 60, 250]).items()}
    features = {
        f"spread_z_{w}": ratio(recent(level - mean, rows), recent(std, rows))
        for w, (mean, std) in rolling_mean_std(level, Z_WINDOWS).items()
    }
    features["spread_volatility"] = volatility[60] * np.sqrt(lags)
    features["spread_volatility_ratio_20_250"] = ratio(volatility[20], volatility[250])
    for w in MOVE_WINDOWS:
        move = legs.difference(recent(given.instruments[f"ret_{w}"], rows))
        features[f"spread_move_{w}"] = ratio(move, volatility[60] * np.sqrt(w))
    return features


def _label_features(released: FloatArray, ranks: FloatArray, rows: int) -> dict[str, FloatArray]:
    moments = {
        w: [recent(x, rows) for x in pair]
        for w, pair in rolling_mean_std(released, LABEL_WINDOWS).items()
    }
    features = {f"label_mean_{w}": ratio(*moments[w]) for w in LABEL_WINDOWS}
    features["label_newest"] = ratio(recent(released, rows), moments[250][1])
    features["label_rank_mean_250"] = recent(rolling_mean(ranks, [250])[250], rows)
    return features


def _betas(returns: FloatArray, factor: FloatArray) -> FloatArray:
    """(n, k) beta through the origin to the factor of all instruments, over days with both."""
    products = returns * factor[:, None]
    squares = np.where(np.isnan(products), np.nan, (factor * factor)[:, None])
    return ratio(*(rolling_sum(x, [BETA_WINDOW])[BETA_WINDOW] for x in (products, squares)))


def _rank(values: FloatArray) -> FloatArray:
    """(n, m) rank among the observed values of the row, from -0.5 to 0.5, mean zero."""
    return 0.5 * standardised_ranks(values)
