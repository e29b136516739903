"""How sure a score is: block-bootstrap intervals. Arrays of daily correlations only."""

import numpy as np

from quant_assets.typing import FloatArray


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
    n = len(ic)
    if n < 2 * block or np.ptp(ic) == 0:
        return float("nan"), float("nan")
    random = np.random.default_rng(seed)
    starts = random.integers(0, n, size=(draws, -(-n // block)))
    days = (starts[:, :, None] + np.arange(block)).reshape(draws, -1)[:, :n] % n
    sample = ic[days]
    scores = sample.mean(axis=1) / np.maximum(sample.std(axis=1), np.finfo(float).tiny)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(scores, [tail, 1.0 - tail])
    return float(low), float(high)
