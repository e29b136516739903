"""Point-in-time reads of features and labels. Only this module reads labels.

A label of forecast day s and lag k is known on row s + k + 1. All arrays returned here are indexed
by the day on which a value became known and end with the as-of day, so no caller gets later values.
"""

from datetime import date

import numpy as np
import pyarrow.compute as pc

from quant_assets.core.errors import LakeError, NotEnoughHistoryError
from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.readers.arrays import day_blocks, day_positions, to_cube
from quant_assets.lake.readers.features import read_cube
from quant_assets.lake.readers.inputs import read_market_inputs, read_target_inputs
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.readers.universe import read_begins
from quant_assets.lake.schemas.feature_tables import (
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    TARGET_FEATURES,
)
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import closing_orders
from quant_assets.market.targets import TargetPairs
from quant_assets.models.protocol import FeatureBlock, Observations

BEGINNING = date(1900, 1, 1)


def read_known_days(lake: Lake, as_of: date) -> DayArray:
    """Read the (n,) days with features up to ``as_of``, ascending."""
    days, _ = _read_days_with_features(lake)
    return days[days <= np.datetime64(as_of)]


def read_date_ids(lake: Lake, days: DayArray) -> IntArray:
    """Read the source's numbers of n days; returns an array of shape (n,).

    Raises:
        LakeError: a day has no features.
    """
    stored, numbers = _read_days_with_features(lake)
    return numbers[day_positions(days, stored)]


def _read_days_with_features(lake: Lake) -> tuple[DayArray, IntArray]:
    """Return the (n,) days with features, ascending, and their (n,) numbers in the source."""

    def read() -> tuple[DayArray, IntArray]:
        rows = lake.columns(
            f"SELECT trading_day, date_id FROM {MARKET_FEATURES.quoted} ORDER BY trading_day",
            needs=MARKET_FEATURES,
        )
        return rows["trading_day"].astype("datetime64[D]"), rows["date_id"]

    return lake.once_a_snapshot("days with features", read)


def read_known_labels(lake: Lake, days: DayArray, pairs: TargetPairs) -> FloatArray:
    """Read the labels that became known on some days.

    Returns an array of shape (n, m), indexed by the day on which a label became known; NaN where a
    label is empty.

    Args:
        lake: the lake.
        days: (n,) consecutive days of the history.
        pairs: the m targets.

    Raises:
        LakeError: a day has no labels stored, not even empty ones. With a shortest horizon of k
            days, none is asked for on the first k + 1 days, where a history may begin.

    Examples:
        A label of forecast day 2 January and lag 1 is known from 4 January on. A read as of
        3 January does not return it:

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> days = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[D]")
        >>> pairs = TargetPairs(("copper_1d",), np.array([1]), ("copper",), (None,))
        >>> label = {"trading_day": days[:1], "date_id": [0], "target": ["copper_1d"]}
        >>> label |= {"value": [0.01], "released_on": days[2:]}
        >>> with TemporaryDirectory() as folder, Lake(Path(folder)) as lake:
        ...     written = lake.replace_days(LABELS, date(2024, 1, 4), date(2024, 1, 4), label)
        ...     before = read_known_labels(lake, days[:2], pairs)
        ...     after = read_known_labels(lake, days, pairs)
        >>> before.ravel()
        array([nan, nan])
        >>> after.ravel()
        array([ nan,  nan, 0.01])
    """
    labels = np.full((len(days), len(pairs)), np.nan)
    stored = [np.empty(0, "datetime64[D]")]
    for part in day_blocks(len(days), len(pairs)):
        rows = lake.arrow(
            f"SELECT released_on, target, value FROM {LABELS.quoted}"
            " WHERE released_on BETWEEN ? AND ?",
            _ends(days[part]),
            needs=LABELS,
        )
        stored.append(pc.unique(rows["released_on"]).to_numpy(zero_copy_only=False))
        labels[part] = to_cube(
            rows, days[part], "target", pairs.targets, ["value"], day_column="released_on"
        )[:, :, 0]
    known = np.concatenate([part.astype("datetime64[D]") for part in stored])
    absent = np.setdiff1d(days[pairs.lags.min() + 1 :], known)
    if len(absent):
        raise LakeError(
            "labels are missing",
            where=LABELS.name,
            expected=f"labels released on {absent[0]}",
            hint="materialise features/labels of this day first",
        )
    return labels


def read_observations(
    lake: Lake, as_of: date, *, since: date = BEGINNING, features: bool = True
) -> Observations:
    """Read the features and labels that were known at the close of a day.

    Features take 4 bytes per day, target and feature (float32). Those that do not fit into memory
    are mapped from a temporary file.

    Args:
        lake: the lake.
        as_of: last day; nothing that became known later is read.
        since: first day; the first day of the history by default.
        features: whether to read features, which takes most of the time. Without them the feature
            blocks are empty.

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
        series = read_series(lake)
        groups = tuple(series.group_of[name] for name in instruments)
        return Observations(
            days=days,
            targets=pairs.targets,
            lags=pairs.lags,
            instruments=instruments,
            groups=groups,
            closing_order=closing_orders(groups, series.all_groups),
            legs=np.stack(pairs.legs(instruments), axis=1),
            known_labels=read_known_labels(lake, days, pairs),
            target=_target_block(lake, days, pairs)
            if features
            else _no_features(lake, TARGET_FEATURES, days, "target", pairs.targets),
            instrument=block(lake, INSTRUMENT_FEATURES, days, "instrument", instruments),
            market=_market_block(lake, days) if features else _no_market(days),
            begins=read_begins(lake, instruments),
        )


def _block(
    lake: Lake, table: Table, days: DayArray, unit_column: str = "", units: tuple[str, ...] = ()
) -> FeatureBlock:
    names, cube = read_cube(lake, table, days, unit_column, units, np.float32)
    return FeatureBlock(names, cube)


def _target_block(lake: Lake, days: DayArray, pairs: TargetPairs) -> FeatureBlock:
    return FeatureBlock(*read_target_inputs(lake, days, pairs, np.float32))


def _market_block(lake: Lake, days: DayArray) -> FeatureBlock:
    return FeatureBlock(*read_market_inputs(lake, days, np.float32))


def _no_market(days: DayArray) -> FeatureBlock:
    return FeatureBlock((), np.empty((len(days), 0), np.float32))


def _no_features(
    lake: Lake, table: Table, days: DayArray, unit_column: str = "", units: tuple[str, ...] = ()
) -> FeatureBlock:
    return FeatureBlock((), np.empty((len(days), len(units) or 1, 0), np.float32))


def _ends(days: DayArray) -> list[date]:
    return [days[0].item(), days[-1].item()]
