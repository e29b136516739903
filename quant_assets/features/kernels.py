"""Rolling, exponential and cross-sectional arithmetic over arrays whose first axis is the day.

Knows arrays only; which instrument or target a column stands for belongs elsewhere.

Every kernel gives row t the same bits whether it was handed the whole history or just the rows its
window covers. Running totals and recursive means cannot: their rounding depends on where the array
began. Windows are built by doubling instead, ``S[2k](t) = S[k](t) + S[k](t-k)``, and joined along
the bits of the window length, so the order of additions is fixed and takes O(log w) passes.

Missing observations are NaN and are left out. A window of w rows has a value if at least half of
them, ``min_count(w)``, are observed; rows before the array count as missing.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray

NEGLIGIBLE = 1e-12
_COLUMNS_AT_ONCE = 64
_Block = TypeVar("_Block")


class MeanStd(NamedTuple):
    """Mean and standard deviation of one window length."""

    mean: FloatArray
    std: FloatArray


class _Moments(NamedTuple):
    observed: FloatArray
    mean: FloatArray
    squares: FloatArray


def min_count(window: int) -> int:
    """Observations that a window of that many rows needs: half of them, rounded up."""
    return (window + 1) // 2


def positive_log(values: FloatArray) -> FloatArray:
    """Natural logarithm; NaN where a value is missing, infinite, zero or negative."""
    values = np.ascontiguousarray(values)
    return np.log(np.where((values > 0) & (values < np.inf), values, np.nan))


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Quotient by a scale; NaN where the scale is missing or below ``NEGLIGIBLE``."""
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator >= NEGLIGIBLE)
    return result


def tail_rows(values: AnyArray, rows: int) -> AnyArray:
    """The last ``rows`` rows, all of them if there are fewer; a view."""
    return values[max(len(values) - rows, 0) :]


def rolling_sum(values: FloatArray, windows: Sequence[int]) -> dict[int, FloatArray]:
    """Sum of the observed values in each window, by window length."""
    sums, counts = _sums(values, windows)
    return {w: np.where(counts[w] >= min_count(w), sums[w], np.nan) for w in windows}


def rolling_mean(values: FloatArray, windows: Sequence[int]) -> dict[int, FloatArray]:
    """Mean of the observed values in each window, by window length.

    Relative error near machine precision only for values of one sign or around zero.
    """
    sums, counts = _sums(values, windows)
    return {w: _where_enough(sums[w], counts[w], min_count(w)) for w in windows}


def rolling_rms(values: FloatArray, windows: Sequence[int]) -> dict[int, FloatArray]:
    """Root mean square (about zero, not about the mean) in each window, by window length."""
    return {w: np.sqrt(mean) for w, mean in rolling_mean(values * values, windows).items()}


def rolling_max(values: FloatArray, window: int) -> FloatArray:
    """Largest observed value in the window."""
    largest = _by_doubling(values, [window], _joined_by(np.fmax))[window]
    return np.where(
        _counts(~np.isnan(values), [window])[window] < min_count(window), np.nan, largest
    )


def rolling_mean_std(
    values: FloatArray, windows: Sequence[int], ddof: int = 0
) -> dict[int, MeanStd]:
    """Mean and standard deviation in each window, by window length.

    Windows are merged by the pairwise update of Chan, Golub and LeVeque (1979), which
    loses no more digits than the mean itself: equal values give exactly zero.
    """
    columns = values.reshape(len(values), -1)
    result = {w: MeanStd(np.empty_like(columns), np.empty_like(columns)) for w in windows}
    for start in range(0, columns.shape[1], _COLUMNS_AT_ONCE):
        part = slice(start, start + _COLUMNS_AT_ONCE)
        for w, moments in _by_doubling(_single(columns[:, part]), windows, _merged).items():
            enough = moments.observed >= max(min_count(w), ddof + 1)
            result[w].mean[:, part] = np.where(enough, moments.mean, np.nan)
            variance = _where_enough(moments.squares, moments.observed - ddof, 1)
            result[w].std[:, part] = np.where(enough, np.sqrt(variance), np.nan)
    return {w: MeanStd(*(x.reshape(values.shape) for x in pair)) for w, pair in result.items()}


def exponential_mean(values: FloatArray, span: int, window: int) -> FloatArray:
    """Exponentially weighted mean over the last ``window`` rows, a power of two.

    The value j rows back weighs ``((span - 1) / (span + 1)) ** j``; weights are taken relative to
    those observed. NaN if less than half of the full weight is observed.
    """
    decay = (span - 1) / (span + 1)

    def joined(newer: FloatArray, older: FloatArray, gap: int) -> FloatArray:
        result = newer.copy()
        result[gap:] += decay**gap * older[:-gap]
        return result

    observed = ~np.isnan(values)
    total = _by_doubling(np.where(observed, values, 0.0), [window], joined)[window]
    weight = _by_doubling(observed.astype(np.float64), [window], joined)[window]
    return _where_enough(total, weight, 0.5 * (1 - decay**window) / (1 - decay))


def row_mean(values: FloatArray) -> FloatArray:
    """(n,) mean of the observed values of each row of (n, k); NaN if there is none."""
    observed = ~np.isnan(values)
    total = np.where(observed, values, 0.0).sum(axis=1)
    return _where_enough(total, observed.sum(axis=1), 1)


def row_std(values: FloatArray) -> FloatArray:
    """(n,) population standard deviation of each row of (n, k); NaN below two values."""
    deviation = values - row_mean(values)[:, None]
    spread = np.sqrt(row_mean(deviation * deviation))
    return np.where((~np.isnan(values)).sum(axis=1) >= 2, spread, np.nan)


def _where_enough(total: FloatArray, count: AnyArray, least: float) -> FloatArray:
    result = np.full(total.shape, np.nan)
    np.divide(total, count, out=result, where=count >= least)
    return result


def _sums(
    values: FloatArray, windows: Sequence[int]
) -> tuple[dict[int, FloatArray], dict[int, AnyArray]]:
    observed = ~np.isnan(values)
    filled = np.where(observed, values, 0.0)
    return _by_doubling(filled, windows, _joined_by(np.add)), _counts(observed, windows)


def _counts(observed: BoolArray, windows: Sequence[int]) -> dict[int, AnyArray]:
    return _by_doubling(observed.astype(np.uint16), windows, _joined_by(np.add))


def _by_doubling(
    single: _Block, windows: Sequence[int], join: Callable[[_Block, _Block, int], _Block]
) -> dict[int, _Block]:
    """Windows built from blocks of 1, 2, 4, ... rows.

    ``join(newer, older, gap)`` puts to row t of ``newer`` what ``older`` has at row t - gap.
    """
    result: dict[int, _Block] = {}
    block, size = single, 1
    while True:
        for window in windows:
            if window & size:
                covered = window & (size - 1)
                result[window] = join(result[window], block, covered) if covered else block
        if 2 * size > max(windows):
            return result
        block, size = join(block, block, size), 2 * size


def _joined_by(operation: np.ufunc) -> Callable[[AnyArray, AnyArray, int], AnyArray]:
    def joined(newer: AnyArray, older: AnyArray, gap: int) -> AnyArray:
        result: np.ndarray[Any, Any] = np.empty_like(newer)
        result[:gap] = newer[:gap]
        operation(newer[gap:], older[:-gap], out=result[gap:])
        return result

    return joined


def _single(values: FloatArray) -> _Moments:
    observed = ~np.isnan(values)
    return _Moments(
        observed.astype(np.float64), np.where(observed, values, 0.0), np.zeros(values.shape)
    )


def _merged(newer: _Moments, older: _Moments, gap: int) -> _Moments:
    result = _Moments(*(np.empty_like(part) for part in newer))
    for target, part in zip(result, newer, strict=True):
        target[:gap] = part[:gap]
    here, there = (part[gap:] for part in newer), (part[:-gap] for part in older)
    (count, mean, squares), (count_old, mean_old, squares_old) = here, there
    both = np.add(count, count_old, out=result.observed[gap:])
    difference = mean_old - mean
    step = difference * (count_old / np.maximum(both, 1.0))
    np.add(mean, step, out=result.mean[gap:])
    np.add(squares + squares_old, difference * step * count, out=result.squares[gap:])
    return result
