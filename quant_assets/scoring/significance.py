"""How sure a score is: block-bootstrap intervals. Arrays of daily correlations only."""

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray


def block_bootstrap(
    ic: FloatArray, *, block: int = 20, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the metric by circular blocks of days.

    Blocks keep the dependence that overlapping labels give neighbouring days (Politis and Romano,
    1992, "A circular block-resampling procedure for stationary data").

    Args:
        ic: (n,) daily correlations, in order, none NaN.
        block: days per block.
        draws: resamples.
        seed: of the resampling.
        level: coverage of the interval.

    Returns (nan, nan) for fewer than two blocks of days, and for days that are all equal.
    """
    if len(ic) < 2 * block or np.ptp(ic) == 0:
        return float("nan"), float("nan")
    starts = _block_starts(len(ic), block, draws, seed)
    return _interval(_scores(ic, starts, block), level)


def paired_bootstrap(
    ic: FloatArray,
    other: FloatArray,
    *,
    block: int = 20,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of the difference of two metrics, both over the same drawn days.

    Args and missing intervals are those of :func:`block_bootstrap`.

    Raises:
        ValueError: the two are of different length.
    """
    if len(ic) != len(other):
        raise ValueError(f"paired days differ: {len(ic)} and {len(other)}")
    if len(ic) < 2 * block or np.ptp(ic) == 0 or np.ptp(other) == 0:
        return float("nan"), float("nan")
    starts = _block_starts(len(ic), block, draws, seed)
    return _interval(_scores(ic, starts, block) - _scores(other, starts, block), level)


def resample_scores(
    ic: FloatArray, days: int, *, block: int = 20, draws: int = 2000, seed: int = 0
) -> FloatArray:
    """(draws,) the metric of so many days, each draw made of circular blocks of the days given.

    Args are those of :func:`block_bootstrap`; ``days`` may be fewer than n, or more.
    """
    starts = np.random.default_rng(seed).integers(0, len(ic), size=(draws, -(-days // block)))
    return _scores(ic, starts, block, days)


def draw_blocks(
    values: FloatArray, days: int, *, block: int = 20, draws: int = 2000, seed: int = 0
) -> FloatArray:
    """(draws, days) the values themselves, drawn as in :func:`resample_scores`."""
    starts = np.random.default_rng(seed).integers(0, len(values), size=(draws, -(-days // block)))
    rows = (starts[:, :, None] + np.arange(block)) % len(values)
    drawn: FloatArray = values[rows.reshape(draws, -1)[:, :days]]
    return drawn


def _block_starts(n: int, block: int, draws: int, seed: int) -> IntArray:
    """(draws, blocks) first days of the blocks that make up n days."""
    return np.random.default_rng(seed).integers(0, n, size=(draws, -(-n // block)))


def _scores(ic: FloatArray, starts: IntArray, block: int, days: int | None = None) -> FloatArray:
    """(draws,) metric of each draw, from the sums over its blocks; the last may be a shorter one.

    A draw has as many days as ``ic`` unless told.

    Deviations are taken from the mean of all days, lest the squares cancel.
    """
    n, mean = days or len(ic), ic.mean()
    deviation = ic - mean
    around = np.concatenate([deviation, deviation[:block]])
    rest = n - block * (starts.shape[1] - 1)
    total, squares = (
        _block_sums(x, block)[starts[:, :-1]].sum(axis=1) + _block_sums(x, rest)[starts[:, -1]]
        for x in (around, around**2)
    )
    variance = np.maximum(squares / n - (total / n) ** 2, np.finfo(float).tiny)
    return np.asarray((mean + total / n) / np.sqrt(variance))


def _block_sums(around: FloatArray, block: int) -> FloatArray:
    """Sum of the ``block`` days from each day on."""
    sums: FloatArray = np.lib.stride_tricks.sliding_window_view(around, block).sum(axis=1)
    return sums


def _interval(sample: FloatArray, level: float) -> tuple[float, float]:
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(sample, [tail, 1.0 - tail])
    return float(low), float(high)
