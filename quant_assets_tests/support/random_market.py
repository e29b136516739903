"""A small random market with gaps, and the features computed from it."""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.features.cross_market import group_features, market_features
from quant_assets.features.instruments import instrument_features
from quant_assets.features.spreads import label_features, target_features
from quant_assets.market.instruments import COMPETITION_GROUPS, market_of
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, labels_by_known_day

INSTRUMENTS = ("LME_AH", "LME_CA", "JPX_Gold", "JPX_Rubber", "US_A", "US_B", "US_C", "FX_X", "FX_Y")

PAIRS = TargetPairs(
    targets=tuple(f"target_{i}" for i in range(7)),
    lags=np.array([1, 2, 3, 4, 1, 4, 2]),
    leg_a=("LME_AH", "JPX_Gold", "US_A", "US_B", "FX_X", "US_C", "US_A"),
    leg_b=("US_A", "FX_X", "US_B", None, "FX_Y", "JPX_Rubber", "JPX_Gold"),
)

Features = dict[str, dict[str, FloatArray]]


@dataclass(frozen=True)
class Market:
    """A panel, its targets and their labels by the day from which they are known."""

    panel: PricePanel
    pairs: TargetPairs
    known_labels: FloatArray

    def rows(self, start: int, stop: int) -> "Market":
        return Market(self.panel.rows(start, stop), self.pairs, self.known_labels[start:stop])

    def features(self, last_rows: int | None = None) -> Features:
        """Compute the features of all levels; those of targets for the last rows only, if set."""
        instruments = instrument_features(self.panel)
        groups = group_features(self.panel, instruments)
        market = market_features(instruments)
        labels = label_features(self.known_labels, last_rows)
        targets = target_features(
            self.panel, instruments, market, self.pairs, labels, last_rows=last_rows
        )
        return {"instrument": instruments, "group": groups, "market": market, "target": targets}


def random_market(days: int, seed: int = 0) -> Market:
    """Draw random walks with gaps, closed markets, jumps, a late listing and a delisting."""
    rng = np.random.default_rng(seed)
    shape = (days, len(INSTRUMENTS))
    moves = rng.normal(scale=0.01, size=shape) + rng.standard_t(2, size=shape) * 0.003
    close = 100 * np.exp(moves.cumsum(axis=0))
    opening = close * np.exp(rng.normal(scale=0.004, size=shape))
    high = np.maximum(opening, close) * np.exp(np.abs(rng.normal(scale=0.003, size=shape)))
    low = np.minimum(opening, close) * np.exp(-np.abs(rng.normal(scale=0.003, size=shape)))
    fields = {"open": opening, "high": high, "low": low, "close": close}
    fields["volume"] = np.exp(rng.normal(10, 0.5, size=shape))
    fields["open_interest"] = np.exp(rng.normal(12, 0.1, size=shape))
    closed = rng.random((days, 4)) < 0.04
    markets = [("LME", "JPX", "US", "FX").index(name.split("_")[0]) for name in INSTRUMENTS]
    gaps = closed[:, markets] | (rng.random(shape) < 0.01)
    gaps[: days // 5, 6] = True
    gaps[-days // 5 :, 1] = True
    for values in fields.values():
        values[gaps] = np.nan
    for name in ("open", "high", "low", "volume"):
        fields[name][:, [0, 1, 7, 8]] = np.nan
    fields["open_interest"][:, [0, 1, 4, 5, 6, 7, 8]] = np.nan
    day_numbers = np.datetime64("2020-01-01") + np.arange(days)
    groups = tuple(map(market_of, INSTRUMENTS))
    panel = PricePanel(
        day_numbers, np.arange(days), INSTRUMENTS, groups, COMPETITION_GROUPS, fields
    )
    return Market(panel, PAIRS, labels_by_known_day(close, PAIRS, INSTRUMENTS))
