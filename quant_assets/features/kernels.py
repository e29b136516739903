"""Rolling, exponential and cross-sectional statistics over arrays whose first axis is the day.

Arrays only: instruments and targets belong elsewhere.

Every kernel gives row t the same bits from the whole history and from the rows of its window alone.
The rounding of running totals and recursive means depends on the first row, so windows are built
by doubling instead: ``S[2k](t) = S[k](t) + S[k](t-k)``, joined along the bits of the window length.
The order of additions is then fixed and takes O(log w) passes.

Missing observations are NaN and do not count. A window of w rows has a value if at least half of
its rows, ``min_count(w)``, are observed; rows before the array count as missing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray

NEGLIGIBLE = 1e-12
_COLUMNS_AT_ONCE = 64
_Block = TypeVar("_Block")


class MeanStd(NamedTuple):
    """Mean and standard deviation over windows of one length.

    Attributes:
        mean: (n, ...) means; NaN where too few rows are observed.
        std: (n, ...) standard deviations; NaN where too few rows are observed.
    """

    mean: FloatArray
    std: FloatArray


class _Moments(NamedTuple):
    """Number of observations, mean and sum of squared deviations of each row's block."""

    observed: FloatArray
    mean: FloatArray
    squares: FloatArray


def min_count(window: int) -> int:
    """Return the number of observations that a window needs: half of its rows, rounded up."""
    return (window + 1) // 2


def positive_log(values: FloatArray) -> FloatArray:
    """Compute natural logarithms; NaN where a value is missing, infinite, zero or negative."""
    values = np.ascontiguousarray(values)
    return np.log(np.where((values > 0) & (values < np.inf), values, np.nan))


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide by a scale; NaN where the scale is missing or below ``NEGLIGIBLE``.

    Args:
        numerator: values, of any shape.
        denominator: scales, of a shape that broadcasts with the numerator's.
    """
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator >= NEGLIGIBLE)
    return result


def tail_rows(values: AnyArray, rows: int) -> AnyArray:
    """Return a view of the last ``rows`` rows, or of all rows if there are fewer."""
    return values[max(len(values) - rows, 0) :]


def rolling_sum(
    values: FloatArray, windows: Sequence[int], last_rows: int | None = None
) -> dict[int, FloatArray]:
    """Sum the observed values of each window.

    Returns arrays by window length, of the shape of ``values`` or of its ``last_rows`` last rows;
    NaN where too few are observed.

    >>> rolling_sum(np.array([1.0, np.nan, 3.0, 4.0]), [2])[2]
    array([1., 1., 3., 7.])
    """

    def compute(block: FloatArray) -> Iterator[FloatArray]:
        sums, counts = _sum_windows(block, windows)
        return (np.where(counts[w] >= min_count(w), sums[w], np.nan) for w in windows)

    return dict(zip(windows, _by_columns(compute, values, len(windows), last_rows), strict=True))


def rolling_mean(
    values: FloatArray, windows: Sequence[int], last_rows: int | None = None
) -> dict[int, FloatArray]:
    """Compute the mean of the observed values of each window.

    Returns arrays by window length, of the shape of ``values`` or of its ``last_rows`` last rows;
    NaN where too few are observed. The relative error is near machine precision only for values of
    one sign or around zero.
    """

    def compute(block: FloatArray) -> Iterator[FloatArray]:
        sums, counts = _sum_windows(block, windows)
        return (_divide_where_enough(sums[w], counts[w], min_count(w)) for w in windows)

    return dict(zip(windows, _by_columns(compute, values, len(windows), last_rows), strict=True))


def rolling_rms(
    values: FloatArray, windows: Sequence[int], last_rows: int | None = None
) -> dict[int, FloatArray]:
    """Compute the root mean square, about zero, of each window; see :func:`rolling_mean`."""
    means = rolling_mean(values * values, windows, last_rows)
    return {w: np.sqrt(mean) for w, mean in means.items()}


def rolling_max(values: FloatArray, window: int) -> FloatArray:
    """Compute the largest observed value of each window; NaN where too few are observed."""

    def compute(block: FloatArray) -> Iterator[FloatArray]:
        largest = _build_by_doubling(block, [window], _join_with(np.fmax))[window]
        observed = _count_windows(~np.isnan(block), [window])[window]
        yield np.where(observed < min_count(window), np.nan, largest)

    return _by_columns(compute, values, 1)[0]


def rolling_mean_std(
    values: FloatArray, windows: Sequence[int], ddof: int = 0, last_rows: int | None = None
) -> dict[int, MeanStd]:
    """Compute the mean and standard deviation of each window, by window length.

    Blocks are merged by the pairwise update of Chan, Golub and LeVeque (1979), which loses no more
    digits than the mean itself: equal values give a deviation of exactly zero.

    Args:
        values: (n, ...) values; NaN where missing.
        windows: window lengths in rows.
        ddof: number subtracted from the count in the variance's denominator.
        last_rows: number of last rows to return; all rows by default.
    """

    def compute(block: FloatArray) -> Iterator[FloatArray]:
        moments = _build_by_doubling(_single_rows(block), windows, _merge_moments)
        for w in windows:
            observed, mean, squares = moments[w]
            enough = observed >= max(min_count(w), ddof + 1)
            yield np.where(enough, mean, np.nan)
            variance = _divide_where_enough(squares, observed - ddof, 1)
            yield np.where(enough, np.sqrt(variance), np.nan)

    arrays = _by_columns(compute, values, 2 * len(windows), last_rows)
    return {w: MeanStd(*arrays[2 * i : 2 * i + 2]) for i, w in enumerate(windows)}


def exponential_mean(values: FloatArray, span: int, window: int) -> FloatArray:
    """Compute the exponentially weighted mean of the last ``window`` rows.

    The value j rows back has the weight ``((span - 1) / (span + 1)) ** j``, divided by the sum of
    the observed values' weights. NaN where less than half of the full weight is observed.

    Args:
        values: (n, ...) values; NaN where missing.
        span: span of the weights in rows.
        window: number of rows, a power of two.
    """
    decay = (span - 1) / (span + 1)

    def join(newer: FloatArray, older: FloatArray, gap: int) -> FloatArray:
        result = newer.copy()
        result[gap:] += decay**gap * older[:-gap]
        return result

    def compute(block: FloatArray) -> Iterator[FloatArray]:
        observed = ~np.isnan(block)
        total = _build_by_doubling(np.where(observed, block, 0.0), [window], join)[window]
        weight = _build_by_doubling(observed.astype(np.float64), [window], join)[window]
        yield _divide_where_enough(total, weight, 0.5 * (1 - decay**window) / (1 - decay))

    return _by_columns(compute, values, 1)[0]


def row_mean(values: FloatArray) -> FloatArray:
    """Compute the (n,) mean of the observed values of each row of (n, k); NaN if there is none."""
    observed = ~np.isnan(values)
    total = np.where(observed, values, 0.0).sum(axis=1)
    return _divide_where_enough(total, observed.sum(axis=1), 1)


def row_std(values: FloatArray) -> FloatArray:
    """Compute the (n,) population standard deviation of each row of (n, k).

    NaN with fewer than two observed values.
    """
    deviation = values - row_mean(values)[:, None]
    spread = np.sqrt(row_mean(deviation * deviation))
    return np.where((~np.isnan(values)).sum(axis=1) >= 2, spread, np.nan)


def _by_columns(
    compute: Callable[[FloatArray], Iterable[FloatArray]],
    values: FloatArray,
    count: int,
    last_rows: int | None = None,
) -> list[FloatArray]:
    """Compute arrays of the shape of ``values`` in blocks of columns that fit into the cache.

    Args:
        compute: computes ``count`` arrays of the shape of a block.
        values: (n, ...) values.
        count: number of arrays.
        last_rows: number of last rows to return; all rows by default.
    """
    columns = values.reshape(len(values), -1)
    rows = len(values) if last_rows is None else min(last_rows, len(values))
    results = [np.empty((rows, columns.shape[1])) for _ in range(count)]
    for start in range(0, columns.shape[1], _COLUMNS_AT_ONCE):
        part = slice(start, start + _COLUMNS_AT_ONCE)
        for result, array in zip(results, compute(columns[:, part]), strict=True):
            result[:, part] = tail_rows(array, rows)
    return [result.reshape(rows, *values.shape[1:]) for result in results]


def _divide_where_enough(total: FloatArray, count: AnyArray, least: float) -> FloatArray:
    result = np.full(total.shape, np.nan)
    np.divide(total, count, out=result, where=count >= least)
    return result


def _sum_windows(
    values: FloatArray, windows: Sequence[int]
) -> tuple[dict[int, FloatArray], dict[int, AnyArray]]:
    observed = ~np.isnan(values)
    filled = np.where(observed, values, 0.0)
    sums = _build_by_doubling(filled, windows, _join_with(np.add))
    return sums, _count_windows(observed, windows)


def _count_windows(observed: BoolArray, windows: Sequence[int]) -> dict[int, AnyArray]:
    return _build_by_doubling(observed.astype(np.uint16), windows, _join_with(np.add))


def _build_by_doubling(
    single: _Block, windows: Sequence[int], join: Callable[[_Block, _Block, int], _Block]
) -> dict[int, _Block]:
    """Build windows from blocks of 1, 2, 4, ... rows.

    Args:
        single: blocks of one row.
        windows: window lengths in rows.
        join: ``join(newer, older, gap)`` combines row t of ``newer`` with row t - gap of ``older``.
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


def _join_with(operation: np.ufunc) -> Callable[[AnyArray, AnyArray, int], AnyArray]:
    def join(newer: AnyArray, older: AnyArray, gap: int) -> AnyArray:
        result: np.ndarray[Any, Any] = np.empty_like(newer)
        result[:gap] = newer[:gap]
        operation(newer[gap:], older[:-gap], out=result[gap:])
        return result

    return join


def _single_rows(values: FloatArray) -> _Moments:
    observed = ~np.isnan(values)
    return _Moments(
        observed.astype(np.float64), np.where(observed, values, 0.0), np.zeros(values.shape)
    )


def _merge_moments(newer: _Moments, older: _Moments, gap: int) -> _Moments:
    result = _Moments(*(np.empty_like(part) for part in newer))
    for target, part in zip(result, newer, strict=True):
        target[:gap] = part[:gap]
    count, mean, squares = (part[gap:] for part in newer)
    count_old, mean_old, squares_old = (part[:-gap] for part in older)
    both = np.add(count, count_old, out=result.observed[gap:])
    difference = mean_old - mean
    step = difference * (count_old / np.maximum(both, 1.0))
    np.add(mean, step, out=result.mean[gap:])
    np.add(squares + squares_old, difference * step * count, out=result.squares[gap:])
    return result
