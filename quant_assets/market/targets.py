"""Targets and their labels: the pairs, the formula, the day on which a label becomes known.

Prices come in as arrays. Where labels are stored, and who may read which, is decided in
``lake.readers.point_in_time``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray

MAX_LAG = 4


@dataclass(frozen=True)
class TargetPairs:
    """The return spreads to rank, in submission order.

    Attributes:
        targets: m names.
        lags: (m,) holding period in trading days, 1 to 4.
        leg_a: m instruments bought.
        leg_b: m instruments sold; None for a single leg.
    """

    targets: tuple[str, ...]
    lags: IntArray
    leg_a: tuple[str, ...]
    leg_b: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.targets)

    def legs(self, instruments: Sequence[str]) -> tuple[IntArray, IntArray]:
        """(m,) column of each leg among ``instruments``; -1 where there is no second leg.

        Raises:
            KeyError: a leg is not among the instruments.
        """
        index = {name: i for i, name in enumerate(instruments)}
        first = np.array([index[leg] for leg in self.leg_a], dtype=np.int64)
        second = np.array([-1 if leg is None else index[leg] for leg in self.leg_b], dtype=np.int64)
        return first, second


def spread(values: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    """(n, m) value of leg A less value of leg B (nothing is taken off a single leg).

    Args:
        values: (n, k) one value per instrument.
        first: (m,) column of leg A.
        second: (m,) column of leg B, -1 for none.

    NaN as soon as one leg is NaN.
    """
    result = values[:, first]
    paired = second >= 0
    result[:, paired] -= values[:, second[paired]]
    return result


def shift(values: FloatArray, rows: int) -> FloatArray:
    """(n, ...) values moved ``rows`` days later (earlier if negative); the gap is NaN."""
    result = np.full_like(values, np.nan)
    if rows == 0:
        return values.copy()
    if abs(rows) < len(values):
        if rows > 0:
            result[rows:] = values[:-rows]
        else:
            result[:rows] = values[-rows:]
    return result


def labels_by_known_day(
    close: FloatArray, pairs: TargetPairs, instruments: Sequence[str]
) -> FloatArray:
    """(n, m) labels indexed by the day on which they become known.

    Row r holds, for a target of lag k, the label of row r - k - 1:
    ``ln(A[r] / A[r-k]) - ln(B[r] / B[r-k])``, the competition's formula read from its last price.

    Args:
        close: (n, k) observed closes, never filled; NaN where the market was closed.
        pairs: the targets.
        instruments: names of the columns of ``close``.

    NaN where one of the prices is missing and in the first lag + 1 rows, whose label day lies
    before the panel.
    """
    first, second = pairs.legs(instruments)
    log_close = np.log(close)
    result = np.full((len(close), len(pairs)), np.nan)
    for lag in range(1, MAX_LAG + 1):
        of_lag = pairs.lags == lag
        moves = log_close - shift(log_close, lag)
        moves[: lag + 1] = np.nan
        result[:, of_lag] = spread(moves, first[of_lag], second[of_lag])
    return result


def align_to_forecast_day(released: FloatArray, lags: IntArray) -> FloatArray:
    """(n, m) labels indexed by the day they are forecast on, from labels indexed by release day.

    A label not released within the rows given is NaN: cutting ``released`` at day t therefore
    leaves exactly what is known on day t.
    """
    result = np.full_like(released, np.nan)
    for lag in range(1, MAX_LAG + 1):
        of_lag = lags == lag
        result[:, of_lag] = shift(released[:, of_lag], -(lag + 1))
    return result
