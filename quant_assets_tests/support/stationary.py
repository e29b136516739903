"""Daily ICs with a known true score: stationary, and autocorrelated as overlapping labels are."""

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.monitoring.skill.reference_window import DailyRecord

SCORE, SPREAD = 0.5, 0.08
"""Of a day's IC: what the simulated market's ensemble has."""
OVERLAP = np.array([1.0, 0.5, 0.2])
MARKETS = 4


def daily_ics(days: int, seed: int, score: float = SCORE) -> FloatArray:
    """Draw (days,) ICs with a mean over standard deviation; neighbours correlate at 0.47."""
    draw = np.random.default_rng(seed).normal(size=days + len(OVERLAP) - 1)
    moving = np.convolve(draw, OVERLAP, "valid") / np.linalg.norm(OVERLAP)
    result: FloatArray = SPREAD * (score + moving)
    return result


def by_market(days: int, seed: int, score: float = 0.6) -> FloatArray:
    """Draw (days, MARKETS) ICs whose mean, weighted by precision, has a known score.

    Markets share half of their noise, and each market has twice the spread of the market before it.
    """
    streams = [daily_ics(days, 100 * seed + i, 0.0) / SPREAD for i in range(MARKETS + 1)]
    noise = np.stack([(streams[0] + own) / np.sqrt(2.0) for own in streams[1:]], axis=1)
    spread = SPREAD * 2.0 ** np.arange(MARKETS)
    weights = 1.0 / spread**2
    unscaled = (noise * spread) @ weights / weights.sum()
    result: FloatArray = noise * spread + score * float(unscaled.std())
    return result


def record(values: FloatArray, first: int = 500) -> DailyRecord:
    """Figures known on consecutive days."""
    return DailyRecord(first + np.arange(len(values)), values)


def of_markets(values: FloatArray) -> DailyRecord:
    """Figures of markets beside their mean, which stands for the IC of all targets."""
    held = ~np.isnan(values)
    whole = np.where(held, values, 0.0).sum(axis=1) / np.maximum(held.sum(axis=1), 1)
    return record(np.column_stack([whole, values]))
