"""Compare two deliveries of the same cells: rows of ``monitoring.data_quality``.

The sources know which deliveries there are; the lake knows which one is used.
"""

import numpy as np
import pandas as pd

from quant_assets.core.typing import BoolArray
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY
from quant_assets.market.instruments import list_groups
from quant_assets.sources.deliveries import PriceTable

MEASURE = "disagreement"
"""Name of the measure in the column ``figure``."""
TOLERANCE = 1e-6
"""Relative difference up to which two numbers are equal: files round to about nine digits."""


def disagreement_rows(used: PriceTable, second: PriceTable | None) -> pd.DataFrame:
    """Make a row for each market and for each series that disagrees, on days that both have.

    A market's value is the share of disagreeing cells among the cells of which either delivery has
    a number. A market without such cells on a day has no row. The limit is 0.

    Args:
        used: prices as stored.
        second: another delivery of the same prices; None where there is only one.
    """
    names = [column.name for column in DATA_QUALITY.columns]
    if second is None:
        return pd.DataFrame({name: [] for name in names})
    days, used_rows, second_rows = np.intersect1d(used.days, second.days, return_indices=True)
    columns, used_columns, second_columns = np.intersect1d(
        used.columns, second.columns, return_indices=True
    )
    a = used.values[np.ix_(used_rows, used_columns)]
    b = second.values[np.ix_(second_rows, second_columns)]
    differs, has_number = find_differing_cells(a, b), np.isfinite(a) | np.isfinite(b)
    markets = np.array(used.series.groups, dtype=object)[used_columns]
    rows = []
    for market in list_groups(used.series.groups):
        of_market = markets == market
        count = has_number[:, of_market].sum(axis=1)
        for row in np.flatnonzero(count):
            bad = differs[row] & of_market
            values = [(None, bad.sum() / count[row]), *((name, 1.0) for name in columns[bad])]
            key = (days[row], used.date_ids[used_rows[row]], market)
            rows += [(*key, name, MEASURE, value, 0.0, value <= 0.0) for name, value in values]
    return pd.DataFrame(rows, columns=names)


def find_differing_cells(a: np.ndarray, b: np.ndarray) -> BoolArray:
    """Find the cells that differ by more than the tolerance, or have a number in only one array.

    Args:
        a: (n, c) values; NaN where there is none.
        b: (n, c) values; NaN where there is none.

    Returns:
        (n, c) whether the cells differ.
    """
    in_one_only = np.isfinite(a) != np.isfinite(b)
    scale = np.maximum(np.abs(a), np.abs(b))
    result: BoolArray = in_one_only | (np.abs(a - b) > TOLERANCE * scale)
    return result
