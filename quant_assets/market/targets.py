"""Targets and their labels: the pairs, the formula, the day on which a label becomes known.

Prices come in as arrays. ``lake.readers.point_in_time`` reads stored labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray


@dataclass(frozen=True)
class TargetPairs:
    """The targets, that is the spreads whose labels are ranked, in submission order.

    Attributes:
        targets: m names.
        lags: (m,) horizon in whole trading days, 1 or more.
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
        """Return the (m,) columns of leg A and of leg B; -1 where a target has no second leg.

        Args:
            instruments: names of the columns.

        Raises:
            KeyError: a leg is not among the instruments.
        """
        column = {name: i for i, name in enumerate(instruments)}
        first = np.array([column[leg] for leg in self.leg_a], dtype=np.int64)
        second = np.array(
            [-1 if leg is None else column[leg] for leg in self.leg_b], dtype=np.int64
        )
        return first, second


def horizons_of(lags: IntArray) -> tuple[int, ...]:
    """Return the horizons of targets, each once, ascending.

    Args:
        lags: (m,) horizon of each target in trading days.

    Examples:
        >>> horizons_of(np.array([20, 1, 5, 1]))
        (1, 5, 20)
    """
    return tuple(np.unique(lags).tolist())


def delay_of(lags: IntArray) -> int:
    """Compute the trading days from a forecast day to the day on which its last label is known.

    Args:
        lags: (m,) horizon of each target in trading days; one at least.

    Examples:
        >>> delay_of(np.array([20, 1, 5, 1]))
        21
    """
    return int(lags.max()) + 1


def spread(values: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    """Compute the value of leg A less the value of leg B for every target.

    Returns an array of shape (n, m), in the units of ``values``; NaN where either leg is NaN.

    Args:
        values: (n, k) one value per instrument.
        first: (m,) column of leg A.
        second: (m,) column of leg B; -1 for a target with one leg, whose value is that of leg A.

    Examples:
        >>> spread(np.array([[0.25, 0.125]]), np.array([0, 1]), np.array([1, -1]))
        array([[0.125, 0.125]])
    """
    result = values[:, first]
    paired = second >= 0
    result[:, paired] -= values[:, second[paired]]
    return result


def shift(values: FloatArray, rows: int) -> FloatArray:
    """Move values ``rows`` days later, or earlier if ``rows`` is negative.

    Returns an array of the same shape (n, ...); NaN on days that no value moved to.

    >>> shift(np.array([1.0, 2.0, 3.0]), 1)
    array([nan,  1.,  2.])
    """
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
    """Compute the labels of all targets, indexed by the day on which they become known.

    Row r holds, for a target of lag k, the label of forecast day r - k - 1:
    ``ln(A[r] / A[r-k]) - ln(B[r] / B[r-k])``. This is the competition's formula, written from the
    label's last price: a forecast made at close s is followed by a position from close s + 1 on.

    Returns an array of shape (n, m) of log returns over k days. It is NaN where a price is missing,
    and in the first k + 1 rows, whose forecast days lie before the panel.

    Args:
        close: (n, k) observed closes, never filled; NaN where the market was closed.
        pairs: the targets.
        instruments: names of the columns of ``close``.

    Examples:
        A spread of lag 1 whose leg A doubles every day while leg B is constant. The label of day 0
        is the return from day 1 to day 2, so it is known on day 2:

        >>> pairs = TargetPairs(("target_0",), np.array([1]), ("A",), ("B",))
        >>> close = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0], [8.0, 5.0]])
        >>> labels_by_known_day(close, pairs, ("A", "B")).round(3).ravel()
        array([  nan,   nan, 0.693, 0.693])
    """
    first, second = pairs.legs(instruments)
    log_close = np.log(close)
    result = np.full((len(close), len(pairs)), np.nan)
    for lag in horizons_of(pairs.lags):
        of_lag = pairs.lags == lag
        moves = log_close - shift(log_close, lag)
        moves[: lag + 1] = np.nan
        result[:, of_lag] = spread(moves, first[of_lag], second[of_lag])
    return result


def align_to_forecast_day(known_labels: FloatArray, lags: IntArray) -> FloatArray:
    """Index labels by their forecast day instead of the day on which they become known.

    Returns an array of shape (n, m); NaN where a label does not become known within the n days.
    Cutting ``known_labels`` at day t therefore leaves exactly the labels that are known on day t.

    Args:
        known_labels: (n, m) labels by the day on which they become known.
        lags: (m,) horizon in whole trading days, 1 or more.

    Examples:
        A label of lag 1 that is known on day 2 belongs to forecast day 0, one of lag 2 that is
        known on day 3 as well:

        >>> known_labels = np.array([[np.nan, np.nan], [np.nan, np.nan], [0.5, np.nan], [0.6, 0.7]])
        >>> align_to_forecast_day(known_labels, np.array([1, 2]))
        array([[0.5, 0.7],
               [0.6, nan],
               [nan, nan],
               [nan, nan]])
    """
    result = np.full_like(known_labels, np.nan)
    for lag in horizons_of(lags):
        of_lag = lags == lag
        result[:, of_lag] = shift(known_labels[:, of_lag], -(lag + 1))
    return result
