"""Features of the market as a whole: factors, dispersion, volatility, moves between markets.

A feature has one value a day, the same for every target. Features that differ between targets
belong in ``features.spreads``. Row t is known at the close of day t.
"""

from collections.abc import Mapping

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.features.catalogue import CROSS_MARKETS, FACTOR_WINDOWS, order_features
from quant_assets.features.kernels import (
    ratio,
    rolling_mean,
    rolling_rms,
    rolling_sum,
    row_mean,
    row_std,
)
from quant_assets.market.instruments import MARKETS, market_of
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import shift


def market_features(
    panel: PricePanel, instruments: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Compute all features of the market from the features of its instruments.

    Returns are scaled by the volatility known the day before, so that a day's shock does not raise
    its own scale. Returns arrays of shape (n,) by feature name, in the catalogue's order; NaN where
    a market has no instrument and where less than half of a window is observed.

    Args:
        panel: the prices of the instruments; only the instruments' names are used.
        instruments: (n, k) instrument features by name, as
            :func:`quant_assets.features.instruments.instrument_features` returns them.
    """
    scaled = ratio(instruments["ret_1"], shift(instruments["vol_60"], 1))
    members = {
        market: [i for i, name in enumerate(panel.instruments) if market_of(name) == market]
        for market in MARKETS
    }
    members["all"] = list(range(len(panel.instruments)))
    daily = {name: row_mean(np.take(scaled, of, axis=1)) for name, of in members.items()}
    sums = {name: rolling_sum(factor, FACTOR_WINDOWS) for name, factor in daily.items()}
    features = {f"factor_{name}_{w}": sums[name][w] for name in daily for w in FACTOR_WINDOWS}
    for left, right, w in CROSS_MARKETS:
        features[f"{left}_minus_{right}_{w}"] = sums[left][w] - sums[right][w]
    volatility = rolling_rms(daily["all"], [20, 250])
    features["volatility_ratio_20_250"] = ratio(volatility[20], volatility[250])
    features["dispersion_1"] = row_std(scaled)
    features["dispersion_20"] = rolling_mean(features["dispersion_1"], [20])[20]
    return order_features("market", features)
