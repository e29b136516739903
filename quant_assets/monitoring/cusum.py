"""The first sign of a drop: a capped CUSUM over the markets' daily ICs, weighed by precision.

A window that must not raise false alarms is slow: it has to fill with worse days first. A CUSUM
(Page, 1954, "Continuous inspection schemes") adds up how much worse than expected each day is,
begins again whenever it was not, and so looks back to the most likely beginning of a change.

Alone, it would fall by its slack a day after a fault is mended: a cap keeps it from rising far, and
a second test of Page's looks for the end. The drop's days are those from the sum's beginning to its
highest day, were it not capped; what tells the days since from them is added up, and once it is
hardly chance the sum begins again.

The IC of all targets is ruled by the markets that move most. The mean of the ICs of each pair of
markets, weighed by the inverse of its variance in the reference, has the same skill in less noise.
Arrays only.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.monitoring.expectation import (
    LEAST,
    Compared,
    Record,
    by_reference,
    long_run_variance,
    references,
)
from quant_assets.monitoring.recovery import OUTLIER, RECOVERED, gain
from quant_assets.typing import FloatArray, IntArray

DELAY = 60
"""Days that the reference ends before the day judged: a drop should not lower what is expected."""
SLACK = 0.75
"""Share of the expected score by which a day must fall short to count: built for a lost signal and
one of the wrong sign, between which it lies."""
RUN, RUN_CRITICAL = 6000.0, 30000.0
"""Days between two false alarms, were the reference the truth."""
_FLAT = 1e-9
_CAP = 1.0
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


def cusum(record: Record) -> Cusum:
    """The CUSUM after each day of a record.

    Args:
        record: (n, 1 + p) daily ICs: of all targets, which never is NaN, and of p parts, NaN where
            a part has none. A day without parts is judged by all targets.

    Days of a drop that is critical are no reference for later ones: what is expected does not
    follow a broken signal down.
    """
    n = len(record.numbers)
    start, end = references(record.numbers, np.maximum(np.arange(n) - DELAY, 0))
    held = np.full((5, n), np.nan)
    days = np.zeros(n, np.int64)
    found = Cusum(held[0], days, held[1], held[2], held[3], held[4], end - start)
    spoilt = np.zeros(n, np.bool_)
    state = _Sum()
    for rows, shared in by_reference(start, end):
        sound = ~spoilt[rows]
        kept = record.values[rows][sound if sound.sum() >= LEAST else slice(None)]
        weights = _weights(kept[:, 1:])
        whole, of_parts = _expect(kept[:, 0]), _expect(_weighed(kept[:, 1:], weights))
        expected = of_parts or whole
        if expected is None:
            continue
        for name in ("expected", "slack", "limit", "limit_critical"):
            getattr(found, name)[shared] = getattr(expected, name)
        today = _standardised(_weighed(record.values[shared, 1:], weights), of_parts)
        otherwise = _standardised(record.values[shared, 0], whole)
        today = np.where(np.isnan(today), otherwise, today)
        for row, z in zip(shared.tolist(), np.clip(today, -OUTLIER, OUTLIER), strict=True):
            if not np.isnan(z):
                state = state.after(z, expected)
            found.total[row], found.days[row] = state.total, state.days
            if state.total > expected.limit_critical:
                spoilt[row - state.days + 1 : row + 1] = True
    return found


@dataclass(frozen=True)
class _Expected:
    """What a reference says of the days that are held against it."""

    mean: float
    spread: float
    expected: float
    slack: float
    limit: float
    limit_critical: float
    dependence: float


@dataclass(frozen=True)
class _Sum:
    """The sum, and what is remembered of the days since it began.

    Attributes:
        total: the sum.
        days: how many there are.
        deviations: sum of their deviations.
        uncapped: the sum without its cap.
        highest: most that it was.
        drop: mean deviation of the days until then.
        recovered: log-likelihood ratio, of the days after, of no drop against this one.
    """

    total: float = 0.0
    days: int = 0
    deviations: float = 0.0
    uncapped: float = 0.0
    highest: float = 0.0
    drop: float = 0.0
    recovered: float = 0.0

    def after(self, z: float, expected: _Expected) -> "_Sum":
        """The state after another day of deviation ``z``."""
        rise = -z - expected.slack
        total = min(self.total + rise, expected.limit_critical + _CAP)
        if total <= 0.0:
            return _Sum()
        days, deviations = self.days + 1, self.deviations + z
        uncapped = self.uncapped + rise
        if uncapped >= self.highest:
            return _Sum(total, days, deviations, uncapped, uncapped, deviations / days)
        recovered = max(self.recovered + gain(z, self.drop, expected.dependence), 0.0)
        if total > expected.limit and recovered > RECOVERED:
            return _Sum()
        return _Sum(total, days, deviations, uncapped, self.highest, self.drop, recovered)


def _expect(reference: FloatArray) -> _Expected | None:
    """None if the reference's days do not differ, or there are too few."""
    reference = reference[~np.isnan(reference)]
    if len(reference) < LEAST // 2 or reference.std() < _FLAT:
        return None
    mean, spread = float(reference.mean()), float(reference.std())
    slack = SLACK * max(mean / spread, _LEAST_EXPECTED)
    dependence = max(long_run_variance(reference / spread), 1.0)
    # The mean expected is off by about so much; a sum drifts upward if it is too high.
    drift = max(slack - np.sqrt(dependence / len(reference)), slack / 4)
    limit, limit_critical = (_limit(run, drift, dependence) for run in (RUN, RUN_CRITICAL))
    return _Expected(mean, spread, mean / spread, slack, limit, limit_critical, dependence)


def _standardised(values: FloatArray, expected: _Expected | None) -> FloatArray:
    """(n,) deviations from what is expected; NaN where that is not known."""
    if expected is None:
        return np.full(len(values), np.nan)
    result: FloatArray = (values - expected.mean) / expected.spread
    return result


def as_window(found: Cusum, known: IntArray) -> Compared:
    """The state as scores: what the mean since the sum began is, were it not capped.

    Args:
        found: of n judged days.
        known: (k,) how many of them are known on each day asked for.

    The score is below a bound exactly where the sum is above its limit; as long as the sum is 0 it
    is the expected one, and has no bounds.
    """
    if not len(found.total):
        nothing, empty = np.full(len(known), np.nan), np.full((len(known), 2), np.nan)
        return Compared(nothing, nothing, empty, known, np.zeros(len(known), np.int64))
    last = np.maximum(known - 1, 0)
    days = np.where(found.days[last] > 0, found.days[last], np.nan)
    expected = np.where(known > 0, found.expected[last], np.nan)
    value, *bounds = (
        expected - found.slack[last] - figure[last] / days
        for figure in (found.total, found.limit, found.limit_critical)
    )
    value = np.where(np.isnan(days), expected, value)
    return Compared(value, expected, np.stack(bounds, axis=1), known, found.reference[last])


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


def _limit(run: float, slack: float, dependence: float) -> float:
    """What a sum reaches by chance once in so many days.

    Source: Siegmund (1985), "Sequential analysis", of a Brownian motion with drift ``-slack`` and
    variance ``dependence`` a day; days are added up one by one, which lowers it.
    """
    scaled = 2.0 * slack**2 * run / dependence
    x = np.log1p(scaled)
    for _ in range(20):
        x = np.log1p(scaled + x)
    return float(max(x * dependence / (2.0 * slack) - 1.166 * np.sqrt(dependence), 1.0))
