"""The newest daily ICs that are known on a day, and the score over them."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.lake.schemas.promotion_tables import SUBMITTED_NAME
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE
from quant_assets.lake.store.lake import Lake
from quant_assets.scoring.metric import score_of_ic

WINDOWS = (20, 60, 250)
"""Numbers of scored days over which the score is reported."""
_FIRST = (SUBMITTED_NAME, "ensemble")


def read_recent_ic(
    lake: Lake, families: Sequence[str], day: date, days: int = WINDOWS[-1]
) -> pd.DataFrame:
    """Read the newest daily ICs that are known on ``day``.

    Returns a frame with one row per day on which ICs became known, ascending, and one column per
    family: the submitted forecast, the ensemble, then the others by name. It is empty if no IC is
    known on ``day``.

    Args:
        lake: the lake.
        families: families to read besides the submitted forecast and the ensemble.
        day: no IC that became known later is read.
        days: number of rows at most.
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
    """Compute the score over the last ``window`` daily ICs; NaN if fewer or if all are equal.

    Args:
        ic: daily ICs by day, ascending; NaN on a day without an IC, which does not count.
        window: number of ICs.
    """
    last = ic.dropna().iloc[-window:].to_numpy(np.float64)
    return score_of_ic(last) if len(last) == window and np.ptp(last) > 0 else float("nan")
