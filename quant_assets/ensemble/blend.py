"""Blending the families' forecasts of a day into one. Arrays only."""

from collections.abc import Sequence

import numpy as np

from quant_assets.ranks import standardised_ranks
from quant_assets.typing import FloatArray


def rank_average(forecasts: Sequence[FloatArray]) -> FloatArray:
    """(n, m) mean over families of each day's standardised ranks.

    Args:
        forecasts: one (n, m) array per family; a family without a forecast on a day is NaN there
            and does not count.

    NaN where no family has a forecast. A day depends on that day's forecasts only.
    """
    ranks = np.stack([standardised_ranks(forecast) for forecast in forecasts])
    known = ~np.isnan(ranks)
    count = known.sum(axis=0)
    total = np.where(known, ranks, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
