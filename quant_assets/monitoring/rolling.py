"""The metric over the newest judged days against that of the days before: score, limits, level.

A level needs both: a shortfall that matters, and a score below what windows of the same length
drawn from the reference show. Arrays only; rows of the table are made in
``monitoring.performance``.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.evaluation.significance import resampled
from quant_assets.monitoring.expectation import BLOCK, LEAST, Record, by_reference, references
from quant_assets.settings import Settings
from quant_assets.typing import AnyArray, FloatArray, IntArray

WINDOWS = (20, 60, 250)
DEVIATIONS = {20: 3.3, 60: 3.0, 250: 2.8}
DEVIATIONS_CRITICAL = {20: 3.9, 60: 3.6, 250: 3.4}
_DRAWS = 500
_FLAT = 1e-12
NO_LABELS = "no labels of a forecast are released yet"
NO_SKILL = "the reference shows no skill that could be lost"


@dataclass(frozen=True)
class Rolling:
    """Figures of k days; NaN where there is none.

    Attributes:
        score: (k,) the metric.
        expected: (k,) that of the reference.
        limit: (k,) below it a score is hardly chance.
        limit_critical: (k,) below it even less.
        known: (k,) judged days so far.
        reference: (k,) days of the reference.
    """

    score: FloatArray
    expected: FloatArray
    limit: FloatArray
    limit_critical: FloatArray
    known: IntArray
    reference: IntArray


def rolling(record: Record, numbers: IntArray, window: int) -> Rolling:
    """The metric over the newest ``window`` days on each of the days with the given numbers."""
    known = record.known(numbers)
    found = {name: np.full(len(numbers), np.nan) for name in ("score", "expected", "low", "lowest")}
    length = np.zeros(len(numbers), np.int64)
    full = np.flatnonzero(known >= window)
    if len(full):
        totals, squares = (_running(x) for x in (record.values, record.values**2))
        last = known[full]
        found["score"][full] = _metric(totals, squares, last - window, last)
        start, end = references(record.numbers, last - window)
        length[full] = end - start
        for rows, shared in by_reference(start, end):
            expected = _metric(totals, squares, np.array([rows.start]), np.array([rows.stop]))[0]
            found["expected"][full[shared]] = expected
            for name, limit in zip(
                ("low", "lowest"), limits(record.values[rows], window), strict=True
            ):
                found[name][full[shared]] = limit
    return Rolling(found["score"], found["expected"], found["low"], found["lowest"], known, length)


def limits(reference: FloatArray, window: int) -> tuple[float, float]:
    """Below which scores of so many days are a warning, and critical.

    Standard deviations of windows drawn from the reference, below their mean: what is as rare as
    it has to be, for a window is judged every day, a hundred blocks do not show. It is widened by
    how unsure the reference's own score is: a difference of means of w and n days has 1 + w / n
    times the variance.
    """
    drawn = resampled(reference, window, block=BLOCK, draws=_DRAWS)
    spread = float(drawn.std() * np.sqrt(1.0 + window / len(reference)))
    mean = float(drawn.mean())
    return mean - DEVIATIONS[window] * spread, mean - DEVIATIONS_CRITICAL[window] * spread


def shortfall(score: FloatArray, expected: FloatArray) -> FloatArray:
    """(k,) share of the expected score that is lost; NaN where none is expected."""
    result = np.full(len(score), np.nan)
    np.divide(expected - score, expected, out=result, where=expected > 0)
    return result


def levels(found: Rolling, settings: Settings) -> AnyArray:
    """(k,) ok, warning or critical; None where none can be told."""
    lost = shortfall(found.score, found.expected)
    result = np.full(len(lost), "ok", dtype=object)
    result[np.isnan(lost)] = None
    # A limit that is NaN is not passed.
    low = (found.score < found.limit) & (lost >= settings.performance_warning)
    result[low] = "warning"
    critical = found.score < found.limit_critical
    result[low & critical & (lost > settings.performance_critical)] = "critical"
    return result


def reasons(found: Rolling, window: int) -> AnyArray:
    """(k,) why there is no level; None where there is one."""
    short = [
        f"{known} days are judged, {window} are needed" if known else NO_LABELS
        for known in found.known
    ]
    brief = [f"the reference has {days} days, {LEAST} are needed" for days in found.reference]
    flat = "the daily IC does not vary"
    result: AnyArray = np.where(found.expected > 0, flat, NO_SKILL).astype(object)
    result = np.where(found.reference < LEAST, brief, result).astype(object)
    result = np.where(found.known < window, short, result).astype(object)
    result[~np.isnan(shortfall(found.score, found.expected))] = None
    return result


def _running(values: FloatArray) -> FloatArray:
    """(n + 1,) sums of the first values: each depends on those before alone."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _metric(totals: FloatArray, squares: FloatArray, start: IntArray, end: IntArray) -> FloatArray:
    """(k,) the metric of the rows ``start`` to ``end``; NaN where they are all equal."""
    mean = (totals[end] - totals[start]) / (end - start)
    variance = (squares[end] - squares[start]) / (end - start) - mean**2
    result = np.full(len(mean), np.nan)
    np.divide(mean, np.sqrt(np.maximum(variance, 0.0)), out=result, where=variance > _FLAT)
    return result
