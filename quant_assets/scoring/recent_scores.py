"""How good forecasts were lately: the newest daily ICs known on a day, and the metric over them."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.lake.schemas.promotion_tables import SUBMITTED_NAME
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE
from quant_assets.lake.store.lake import Lake
from quant_assets.scoring.metric import score_of_ic

WINDOWS = (20, 60, 250)
"""Judged days that the metric is given over."""
_FIRST = (SUBMITTED_NAME, "ensemble")


def read_recent_ic(
    lake: Lake, families: Sequence[str], day: date, days: int = WINDOWS[-1]
) -> pd.DataFrame:
    """(n, families) daily ICs by the day they became known, of the newest ``days`` such days.

    What is submitted comes first, then those of the families that were judged, by name. Only what
    was released by ``day``; empty where nothing was judged by then.
    """
    if not lake.has(PERFORMANCE):
        return pd.DataFrame()
    rows = lake.query(
        f"SELECT released_on, family, ic FROM {PERFORMANCE.quoted}"
        " WHERE released_on <= ? AND list_contains(?, family)"
        " QUALIFY dense_rank() OVER (ORDER BY released_on DESC) <= ?",
        [day, [*_FIRST, *families], days],
    )
    wide = rows.pivot_table(index="released_on", columns="family", values="ic", aggfunc="mean")
    first = [name for name in _FIRST if name in wide]
    return wide[[*first, *(name for name in sorted(wide.columns) if name not in first)]]


def score_over(ic: pd.Series, window: int) -> float:
    """The metric over the last ``window`` daily ICs; NaN while there are fewer, or all are equal.

    Args:
        ic: daily ICs, ascending; days without one do not count.
        window: how many.
    """
    last = ic.dropna().iloc[-window:].to_numpy(np.float64)
    return score_of_ic(last) if len(last) == window and np.ptp(last) > 0 else float("nan")
