"""The only door to labels: what was known at the close of a day.

A label of day s and lag k is released on row s + k + 1. Everything returned here is indexed by the
day it became known and ends with the as-of day, so no caller can see further.
"""

from datetime import date

import numpy as np
import pyarrow.compute as pc

from quant_assets.core.errors import LakeError, NotEnoughHistoryError
from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.readers.arrays import day_positions, to_cube
from quant_assets.lake.readers.features import read_cube
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import (
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    TARGET_FEATURES,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import FeatureBlock, Observations

BEGINNING = date(1900, 1, 1)


def read_known_days(lake: Lake, as_of: date) -> DayArray:
    """(n,) days with features up to ``as_of``, ascending."""
    days, _ = _days_with_features(lake)
    return days[days <= np.datetime64(as_of)]


def read_date_ids(lake: Lake, days: DayArray) -> IntArray:
    """(n,) the source's number of each day with features.

    Raises:
        LakeError: a day has none.
    """
    stored, numbers = _days_with_features(lake)
    return numbers[day_positions(days, stored)]


def _days_with_features(lake: Lake) -> tuple[DayArray, IntArray]:
    """(n,) all days with features, ascending, and (n,) the source's number of each."""

    def read() -> tuple[DayArray, IntArray]:
        rows = lake.columns(
            f"SELECT trading_day, date_id FROM {MARKET_FEATURES.quoted} ORDER BY trading_day",
            needs=MARKET_FEATURES,
        )
        return rows["trading_day"].astype("datetime64[D]"), rows["date_id"]

    return lake.once_a_snapshot("days with features", read)


def read_known_labels(lake: Lake, days: DayArray, targets: tuple[str, ...]) -> FloatArray:
    """(n, m) labels by release day for the given days; NaN where empty.

    Raises:
        LakeError: a day from the third on has no labels stored, not even empty ones. On the first
            two days of a history none can be released.
    """
    rows = lake.arrow(
        f"SELECT released_on, target, value FROM {LABELS.quoted} WHERE released_on BETWEEN ? AND ?",
        _ends(days),
        needs=LABELS,
    )
    stored = pc.unique(rows["released_on"]).to_numpy(zero_copy_only=False)
    absent = np.setdiff1d(days[2:], stored.astype("datetime64[D]"))
    if len(absent):
        raise LakeError(
            "labels are missing",
            where=LABELS.name,
            expected=f"labels released on {absent[0]}",
            hint="materialise features/labels of this day first",
        )
    return to_cube(rows, days, "target", targets, ["value"], day_column="released_on")[:, :, 0]


def read_observations(
    lake: Lake, as_of: date, *, since: date = BEGINNING, features: bool = True
) -> Observations:
    """Features and released labels known as of a day.

    Args:
        lake: the lake.
        as_of: last day; nothing known later is read.
        since: first day wanted; all history by default.
        features: whether features are wanted; reading them is most of the time.

    Memory: about 4 bytes per day, target and feature (float32).

    Raises:
        NotEnoughHistoryError: no day in the range has features.
    """
    with lake.at_once():
        days = read_known_days(lake, as_of)
        days = days[days >= np.datetime64(since)]
        if not len(days):
            raise NotEnoughHistoryError(
                "no features are known",
                where="features.targets",
                expected=f"days from {since} to {as_of}",
                hint="materialise the features of these days first",
            )
        pairs = read_pairs(lake)
        instruments = tuple(
            lake.columns(
                f"SELECT DISTINCT instrument FROM {INSTRUMENT_FEATURES.quoted} ORDER BY 1",
                needs=INSTRUMENT_FEATURES,
            )["instrument"]
        )
        block = _block if features else _no_features
        market = block(lake, MARKET_FEATURES, days)
        return Observations(
            days=days,
            targets=pairs.targets,
            lags=pairs.lags,
            instruments=instruments,
            legs=np.stack(pairs.legs(instruments), axis=1),
            released=read_known_labels(lake, days, pairs.targets),
            target=block(lake, TARGET_FEATURES, days, "target", pairs.targets),
            instrument=block(lake, INSTRUMENT_FEATURES, days, "instrument", instruments),
            market=FeatureBlock(market.names, market.values[:, 0]),
        )


def _block(
    lake: Lake, table: Table, days: DayArray, unit_column: str = "", units: tuple[str, ...] = ()
) -> FeatureBlock:
    names, cube = read_cube(lake, table, days, unit_column, units, np.float32)
    return FeatureBlock(names, cube)


def _no_features(
    lake: Lake, table: Table, days: DayArray, unit_column: str = "", units: tuple[str, ...] = ()
) -> FeatureBlock:
    return FeatureBlock((), np.empty((len(days), len(units) or 1, 0), np.float32))


def _ends(days: DayArray) -> list[date]:
    return [days[0].item(), days[-1].item()]
