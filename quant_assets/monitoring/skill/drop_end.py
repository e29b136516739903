"""Whether a drop is over: what tells the newest days from those of the drop.

Page's test (1954) once more, between the drop's mean and none. Finding a drop belongs in
``monitoring.rolling`` and ``monitoring.cusum``. Arrays only.
"""

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.monitoring.skill.reference_window import (
    LEAST,
    DailyRecord,
    long_run_variance,
    reference_rows,
)

RECOVERED = 5.0
"""Log-likelihood ratio from which the days since a drop are no part of it: a drop that persists is
taken for over about once in 600 days if it is one standard deviation, in 100 if it is 2.5."""
OUTLIER = 3.0
"""Standard deviations beyond which a day says no more."""


def log_likelihood_gain(z: float, drop: float, dependence: float) -> float:
    """Log-likelihood ratio that a day adds, of no drop against one.

    Args:
        z: the day's deviation, in standard deviations.
        drop: mean deviation of the drop's days, below 0.
        dependence: long-run variance of a day's deviation.
    """
    return -drop * (z - drop / 2.0) / dependence


def has_recovered(
    record: DailyRecord, numbers: IntArray, window: int, asked: BoolArray
) -> BoolArray:
    """(k,) whether what was low over the newest ``window`` days is over.

    Args:
        record: (n,) of all days that may be known.
        numbers: (k,) numbers of the days asked for.
        window: judged days.
        asked: (k,) on which of the days it is asked for; it is not over on others.

    The reference is that of the window. A day's answer depends on what was known on it alone.
    """
    known = record.known(numbers)
    result = np.zeros(len(numbers), np.bool_)
    for day in np.flatnonzero(asked & (known >= window)):
        newest = record.values[known[day] - window : known[day]]
        (start,), (end,) = reference_rows(record.numbers, known[day : day + 1] - window)
        if end - start >= LEAST:
            result[day] = _is_over(newest, record.values[start:end])
    return result


def _is_over(newest: FloatArray, reference: FloatArray) -> bool:
    """The drop lasts until the day up to which it is furthest below half of the window's mean."""
    spread = float(reference.std())
    if spread == 0.0:
        return False
    z = np.clip((newest - reference.mean()) / spread, -OUTLIER, OUTLIER)
    last = int(np.argmin(np.cumsum(z - z.mean() / 2.0)))
    dependence = max(long_run_variance(reference / spread), 1.0)
    drop, told = float(z[: last + 1].mean()), 0.0
    for one in z[last + 1 :].tolist():
        told = max(told + log_likelihood_gain(one, drop, dependence), 0.0)
    return drop < 0.0 and told > RECOVERED
