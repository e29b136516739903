"""The first sign of a drop: two capped CUSUMs over the markets' daily ICs, weighed by precision.

A window that must not raise false alarms is slow: it has to fill with worse days first. A CUSUM
(Page, 1954, "Continuous inspection schemes") adds up how much worse than expected each day is,
begins again whenever it was not, and so looks back to the most likely beginning of a change.

What a day may fall short before it counts decides which drops are found soonest: one CUSUM is built
for skill that is gone, which takes weeks to tell from chance, the other for a collapse, which takes
days. What is told is the one that is nearer to its limits. How a sum goes on from day to day is in
``monitoring.capped_sum``.

The IC of all targets is ruled by the markets that move most. The mean of the ICs of each pair of
markets, weighed by the inverse of its variance in the reference, has the same skill in less noise.
Arrays only.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.monitoring.skill.capped_sum import CappedSum, sum_limits
from quant_assets.monitoring.skill.drop_end import OUTLIER
from quant_assets.monitoring.skill.reference_window import (
    LEAST,
    DailyRecord,
    WindowComparison,
    group_by_reference,
    long_run_variance,
    reference_rows,
)

DELAY = 60
"""Days that the reference ends before the day judged: a drop should not lower what is expected."""
SLACK = 0.75
"""Share of the expected score by which a day must fall short to count: built for a lost signal and
one of the wrong sign, between which it lies."""
COLLAPSE = 1.0
"""The same in standard deviations of a day, for drops of two and more."""
RARER = 10.0
"""Times rarer that the CUSUM for these has to be wrong by the normal distribution: it lives on the
days that are further off, of which there are more in truth."""
_FLAT = 1e-9
_LEAST_EXPECTED = 0.2


@dataclass(frozen=True)
class Cusum:
    """State after each of n judged days; NaN before there is a reference.

    Attributes:
        total: (n,) the sum, in standard deviations of a day; never below 0.
        days: (n,) days since it began.
        expected: (n,) score of the reference.
        slack: (n,) what a day may fall short.
        limit: (n,) from it on a drop is hardly chance.
        limit_critical: (n,) from it on even less; not much more is ever added up.
        reference: (n,) days of the reference.
    """

    total: FloatArray
    days: IntArray
    expected: FloatArray
    slack: FloatArray
    limit: FloatArray
    limit_critical: FloatArray
    reference: IntArray


def nearest_cusum(record: DailyRecord) -> Cusum:
    """On each day of a record that of the two CUSUMs which is nearer to its limits."""
    lost, collapsed = run_cusums(record)
    nearer = _nearness(collapsed) > _nearness(lost)
    chosen = {
        name: np.where(nearer, quick, slow)
        for (name, slow), quick in zip(vars(lost).items(), vars(collapsed).values(), strict=True)
    }
    return Cusum(**chosen)


def run_cusums(record: DailyRecord) -> tuple[Cusum, Cusum]:
    """The CUSUMs after each day of a record: for skill that is gone, and for a collapse.

    Args:
        record: (n, 1 + p) daily ICs: of all targets, which never is NaN, and of p parts, NaN where
            a part has none. A day without parts is judged by all targets.

    Days of a drop that is critical are no reference for later ones: what is expected does not
    follow a broken signal down.
    """
    n = len(record.numbers)
    start, end = reference_rows(record.numbers, np.maximum(np.arange(n) - DELAY, 0))
    found = _empty(end - start), _empty(end - start)
    states = [CappedSum(), CappedSum()]
    spoilt = np.zeros(n, np.bool_)
    for rows, shared in group_by_reference(start, end):
        sound = ~spoilt[rows]
        kept = record.values[rows][sound if sound.sum() >= LEAST else slice(None)]
        weights = _weights(kept[:, 1:])
        whole, of_parts = _expect(kept[:, 0]), _expect(_weighed(kept[:, 1:], weights))
        expected = of_parts or whole
        if expected is None:
            continue
        today = _standardised(_weighed(record.values[shared, 1:], weights), of_parts)
        otherwise = _standardised(record.values[shared, 0], whole)
        today = np.clip(np.where(np.isnan(today), otherwise, today), -OUTLIER, OUTLIER)
        share = SLACK * max(expected.score, _LEAST_EXPECTED)
        built = ((share, 1.0), (COLLAPSE, RARER))
        for i, (one, (slack, rarer)) in enumerate(zip(found, built, strict=True)):
            bounds = sum_limits(slack, expected.dependence, expected.days, rarer)
            one.expected[shared], one.slack[shared] = expected.score, slack
            one.limit[shared], one.limit_critical[shared] = bounds.limit, bounds.limit_critical
            for row, z in zip(shared.tolist(), today.tolist(), strict=True):
                if not np.isnan(z):
                    states[i] = states[i].after(z, bounds)
                one.total[row], one.days[row] = states[i].total, states[i].days
                if states[i].total > bounds.limit_critical:
                    spoilt[row - states[i].days + 1 : row + 1] = True
    return found


def _empty(reference: IntArray) -> Cusum:
    n = len(reference)
    total, expected, slack, limit, limit_critical = np.full((5, n), np.nan)
    return Cusum(total, np.zeros(n, np.int64), expected, slack, limit, limit_critical, reference)


@dataclass(frozen=True)
class _Expected:
    """What a reference says of the days that are held against it.

    Attributes:
        mean: of a day's IC.
        spread: its standard deviation.
        score: the one over the other.
        dependence: long-run variance of a day's deviation.
        days: how many it is known from.
    """

    mean: float
    spread: float
    score: float
    dependence: float
    days: int


def _nearness(found: Cusum) -> FloatArray:
    """(n,) how near the sum is to its limits: 0 far, 1 at the first, 2 at the critical one."""
    below = found.total / found.limit
    above = (found.total - found.limit) / (found.limit_critical - found.limit)
    result: FloatArray = np.where(found.total > found.limit, 1.0 + above, below)
    return result


def _expect(reference: FloatArray) -> _Expected | None:
    """None if the reference's days do not differ, or there are too few."""
    reference = reference[~np.isnan(reference)]
    if len(reference) < LEAST // 2 or reference.std() < _FLAT:
        return None
    mean, spread = float(reference.mean()), float(reference.std())
    dependence = max(long_run_variance(reference / spread), 1.0)
    return _Expected(mean, spread, mean / spread, dependence, len(reference))


def _standardised(values: FloatArray, expected: _Expected | None) -> FloatArray:
    """(n,) deviations from what is expected; NaN where that is not known."""
    if expected is None:
        return np.full(len(values), np.nan)
    result: FloatArray = (values - expected.mean) / expected.spread
    return result


def cusum_as_window(found: Cusum, known: IntArray) -> WindowComparison:
    """The state as scores: what the mean since the sum began is, were it not capped.

    Args:
        found: of n judged days.
        known: (k,) how many of them are known on each day asked for.

    The score is below a bound exactly where the sum is above its limit; as long as the sum is 0 it
    is the expected one, and has no bounds.
    """
    if not len(found.total):
        nothing, empty = np.full(len(known), np.nan), np.full((len(known), 2), np.nan)
        return WindowComparison(nothing, nothing, empty, known, np.zeros(len(known), np.int64))
    last = np.maximum(known - 1, 0)
    days = np.where(found.days[last] > 0, found.days[last], np.nan)
    expected = np.where(known > 0, found.expected[last], np.nan)
    value, *bounds = (
        expected - found.slack[last] - figure[last] / days
        for figure in (found.total, found.limit, found.limit_critical)
    )
    value = np.where(np.isnan(days), expected, value)
    return WindowComparison(value, expected, np.stack(bounds, axis=1), known, found.reference[last])


def _weights(values: FloatArray) -> FloatArray:
    """(p,) inverse of each part's variance; 0 of a part that has too few days to tell."""
    variance = np.full(values.shape[1], np.nan)
    enough = (~np.isnan(values)).sum(axis=0) >= LEAST // 2
    variance[enough] = np.nanvar(values[:, enough], axis=0)
    result = np.zeros(len(variance))
    np.divide(1.0, variance, out=result, where=variance > 0)
    return result


def _weighed(values: FloatArray, weights: FloatArray) -> FloatArray:
    """(n,) weighted mean of the parts that have a value; NaN where none has."""
    held = ~np.isnan(values) * weights
    total = held.sum(axis=1)
    result = np.full(len(values), np.nan)
    np.divide((np.nan_to_num(values) * held).sum(axis=1), total, out=result, where=total > 0)
    return result
