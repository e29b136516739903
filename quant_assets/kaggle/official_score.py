"""The competition's score with the edges of its official code. The metric itself is in ``scoring``.

Facts about the official code: a truth of -999999 is empty. A day without a truth, or with one, is
an error; so is a day whose forecasts are all equal. A day with a forecast that is NaN although its
truth is known has no correlation, and drops out of mean and deviation without a message.
"""

from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray, IntArray
from quant_assets.scoring.metric import daily_ic, score_of_ic

EMPTY = -999999.0
"""How a solution file writes a label that is empty."""


_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class OfficialScore:
    """What the official code makes of a submission.

    Attributes:
        score: mean of the daily correlations over their deviation; None if the code would fail.
        scored: (d,) rows of the days that count.
        dropped: rows of days that drop out silently, since a forecast is NaN.
        failure: why the code would fail; empty if it would not.
        failing_row: row of the day on which it would fail; None if no single day is the reason.
    """

    score: float | None
    scored: IntArray
    dropped: IntArray
    failure: str = ""
    failing_row: int | None = None


def score_officially(forecast: FloatArray, labels: FloatArray) -> OfficialScore:
    """Score a submission as the official code does, row by row.

    Args:
        forecast: (n, m) forecasts; NaN where missing.
        labels: (n, m) labels; NaN or -999999 where empty.
    """
    labels = np.where(labels == EMPTY, np.nan, labels)
    known = ~np.isnan(labels)
    dropped = np.flatnonzero((known & np.isnan(forecast)).any(axis=1))
    whole = np.setdiff1d(np.arange(len(labels)), dropped)
    if not len(whole):
        return OfficialScore(None, whole, dropped, "no day is left")
    if (failing := _find_failing_day(forecast, labels, known, whole)) is not None:
        return OfficialScore(None, whole, dropped, *failing)
    # Only the order counts, and infinite forecasts are the largest or smallest.
    finite = np.clip(np.where(known, forecast, 0.0), -_LARGEST, _LARGEST)
    ic = daily_ic(finite[whole], labels[whole])
    try:
        return OfficialScore(score_of_ic(ic), whole, dropped)
    except ZeroDivisionError as error:
        return OfficialScore(None, whole, dropped, str(error))


def count_labels(labels: FloatArray) -> IntArray:
    """Return the (n,) numbers of known labels of (n, m) labels, NaN or -999999 where empty."""
    counts: IntArray = (~np.isnan(labels) & (labels != EMPTY)).sum(axis=1)
    return counts


def _find_failing_day(
    forecast: FloatArray, labels: FloatArray, known: BoolArray, whole: IntArray
) -> tuple[str, int] | None:
    """Return why the official code fails on a day, and the day's row; None if it does not."""
    counts = known.sum(axis=1)
    for few, text in ((0, "no label"), (1, "a single label")):
        if (counts == few).any():
            return text, int(np.argmax(counts == few))
    for values, text in ((forecast, "equal forecasts"), (labels, "equal labels")):
        low = np.where(known, values, np.inf).min(axis=1)
        high = np.where(known, values, -np.inf).max(axis=1)
        if (equal := (low == high)[whole]).any():
            return text, int(whole[np.argmax(equal)])
    return None
