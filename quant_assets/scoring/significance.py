"""Confidence intervals of scores by the block bootstrap. Arrays of daily ICs only.

Source: Politis and Romano, "A circular block-resampling procedure for stationary data" (1992).
Blocks of days keep the dependence that overlapping labels give to neighbouring days.
"""

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray


def block_bootstrap(
    ic: FloatArray, *, block: int = 20, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Compute a confidence interval of the score by resampling circular blocks of days.

    Returns the lower and upper percentile of the resampled scores; (nan, nan) for fewer than two
    blocks of days and for ICs that are all equal.

    Args:
        ic: (n,) daily ICs in the order of days, none NaN.
        block: days per block.
        draws: number of resamples.
        seed: seed of the resampling.
        level: coverage of the interval, between 0 and 1.

    Examples:
        >>> ic = np.tile([0.1, 0.3, -0.1, 0.2], 50)
        >>> round(float(ic.mean() / ic.std()), 3)
        0.845
        >>> low, high = block_bootstrap(ic, block=5, draws=200)
        >>> low < 0.845 < high
        True
        >>> block_bootstrap(ic[:30])
        (nan, nan)
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
    """Compute a confidence interval of the difference of two scores over the same days.

    Both scores of a resample are computed from the same drawn days. Returns (nan, nan) where
    :func:`block_bootstrap` does so for either series.

    Args:
        ic: (n,) daily ICs in the order of days, none NaN.
        other: (n,) daily ICs of the same days, whose score is subtracted.
        block: days per block.
        draws: number of resamples.
        seed: seed of the resampling.
        level: coverage of the interval, between 0 and 1.

    Raises:
        ValueError: the two series differ in length.
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
    """Compute the scores of ``draws`` resamples of ``days`` days each.

    Returns an array of shape (draws,). Each resample joins circular blocks of the given days.

    Args:
        ic: (n,) daily ICs in the order of days, none NaN.
        days: days per resample; may be fewer or more than n.
        block: days per block.
        draws: number of resamples.
        seed: seed of the resampling.
    """
    starts = np.random.default_rng(seed).integers(0, len(ic), size=(draws, -(-days // block)))
    return _scores(ic, starts, block, days)


def draw_blocks(
    values: FloatArray, days: int, *, block: int = 20, draws: int = 2000, seed: int = 0
) -> FloatArray:
    """Draw ``draws`` resamples of daily values as :func:`resample_scores` draws its days.

    Returns an array of shape (draws, days).

    Args:
        values: (n,) daily values in the order of days.
        days: days per resample; may be fewer or more than n.
        block: days per block.
        draws: number of resamples.
        seed: seed of the resampling.
    """
    starts = np.random.default_rng(seed).integers(0, len(values), size=(draws, -(-days // block)))
    rows = (starts[:, :, None] + np.arange(block)) % len(values)
    drawn: FloatArray = values[rows.reshape(draws, -1)[:, :days]]
    return drawn


def _block_starts(n: int, block: int, draws: int, seed: int) -> IntArray:
    """Draw the (draws, blocks) first rows of the blocks that make up n days."""
    return np.random.default_rng(seed).integers(0, n, size=(draws, -(-n // block)))


def _scores(ic: FloatArray, starts: IntArray, block: int, days: int | None = None) -> FloatArray:
    """Compute the (draws,) scores of resamples from the sums over their blocks.

    A resample has ``days`` days, as many as ``ic`` by default; its last block may be shorter.
    Sums are of deviations from the mean of all days, so that the squares do not cancel.
    """
    n, mean = days or len(ic), ic.mean()
    deviation = ic - mean
    circular = np.concatenate([deviation, deviation[:block]])
    rest = n - block * (starts.shape[1] - 1)
    total, squares = (
        _block_sums(x, block)[starts[:, :-1]].sum(axis=1) + _block_sums(x, rest)[starts[:, -1]]
        for x in (circular, circular**2)
    )
    variance = np.maximum(squares / n - (total / n) ** 2, np.finfo(float).tiny)
    return np.asarray((mean + total / n) / np.sqrt(variance))


def _block_sums(values: FloatArray, block: int) -> FloatArray:
    """Sum the ``block`` values from each row on."""
    sums: FloatArray = np.lib.stride_tricks.sliding_window_view(values, block).sum(axis=1)
    return sums


def _interval(sample: FloatArray, level: float) -> tuple[float, float]:
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(sample, [tail, 1.0 - tail])
    return float(low), float(high)
