"""Reading the daily returns of all instruments and the group of each."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.readers.arrays import to_cube
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.readers.series import read_groups
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES
from quant_assets.lake.store.lake import Lake


@dataclass(frozen=True)
class DailyReturns:
    """The returns of k instruments on all n days with features up to a day.

    Attributes:
        days: (n,) trading days, ascending.
        date_ids: (n,) the source's numbers of the days.
        groups: group of each of the k instruments.
        values: (n, k) winsorised daily log returns; NaN where there is none.
    """

    days: DayArray
    date_ids: IntArray
    groups: tuple[str, ...]
    values: FloatArray

    def rows_since(self, start: date) -> IntArray:
        """Return the rows of the days from ``start`` on, ascending."""
        return np.flatnonzero(self.days >= np.datetime64(start)).astype(np.int64)


def read_daily_returns(lake: Lake, end: date) -> DailyReturns:
    """Read the returns of all days with features up to ``end``.

    Raises:
        LakeError: no features are stored.
    """
    days = read_known_days(lake, end)
    rows = lake.arrow(
        f"SELECT trading_day, instrument, ret_1 FROM {INSTRUMENT_FEATURES.quoted}"
        " WHERE trading_day <= ?",
        [days[-1].item() if len(days) else end],
        needs=INSTRUMENT_FEATURES,
    )
    instruments = tuple(sorted(rows["instrument"].unique().to_pylist()))
    values = to_cube(rows, days, "instrument", instruments, ["ret_1"])[..., 0]
    return DailyReturns(days, read_date_ids(lake, days), read_groups(lake, instruments), values)
