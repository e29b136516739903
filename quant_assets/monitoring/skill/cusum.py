"""Find the first sign of a drop: two capped CUSUMs over the daily ICs of the pairs of markets.

A window of days that seldom raises a false alarm is slow: worse days have to fill it first. A CUSUM
(Page, 1954, "Continuous inspection schemes") adds up how much worse than expected each day is, and
starts again whenever the sum is not positive. So it looks back to the most likely start of a
change. How a sum goes from day to day is in ``monitoring.skill.capped_sum``.

The slack of a CUSUM, the shortfall of a day that is not added up, decides which drops it finds
soonest. One CUSUM is built for lost skill, which takes weeks to tell from chance; the other for a
collapse, which takes days. The one that is nearer to its limits is reported.

The markets that move most dominate the IC of all targets. The mean of the ICs of the pairs of
markets, weighted by the inverse of their variances in the reference, has the same skill and less
noise. Arrays only.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.monitoring.skill.capped_sum import CappedSum, sum_limits
from quant_assets.monitoring.skill.drop_end import MAX_DEVIATION
from quant_assets.monitoring.skill.reference_window import (
    MIN_REFERENCE_DAYS,
    DailyRecord,
    WindowComparison,
    group_by_reference,
    long_run_variance,
    reference_rows,
)

REFERENCE_DELAY_DAYS = 60
"""Days from the end of the reference to the judged day, so that a drop does not lower what is
expected."""
LOSS_SLACK_SHARE = 0.75
"""Slack of the CUSUM for lost skill, as a share of the expected score: it lies between half of it,
which suits a lost signal, and all of it, which suits a signal of the wrong sign."""
COLLAPSE_SLACK = 1.0
"""Slack of the CUSUM for a collapse, in standard deviations of a day: for drops of two and more."""
COLLAPSE_FALSE_ALARM_FACTOR = 10.0
"""How many times rarer false alarms of the CUSUM for a collapse are by the normal distribution. It
depends on extreme days, and real ICs have more of these than a normal distribution."""
_FLAT = 1e-9
_MIN_EXPECTED_SCORE = 0.2


@dataclass(frozen=True)
class Cusum:
    """The state of a CUSUM after each of n judged days; NaN before there is a reference.

    Attributes:
        total: (n,) the sum, in standard deviations of a day; never below 0.
        days: (n,) days since the sum started.
        expected: (n,) score of the reference.
        slack: (n,) shortfall of a day that is not added up, in standard deviations.
        limit: (n,) sum above which a drop is a warning.
        limit_critical: (n,) sum above which a drop is critical; the sum is capped just above it.
        reference_days: (n,) days of the reference.
    """

    total: FloatArray
    days: IntArray
    expected: FloatArray
    slack: FloatArray
    limit: FloatArray
    limit_critical: FloatArray
    reference_days: IntArray


def nearest_cusum(record: DailyRecord) -> Cusum:
    """Take, on each day of a record, the one of the two CUSUMs that is nearer to its limits.

    See :func:`run_cusums` for the shape of the record.
    """
    loss, collapse = run_cusums(record)
    is_collapse = _nearness(collapse) > _nearness(loss)
    chosen = {
        name: np.where(is_collapse, of_collapse, of_loss)
        for (name, of_loss), of_collapse in zip(
            vars(loss).items(), vars(collapse).values(), strict=True
        )
    }
    return Cusum(**chosen)


def run_cusums(record: DailyRecord) -> tuple[Cusum, Cusum]:
    """Run the CUSUM for lost skill and the CUSUM for a collapse over a record.

    Days of a critical drop are left out of later references, so that the expected score does not
    follow a broken signal down.

    Args:
        record: (n, 1 + p) daily ICs: of all targets, never NaN, and of p pairs of markets, NaN
            where a pair has none. A day without any pair is judged by all targets.
    """
    n = len(record.date_ids)
    start, end = reference_rows(record.date_ids, np.maximum(np.arange(n) - REFERENCE_DELAY_DAYS, 0))
    cusums = _empty_cusum(end - start), _empty_cusum(end - start)
    states = [CappedSum(), CappedSum()]
    in_critical_drop = np.zeros(n, np.bool_)
    for rows, positions in group_by_reference(start, end):
        sound = ~in_critical_drop[rows]
        reference = record.values[rows][sound if sound.sum() >= MIN_REFERENCE_DAYS else slice(None)]
        weights = _precision_weights(reference[:, 1:])
        of_all = _expect(reference[:, 0])
        of_pairs = _expect(_weighted_mean(reference[:, 1:], weights))
        expected = of_pairs or of_all
        if expected is None:
            continue
        z = _standardise(_weighted_mean(record.values[positions, 1:], weights), of_pairs)
        z_of_all = _standardise(record.values[positions, 0], of_all)
        z = np.clip(np.where(np.isnan(z), z_of_all, z), -MAX_DEVIATION, MAX_DEVIATION)
        loss_slack = LOSS_SLACK_SHARE * max(expected.score, _MIN_EXPECTED_SCORE)
        designs = ((loss_slack, 1.0), (COLLAPSE_SLACK, COLLAPSE_FALSE_ALARM_FACTOR))
        for i, (cusum, (slack, factor)) in enumerate(zip(cusums, designs, strict=True)):
            limits = sum_limits(slack, expected.dependence, expected.days, factor)
            cusum.expected[positions], cusum.slack[positions] = expected.score, slack
            cusum.limit[positions] = limits.limit
            cusum.limit_critical[positions] = limits.limit_critical
            for row, deviation in zip(positions.tolist(), z.tolist(), strict=True):
                if not np.isnan(deviation):
                    states[i] = states[i].add_day(deviation, limits)
                cusum.total[row], cusum.days[row] = states[i].total, states[i].days
                if states[i].total > limits.limit_critical:
                    in_critical_drop[row - states[i].days + 1 : row + 1] = True
    return cusums


def _empty_cusum(reference_days: IntArray) -> Cusum:
    n = len(reference_days)
    total, expected, slack, limit, limit_critical = np.full((5, n), np.nan)
    return Cusum(
        total, np.zeros(n, np.int64), expected, slack, limit, limit_critical, reference_days
    )


@dataclass(frozen=True)
class _Expectation:
    """What a later day is expected to be like, estimated from a reference.

    Attributes:
        mean: mean daily IC.
        spread: standard deviation of the daily IC.
        score: mean over standard deviation.
        dependence: long-run variance of a day's standardised deviation.
        days: days of the reference with an IC.
    """

    mean: float
    spread: float
    score: float
    dependence: float
    days: int


def _nearness(cusum: Cusum) -> FloatArray:
    """(n,) how near the sum is to its limits: 0 far, 1 at the first, 2 at the critical one."""
    below = cusum.total / cusum.limit
    above = (cusum.total - cusum.limit) / (cusum.limit_critical - cusum.limit)
    result: FloatArray = np.where(cusum.total > cusum.limit, 1.0 + above, below)
    return result


def _expect(reference: FloatArray) -> _Expectation | None:
    """Estimate the expectation; None if ICs do not vary, or too few days of the (n,) have one."""
    reference = reference[~np.isnan(reference)]
    if len(reference) < MIN_REFERENCE_DAYS // 2 or reference.std() < _FLAT:
        return None
    mean, spread = float(reference.mean()), float(reference.std())
    dependence = max(long_run_variance(reference / spread), 1.0)
    return _Expectation(mean, spread, mean / spread, dependence, len(reference))


def _standardise(values: FloatArray, expected: _Expectation | None) -> FloatArray:
    """(n,) deviations from the expected mean, in standard deviations; NaN without expectation."""
    if expected is None:
        return np.full(len(values), np.nan)
    result: FloatArray = (values - expected.mean) / expected.spread
    return result


def cusum_as_window(cusum: Cusum, known_days: IntArray) -> WindowComparison:
    """Express the state of a CUSUM as scores, so that it can stand beside rolling scores.

    The value is the score of the days since the sum started, were the sum not capped. It is below a
    bound exactly where the sum is above its limit. While the sum is 0, the value is the expected
    score, and the bounds are NaN.

    Args:
        cusum: state after each of n judged days.
        known_days: (k,) how many of these days are known on each day asked for.
    """
    if not len(cusum.total):
        nothing, empty = np.full(len(known_days), np.nan), np.full((len(known_days), 2), np.nan)
        reference_days = np.zeros(len(known_days), np.int64)
        return WindowComparison(nothing, nothing, empty, known_days, reference_days)
    last = np.maximum(known_days - 1, 0)
    days = np.where(cusum.days[last] > 0, cusum.days[last], np.nan)
    expected = np.where(known_days > 0, cusum.expected[last], np.nan)
    value, *bounds = (
        expected - cusum.slack[last] - sums[last] / days
        for sums in (cusum.total, cusum.limit, cusum.limit_critical)
    )
    value = np.where(np.isnan(days), expected, value)
    return WindowComparison(
        value, expected, np.stack(bounds, axis=1), known_days, cusum.reference_days[last]
    )


def _precision_weights(values: FloatArray) -> FloatArray:
    """(p,) inverse variance of each column of the (n, p) values; 0 where too few are known."""
    variance = np.full(values.shape[1], np.nan)
    enough = (~np.isnan(values)).sum(axis=0) >= MIN_REFERENCE_DAYS // 2
    variance[enough] = np.nanvar(values[:, enough], axis=0)
    result = np.zeros(len(variance))
    np.divide(1.0, variance, out=result, where=variance > 0)
    return result


def _weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """(n,) weighted mean of the known values of each row of (n, p); NaN where none is known."""
    known_weights = ~np.isnan(values) * weights
    total = known_weights.sum(axis=1)
    result = np.full(len(values), np.nan)
    np.divide(
        (np.nan_to_num(values) * known_weights).sum(axis=1), total, out=result, where=total > 0
    )
    return result
