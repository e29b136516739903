"""Observations of economic series with their vintages: the days from which a value was known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import DayArray, FloatArray


@dataclass(frozen=True)
class Observation:
    """A value of one day as it was known from some day on.

    Attributes:
        day: the day that the value is about.
        value: the value; NaN where the vendor has none.
        known_on: first day on which this value was known; None if the vendor does not say.
    """

    day: date
    value: float
    known_on: date | None = None


@dataclass(frozen=True)
class Observations:
    """Observations of one series, ascending in days, then in vintages.

    Attributes:
        series: the vendor's name of the series.
        days: (n,) days that the values are about.
        values: (n,) values; NaN where the vendor has none.
        known_on: (n,) first days on which the values were known; NaT if the vendor does not say.
    """

    series: str
    days: DayArray
    values: FloatArray
    known_on: DayArray


def build_observations(
    series: str, observations: Iterable[Observation], where: str
) -> Observations:
    """Build the observations of a series.

    An observation that comes twice with the same value is one observation.

    Args:
        series: the vendor's name of the series.
        observations: in any order.
        where: the answer's address, for errors.

    Raises:
        SourceError: a day has two different values of one vintage.
    """
    by_key: dict[tuple[date, date | None], Observation] = {}
    for new in observations:
        first = by_key.setdefault((new.day, new.known_on), new)
        if not np.array_equal([first.value], [new.value], equal_nan=True):
            raise SourceError(
                "a day has two different values",
                where=where,
                expected=f"one value of {series} on {new.day}",
                found=f"{first.value} and {new.value}",
            )
    rows = sorted(by_key.values(), key=lambda row: (row.day, row.known_on or date.min))
    return Observations(
        series,
        np.array([row.day for row in rows], dtype="datetime64[D]"),
        np.array([row.value for row in rows], dtype=np.float64),
        np.array([row.known_on for row in rows], dtype="datetime64[D]"),
    )
