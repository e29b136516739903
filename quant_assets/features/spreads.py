"""Features of targets: differences and sums over the legs, the spread itself, known labels.

Features of one leg alone belong in ``features.instruments``. Row t is known at the close of day t:
a label enters on the day on which it becomes known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.features.catalogue import (
    BETA_WINDOW,
    DIFFERENCES,
    LABEL_WINDOWS,
    MOVE_WINDOWS,
    RANKED,
    SUMS,
    Z_WINDOWS,
    order_features,
)
from quant_assets.features.kernels import (
    positive_log,
    ratio,
    rolling_mean,
    rolling_mean_std,
    rolling_rms,
    rolling_sum,
    tail_rows,
)
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs


@dataclass(frozen=True)
class _Legs:
    """Where the legs of m targets are among the instruments.

    Attributes:
        first: (m,) positions of leg A.
        second: (m,) positions of leg B; -1 without one, which counts as an instrument of zeros.
    """

    first: IntArray
    second: IntArray

    def select(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Select the (n, m) values of leg A and of leg B from (n, k) values."""
        padded = np.concatenate([values, np.zeros((len(values), 1))], axis=1)
        return np.take(values, self.first, axis=1), np.take(padded, self.second, axis=1)

    def difference(self, values: FloatArray) -> FloatArray:
        first, second = self.select(values)
        return np.subtract(first, second, out=first)

    def sum(self, values: FloatArray) -> FloatArray:
        first, second = self.select(values)
        return np.add(first, second, out=first)


def target_features(
    panel: PricePanel,
    instruments: Mapping[str, FloatArray],
    market: Mapping[str, FloatArray],
    pairs: TargetPairs,
    labels: Mapping[str, FloatArray],
    *,
    last_rows: int | None = None,
) -> dict[str, FloatArray]:
    """Compute all features of the targets.

    Returns arrays of shape (n, m) by feature name, in the catalogue's order; NaN where a leg has no
    value. The missing second leg of a target with one leg counts as 0. Memory: about 60 arrays of
    n x m doubles at once: 0.5 MB for a day of 1,000 targets.

    Args:
        panel: (n, k) prices.
        instruments: (n, k) instrument features, as ``instrument_features(panel)`` returns them.
        market: (n,) market features, as ``market_features(instruments)`` returns them.
        pairs: m targets, whose legs are among the panel's instruments.
        labels: (r, m) features of labels of the r days that are returned, as
            :func:`label_features` returns them.
        last_rows: number of last rows to return; all rows by default. Their bits equal those of
            all rows if there are ``catalogue.SPREAD_LOOKBACK`` rows of prices and features before
            them, or all of the history.

    Raises:
        KeyError: a leg is not among the panel's instruments.
    """
    rows = len(panel.days) if last_rows is None else min(last_rows, len(panel.days))
    legs = _Legs(*pairs.legs(panel.instruments))
    features = {f"diff_{x}": legs.difference(tail_rows(instruments[x], rows)) for x in DIFFERENCES}
    features |= {f"sum_{x}": legs.sum(tail_rows(instruments[x], rows)) for x in SUMS}
    features |= _spread_features(panel, instruments["ret_1"], pairs.lags, legs, rows)
    moves = {w: legs.difference(tail_rows(instruments[f"ret_{w}"], rows)) for w in MOVE_WINDOWS}
    daily = features["spread_volatility"] / np.sqrt(pairs.lags)
    features |= {f"spread_move_{w}": ratio(moves[w], daily * np.sqrt(w)) for w in MOVE_WINDOWS}
    features |= _beta_features(instruments["ret_1"], market, legs, rows)
    features |= labels
    features |= {f"rank_{name}": _rank(features[name]) for name in RANKED}
    features["lag"] = np.tile(pairs.lags.astype(np.float64), (rows, 1))
    return order_features("target", features)


def label_features(known_labels: FloatArray, last_rows: int | None = None) -> dict[str, FloatArray]:
    """Compute the features of the labels that are known on each day.

    Returns arrays of shape (r, m) by feature name; NaN where less than half of a window is known.

    Args:
        known_labels: (n, m) labels by the day on which they become known.
        last_rows: number of last rows to return; all rows by default. Their bits equal those of all
            rows if there are ``catalogue.LABEL_LOOKBACK`` rows before them, or all of the history.
    """
    rows = len(known_labels) if last_rows is None else min(last_rows, len(known_labels))
    known = tail_rows(known_labels, rows + max(LABEL_WINDOWS) - 1)
    moments = rolling_mean_std(known, LABEL_WINDOWS, last_rows=rows)
    features = {f"label_mean_{w}": ratio(*moments[w]) for w in LABEL_WINDOWS}
    features["label_newest"] = ratio(tail_rows(known, rows), moments[250].std)
    ranks = _rank(tail_rows(known, rows + 250 - 1))
    features["label_rank_mean_250"] = rolling_mean(ranks, [250], last_rows=rows)[250]
    return features


def _spread_features(
    panel: PricePanel, returns: FloatArray, lags: IntArray, legs: _Legs, rows: int
) -> dict[str, FloatArray]:
    reach = rows + max(Z_WINDOWS) - 1
    level = legs.difference(positive_log(tail_rows(panel.close, reach)))
    moments = rolling_mean_std(level, Z_WINDOWS, last_rows=rows)
    moves = legs.difference(tail_rows(returns, reach))
    volatility = rolling_rms(moves, [20, 60, 250], last_rows=rows)
    newest = tail_rows(level, rows)
    features = {f"spread_z_{w}": ratio(newest - moments[w].mean, moments[w].std) for w in Z_WINDOWS}
    features["spread_volatility"] = volatility[60] * np.sqrt(lags)
    features["spread_volatility_ratio_20_250"] = ratio(volatility[20], volatility[250])
    return features


def _beta_features(
    returns: FloatArray, market: Mapping[str, FloatArray], legs: _Legs, rows: int
) -> dict[str, FloatArray]:
    """Compute the betas of legs to the factor of all instruments, by regression through 0.

    A day without a return or without a factor does not count.
    """
    reach = rows + BETA_WINDOW - 1
    factor = tail_rows(market["factor_all_1"], reach)[:, None]
    products = tail_rows(returns, reach) * factor
    squares = np.where(np.isnan(products), np.nan, factor * factor)
    sums = (rolling_sum(x, [BETA_WINDOW], rows)[BETA_WINDOW] for x in (products, squares))
    difference = legs.difference(ratio(*sums))
    move = difference * tail_rows(market["factor_all_5"], rows)[:, None]
    return {"beta_difference": difference, "beta_move_5": move}


def _rank(values: FloatArray) -> FloatArray:
    """Compute (n, m) ranks among each row's observed values, from -0.5 to 0.5 with mean zero."""
    return 0.5 * standardised_ranks(values)
