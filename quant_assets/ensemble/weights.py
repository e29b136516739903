"""How much each family counts: learnt from its past daily ICs, shrunk towards all the same.

Arrays only; whose ICs, and when they were known, is decided by the caller.
"""

import numpy as np

from quant_assets.typing import FloatArray

PRIOR_DAYS = 500


def learned_weights(ic: FloatArray, prior_days: int = PRIOR_DAYS) -> FloatArray:
    """(n, k) weights of k families after each row, each row summing to k.

    A family's weight is its mean IC so far, shrunk towards the mean over all families as if that
    had been observed on ``prior_days`` further days, and nothing if that is negative. Equal
    weights as long as no family is any good.

    Args:
        ic: (n, k) daily ICs by the day they became known; NaN where a family has none.
        prior_days: strength of the shrinkage; 0 for none.

    A row depends on that row and those before it.
    """
    known = ~np.isnan(ic)
    total, count = np.cumsum(np.where(known, ic, 0.0), axis=0), np.cumsum(known, axis=0)
    overall = total.sum(axis=1, keepdims=True) / np.maximum(count.sum(axis=1, keepdims=True), 1)
    days = np.maximum(count + prior_days, 1)
    shrunk = np.maximum((total + prior_days * overall) / days, 0.0)
    sums = shrunk.sum(axis=1, keepdims=True)
    return np.where(sums > 0, shrunk / np.where(sums > 0, sums, 1.0) * ic.shape[1], 1.0)
