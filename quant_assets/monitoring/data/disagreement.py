"""Whether two deliveries of the same cells say the same: rows of ``monitoring.data_quality``.

Which deliveries there are is known to the sources; which is used, to the lake.
"""

import numpy as np
import pandas as pd

from quant_assets.core.typing import BoolArray
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY
from quant_assets.market.instruments import MARKETS, market_of
from quant_assets.sources.protocol import PriceTable

FIGURE = "disagreement"
TOLERANCE = 1e-6
"""Relative difference up to which two numbers are the same: files round in the ninth digit."""


def disagreement_rows(used: PriceTable, second: PriceTable | None) -> pd.DataFrame:
    """Rows of each market and of each series that disagrees, on days that both have.

    Args:
        used: prices as stored.
        second: another delivery of them; None where there is only one.

    A market's value is the share of its cells that disagree, of those of which either delivery has
    a number; a market without such cells on a day has no row. None may disagree.
    """
    names = [column.name for column in DATA_QUALITY.columns]
    if second is None:
        return pd.DataFrame({name: [] for name in names})
    days, mine, theirs = np.intersect1d(used.days, second.days, return_indices=True)
    columns, left, right = np.intersect1d(used.columns, second.columns, return_indices=True)
    a, b = used.values[np.ix_(mine, left)], second.values[np.ix_(theirs, right)]
    apart, there = find_differing_cells(a, b), np.isfinite(a) | np.isfinite(b)
    markets = np.array([market_of(name) for name in columns])
    found = []
    for market in MARKETS:
        of_market = markets == market
        count = there[:, of_market].sum(axis=1)
        for row in np.flatnonzero(count):
            far = apart[row] & of_market
            values = [(None, far.sum() / count[row]), *((name, 1.0) for name in columns[far])]
            key = (days[row], used.date_ids[mine[row]], market)
            found += [(*key, name, FIGURE, value, 0.0, value <= 0.0) for name, value in values]
    return pd.DataFrame(found, columns=names)


def find_differing_cells(a: np.ndarray, b: np.ndarray) -> BoolArray:
    """Which cells differ by more than the tolerance, or have a number in one of the two only."""
    one_only = np.isfinite(a) != np.isfinite(b)
    scale = np.maximum(np.abs(a), np.abs(b))
    result: BoolArray = one_only | (np.abs(a - b) > TOLERANCE * scale)
    return result
