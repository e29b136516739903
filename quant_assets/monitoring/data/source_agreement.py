"""Compare what several sources deliver of the same cells: rows of ``raw.disagreements``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.lake.readers.bars import VOLUME_TOLERANCE
from quant_assets.lake.schemas.source_tables import DISAGREEMENTS
from quant_assets.market.instruments import PRICE_FIELDS
from quant_assets.sources.deliveries import JoinedPrices, OtherDelivery

LARGE_DIFFERENCE = 0.1
"""Difference of a price from which a single one is a concern, such as after a missed split."""


@dataclass(frozen=True)
class SourceComparison:
    """How other sources compare with the prices that are taken.

    Attributes:
        compared: number of cells that two sources have; a third source counts once more.
        rows: rows of ``raw.disagreements``.
    """

    compared: int
    rows: pd.DataFrame

    @property
    def large(self) -> int:
        """Number of prices with a large difference; volumes do not count."""
        is_price = self.rows["field"].isin(PRICE_FIELDS)
        return int((is_price & (self.rows["difference"] > LARGE_DIFFERENCE)).sum())


def compare_sources(used: JoinedPrices, others: Sequence[OtherDelivery]) -> SourceComparison:
    """Compare the prices of several sources with those that are taken.

    Only finite numbers are compared. Volumes and open interests may differ by 5 %, since sources
    count different exchanges, or by the tolerance of the source if that is larger.

    Args:
        used: the prices that are taken.
        others: what other sources have of the same cells.
    """
    is_price = np.isin(used.series.fields, PRICE_FIELDS)
    compared, parts = 0, []
    for other in others:
        both = np.isfinite(used.values) & np.isfinite(other.values)
        compared += int(both.sum())
        difference = relative_difference(used.values, other.values)
        tolerance = np.where(is_price, other.tolerance, max(other.tolerance, VOLUME_TOLERANCE))
        parts.append(
            _make_rows(used, other, difference, both & (difference > tolerance), tolerance)
        )
    return SourceComparison(compared, _join(parts))


def join_comparisons(parts: Iterable[SourceComparison]) -> SourceComparison:
    """Join comparisons of several blocks of days, of which there may be none."""
    listed = list(parts)
    return SourceComparison(
        sum(each.compared for each in listed), _join([each.rows for each in listed])
    )


def _join(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [rows for rows in parts if len(rows)]
    if not filled:
        return pd.DataFrame({column.name: [] for column in DISAGREEMENTS.columns})
    order = ["trading_day", "instrument", "field", "other_source"]
    return pd.concat(filled).sort_values(order, ignore_index=True)


def relative_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """Compute the difference of numbers as a share of the larger one.

    >>> relative_difference(np.array([100.0, 0.0]), np.array([80.0, 0.0])).tolist()
    [0.2, 0.0]

    Args:
        a: (...) numbers.
        b: (...) numbers.

    Returns:
        (...) differences; 0 where both numbers are 0, NaN where one is missing or infinite.
    """
    larger = np.maximum(np.abs(a), np.abs(b))
    with np.errstate(invalid="ignore"):
        result: FloatArray = np.abs(a - b) / np.where(larger == 0.0, 1.0, larger)
    return result


def _make_rows(
    used: JoinedPrices,
    other: OtherDelivery,
    difference: FloatArray,
    differs: BoolArray,
    tolerance: FloatArray,
) -> pd.DataFrame:
    rows, columns = np.nonzero(differs)
    series = [used.series.series[column] for column in columns]
    frame = {
        "trading_day": used.days[rows].astype("datetime64[s]"),
        "instrument": np.array([each.instrument for each in series], dtype=object),
        "field": np.array([each.field for each in series], dtype=object),
        "value": used.values[rows, columns],
        "source": used.name_sources(rows, columns),
        "other_value": other.values[rows, columns],
        "other_source": np.full(len(rows), other.name, dtype=object),
        "difference": difference[rows, columns],
        "tolerance": tolerance[columns],
    }
    return pd.DataFrame(frame)[[column.name for column in DISAGREEMENTS.columns]]
