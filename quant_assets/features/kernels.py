"""Rolling, exponential and cross-sectional statistics over arrays whose first axis is the day.

Arrays only: instruments and targets belong elsewhere.

Every kernel gives row t the same bits from the whole history and from the rows of its window alone:
``features.doubling`` says how.

Missing observations are NaN and do not count. A window of w rows has a value if at least half of
its rows, ``min_count(w)``, are observed; rows before the array count as missing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.features.doubling import Parts, build_by_doubling, join_with

NEGLIGIBLE = 1e-12
_COLUMNS_AT_ONCE = 64
_Compute = Callable[[FloatArray, int], Iterable[FloatArray]]


class MeanStd(NamedTuple):
    """Mean and standard deviation over windows of one length.

    Attributes:
        mean: (n, ...) means; NaN where too few rows are observed.
        std: (n, ...) standard deviations; NaN where too few rows are observed.
    """

    mean: FloatArray
    std: FloatArray


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

    def compute(block: FloatArray, rows: int) -> Iterator[FloatArray]:
        sums, counts = _sum_windows(block, windows, rows)
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

    def compute(block: FloatArray, rows: int) -> Iterator[FloatArray]:
        sums, counts = _sum_windows(block, windows, rows)
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

    def compute(block: FloatArray, rows: int) -> Iterator[FloatArray]:
        (largest,) = build_by_doubling((block,), [window], join_with(np.fmax), rows)[window]
        observed = _count_windows(~np.isnan(block), [window], rows)[window]
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

    def compute(block: FloatArray, rows: int) -> Iterator[FloatArray]:
        moments = build_by_doubling(_single_rows(block), windows, _merge_moments, rows)
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

    def join(newer: Parts, older: Parts, gap: int, result: Parts) -> None:
        np.add(newer[0], decay**gap * older[0], out=result[0])

    def compute(block: FloatArray, rows: int) -> Iterator[FloatArray]:
        observed = ~np.isnan(block)
        total, weight = (
            build_by_doubling((part,), [window], join, rows)[window][0]
            for part in (np.where(observed, block, 0.0), observed.astype(np.float64))
        )
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
    compute: _Compute, values: FloatArray, count: int, last_rows: int | None = None
) -> list[FloatArray]:
    """Compute arrays of the shape of ``values`` in blocks of columns that fit into the cache.

    Args:
        compute: computes ``count`` arrays of the last rows of a block, given their number.
        values: (n, ...) values.
        count: number of arrays.
        last_rows: number of last rows to return; all rows by default.
    """
    columns = values.reshape(len(values), -1)
    rows = len(values) if last_rows is None else min(last_rows, len(values))
    results = [np.empty((rows, columns.shape[1])) for _ in range(count)]
    for start in range(0, columns.shape[1], _COLUMNS_AT_ONCE):
        part = slice(start, start + _COLUMNS_AT_ONCE)
        for result, array in zip(results, compute(columns[:, part], rows), strict=True):
            result[:, part] = array
    return [result.reshape(rows, *values.shape[1:]) for result in results]


def _divide_where_enough(total: FloatArray, count: AnyArray, least: float) -> FloatArray:
    result = np.full(total.shape, np.nan)
    np.divide(total, count, out=result, where=count >= least)
    return result


def _sum_windows(
    values: FloatArray, windows: Sequence[int], rows: int
) -> tuple[dict[int, FloatArray], dict[int, AnyArray]]:
    observed = ~np.isnan(values)
    filled = np.where(observed, values, 0.0)
    sums = build_by_doubling((filled,), windows, join_with(np.add), rows)
    counts = _count_windows(observed, windows, rows)
    return {window: total for window, (total,) in sums.items()}, counts


def _count_windows(observed: BoolArray, windows: Sequence[int], rows: int) -> dict[int, AnyArray]:
    counts = build_by_doubling((observed.astype(np.uint16),), windows, join_with(np.add), rows)
    return {window: count for window, (count,) in counts.items()}


def _single_rows(values: FloatArray) -> Parts:
    """Return number of observations, mean and sum of squared deviations of blocks of one row."""
    observed = ~np.isnan(values)
    return observed.astype(np.float64), np.where(observed, values, 0.0), np.zeros(values.shape)


def _merge_moments(newer: Parts, older: Parts, _: int, result: Parts) -> None:
    (count, mean, squares), (count_old, mean_old, squares_old) = newer, older
    both = np.add(count, count_old, out=result[0])
    difference = mean_old - mean
    step = difference * (count_old / np.maximum(both, 1.0))
    np.add(mean, step, out=result[1])
    np.add(squares + squares_old, difference * step * count, out=result[2])
