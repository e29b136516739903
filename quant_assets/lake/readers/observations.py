"""Reads of observations: the rows that are stored, and the newest values known at each close."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.arrays import to_cube
from quant_assets.lake.schemas.observation_tables import OBSERVATION_FEATURES, RAW_OBSERVATIONS
from quant_assets.lake.store.lake import Lake

_NEWEST_ROWS = f"""
SELECT field, instrument, observed_on, stated_at, arg_max(value, stored_at) AS value
FROM {RAW_OBSERVATIONS.quoted} WHERE table_name = ? AND reading = ? GROUP BY ALL
"""
_STORED_UNTIL = f"""
SELECT field, instrument, max(trading_day) AS day FROM {OBSERVATION_FEATURES.quoted}
WHERE table_name = $table AND field IN (
    SELECT DISTINCT field FROM {RAW_OBSERVATIONS.quoted}
    WHERE table_name = $table AND reading = $reading)
GROUP BY field, instrument
"""
# A revision of an older day is no newer value: rows count from the moment at which no later day was
# known. Of several rows of one moment, the one of the latest day counts, and of that the last one.
# The days are the right side: with all days and instruments on the left, DuckDB expects few rows
# and joins by nested loops, which takes minutes for a thousand instruments.
_FIRST_CLOSES = f"""
WITH closes AS (SELECT unnest($days::DATE[]) AS day, unnest($closes::TIMESTAMP[]) AS closed_at),
newest AS (
    SELECT instrument, observed_on, known_at, value FROM {RAW_OBSERVATIONS.quoted}
    WHERE table_name = $table AND reading = $reading AND field = $field AND known_at <= $until
    AND list_contains($units, instrument)
    QUALIFY observed_on = max(observed_on) OVER (
        PARTITION BY instrument ORDER BY known_at RANGE UNBOUNDED PRECEDING)
    AND row_number() OVER (
        PARTITION BY instrument, known_at ORDER BY observed_on DESC, stored_at DESC) = 1)
SELECT day AS trading_day, instrument, value,
    date_diff('day', DATE '1970-01-01', observed_on)::DOUBLE AS observed_on
FROM newest ASOF JOIN closes ON newest.known_at <= closes.closed_at
QUALIFY row_number() OVER (PARTITION BY instrument, day ORDER BY known_at DESC) = 1
"""


@dataclass(frozen=True)
class KnownValues:
    """The newest values of a field that were known at the close of n days.

    Attributes:
        values: (n, u) values of u units; NaN where none was known, or the newest was too old.
        age_days: (n, u) calendar days from the day that a value is about; NaN where none was known.
    """

    values: FloatArray
    age_days: FloatArray


def read_newest_rows(lake: Lake, table: str, reading: str) -> pd.DataFrame:
    """Read the value that was last stored for each field, instrument, day and stated moment.

    Args:
        lake: the lake.
        table: name of the table in the description.
        reading: digest of how the description reads it.
    """
    if not lake.has(RAW_OBSERVATIONS):
        names = ["field", "instrument", "observed_on", "stated_at", "value"]
        kinds = ["object", "object", "datetime64[us]", "datetime64[us]", "float64"]
        return pd.DataFrame({n: pd.Series(dtype=k) for n, k in zip(names, kinds, strict=True)})
    rows = lake.query(_NEWEST_ROWS, [table, reading])
    days = {name: rows[name].astype("datetime64[us]") for name in ("observed_on", "stated_at")}
    return rows.assign(**days)


def read_stored_until(lake: Lake, table: str, reading: str) -> pd.DataFrame:
    """Read the newest day with features of each field and instrument.

    Fields without rows of the reading are left out. Returns the columns field, instrument and day.

    Args:
        lake: the lake.
        table: name of the table in the description.
        reading: digest of how the description reads it.
    """
    if not (lake.has(RAW_OBSERVATIONS) and lake.has(OBSERVATION_FEATURES)):
        return pd.DataFrame(
            {"field": [], "instrument": [], "day": np.empty(0, "datetime64[us]")}, dtype=object
        )
    return lake.query(_STORED_UNTIL, {"table": table, "reading": reading})


def read_known_values(
    lake: Lake,
    table: str,
    reading: str,
    field: str,
    days: DayArray,
    closes: DayArray,
    units: Sequence[str],
    max_age_days: int | None = None,
) -> KnownValues:
    """Read the newest value of a field that was known at the close of each day.

    Args:
        lake: the lake.
        table: name of the table in the description.
        reading: digest of how the description reads it.
        field: name of the field.
        days: (n,) days, ascending.
        closes: (n,) moments of their closes, UTC.
        units: names of the u instruments; an empty name for the whole market.
        max_age_days: age above which a value counts as missing; None for no limit.

    Raises:
        LakeError: no observations are stored.
    """
    parameters = {
        "table": table,
        "reading": reading,
        "field": field,
        "days": days.tolist(),
        "closes": closes.tolist(),
        "units": list(units),
        "until": closes.max().item(),
    }
    rows = lake.arrow(_FIRST_CLOSES, parameters, needs=RAW_OBSERVATIONS)
    cube = _carry_forward(to_cube(rows, days, "instrument", units, ["value", "observed_on"]))
    values, age_days = cube[:, :, 0].copy(), days.astype(np.int64)[:, None] - cube[:, :, 1]
    if max_age_days is not None:
        values[age_days > max_age_days] = np.nan
    return KnownValues(values, age_days)


def _carry_forward(cube: FloatArray) -> FloatArray:
    """Give each day of (n, u, 2) rows that is NaN the last row before it."""
    rows = np.where(np.isnan(cube[:, :, 0]), 0, np.arange(len(cube))[:, None])
    last = np.maximum.accumulate(rows, axis=0)
    carried: FloatArray = np.take_along_axis(cube, last[:, :, None], axis=0)
    return carried
