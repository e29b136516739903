"""Whether a drop is over: compare the newest days with the days of the drop.

Uses Page's test (1954) once more, between the drop's mean and no drop. Finding a drop belongs in
``monitoring.skill.rolling_score`` and ``monitoring.skill.cusum``. Arrays only.
"""

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.monitoring.skill.reference_window import (
    MIN_REFERENCE_DAYS,
    DailyRecord,
    long_run_variance,
    reference_rows,
)

RECOVERY_LIMIT = 5.0
"""Log-likelihood ratio above which the days since a drop are no part of it. A drop that persists is
taken to be over about once in 600 days if it is one standard deviation, in 100 if it is 2.5."""
MAX_DEVIATION = 3.0
"""Standard deviations at which a day's deviation is clipped."""


def log_likelihood_gain(z: float, drop_mean: float, dependence: float) -> float:
    """Compute what a day adds to the log-likelihood ratio of no drop against a drop.

    Args:
        z: the day's deviation, in standard deviations.
        drop_mean: mean deviation of the drop's days, below 0.
        dependence: long-run variance of a day's deviation.
    """
    return -drop_mean * (z - drop_mean / 2.0) / dependence


def has_recovered(
    record: DailyRecord, date_ids: IntArray, window: int, is_low: BoolArray
) -> BoolArray:
    """Find the days on which a low score over a window comes from a drop that is over.

    The reference is that of the window. The result for a day depends on what is known on it alone.

    Args:
        record: (n,) daily ICs of all days that may be known.
        date_ids: (k,) numbers of the days asked for.
        window: judged days.
        is_low: (k,) the days on which the score is low; the result is False on the others.

    Returns:
        (k,) whether the drop is over; False where the reference is too short or constant.
    """
    known = record.count_known(date_ids)
    result = np.zeros(len(date_ids), np.bool_)
    for day in np.flatnonzero(is_low & (known >= window)):
        newest = record.values[known[day] - window : known[day]]
        (start,), (end,) = reference_rows(record.date_ids, known[day : day + 1] - window)
        if end - start >= MIN_REFERENCE_DAYS:
            result[day] = _is_over(newest, record.values[start:end])
    return result


def _is_over(newest: FloatArray, reference: FloatArray) -> bool:
    """Whether the (w,) ICs of a window end with days that are no part of the drop in it.

    The drop ends on the day on which the sum of deviations, less half of their mean a day, is
    lowest.
    """
    spread = float(reference.std())
    if spread == 0.0:
        return False
    z = np.clip((newest - reference.mean()) / spread, -MAX_DEVIATION, MAX_DEVIATION)
    last = int(np.argmin(np.cumsum(z - z.mean() / 2.0)))
    dependence = max(long_run_variance(reference / spread), 1.0)
    drop_mean, recovery = float(z[: last + 1].mean()), 0.0
    for deviation in z[last + 1 :].tolist():
        recovery = max(recovery + log_likelihood_gain(deviation, drop_mean, dependence), 0.0)
    return drop_mean < 0.0 and recovery > RECOVERY_LIMIT
