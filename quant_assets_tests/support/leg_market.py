"""Markets with known returns, for models of the legs."""

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import COMPETITION_GROUPS, closing_orders, market_of
from quant_assets.market.targets import TargetPairs, labels_by_known_day
from quant_assets.models.protocol import FeatureBlock, Observations

INSTRUMENTS = ("FX_EURUSD", "JPX_Gold_Standard_Futures", "LME_AH", "US_Stock_VT")


def observe(returns: FloatArray, horizons: tuple[int, ...] = (1, 2, 3, 4)) -> Observations:
    """Return observations of four instruments, each pair of neighbours, and the first leg alone.

    Args:
        returns: (n, 4) daily log returns; NaN where not observed.
        horizons: the horizons, each of which every pair has.
    """
    legs = [(0, 1), (1, 2), (2, 3), (3, 0), (0, -1)]
    pairs = TargetPairs(
        tuple(f"target_{i}" for i in range(len(horizons) * len(legs))),
        np.repeat(horizons, len(legs)),
        tuple(INSTRUMENTS[a] for a, _ in legs) * len(horizons),
        tuple(None if b < 0 else INSTRUMENTS[b] for _, b in legs) * len(horizons),
    )
    days = np.datetime64("2015-01-05") + np.arange(len(returns))
    close = np.where(np.isnan(returns), np.nan, np.exp(np.nancumsum(returns, axis=0)))
    groups = tuple(map(market_of, INSTRUMENTS))
    return Observations(
        days,
        pairs.targets,
        pairs.lags,
        INSTRUMENTS,
        groups,
        closing_orders(groups, COMPETITION_GROUPS),
        np.stack(pairs.legs(INSTRUMENTS), axis=1),
        labels_by_known_day(close, pairs, INSTRUMENTS),
        FeatureBlock((), np.zeros((len(days), len(pairs), 0), dtype=np.float32)),
        FeatureBlock(("ret_1",), returns[..., None].astype(np.float32)),
        FeatureBlock((), np.zeros((len(days), 0), dtype=np.float32)),
    )


def vector_autoregression(coefficients: FloatArray, days: int, seed: int) -> FloatArray:
    """Draw (days, k) returns of about one per cent that follow a VAR(1); row i moves variable i."""
    random = np.random.default_rng(seed)
    returns = 0.01 * random.normal(size=(days, len(coefficients)))
    for row in range(1, days):
        returns[row] += coefficients @ returns[row - 1]
    return returns
