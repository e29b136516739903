"""What is wrong with a submission file, and its score if labels are given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.errors import SubmissionError
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.kaggle.official_score import OfficialScore, count_labels, score_officially
from quant_assets.kaggle.problems import (
    DAY_COLUMN,
    Problem,
    Severity,
    check_names,
    check_text,
    check_values,
    error,
    read_days,
    shorten,
)
from quant_assets.kaggle.submission_file import TableFile


@dataclass(frozen=True)
class CheckedSubmission:
    """The result of a check.

    Attributes:
        file: the file.
        problems: what is wrong with it.
        days: (n,) numbers of its days; empty if they cannot be read.
        scored_days: (d,) days that the labels score; None without labels.
        score: the official score; None without labels, or if the file cannot be scored.
        labelled: the official score of the days that have two labels at least, if others would let
            the official code fail; None otherwise.
    """

    file: TableFile
    problems: tuple[Problem, ...]
    days: IntArray
    scored_days: IntArray | None = None
    score: OfficialScore | None = None
    labelled: OfficialScore | None = None

    @property
    def fails(self) -> bool:
        """Whether a problem is an error."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)


def check_submission(
    file: TableFile, targets: Sequence[str], labels: TableFile | None = None
) -> CheckedSubmission:
    """Check a submission, and score it if labels are given.

    Args:
        file: the submission.
        targets: names of the columns of forecasts, in order.
        labels: the days' labels, as ``train_labels.csv`` or a solution file has them.

    Raises:
        SubmissionError: the labels lack a column or a day number.
    """
    problems = [*check_text(file), *check_names(file, targets)]
    days, of_days = read_days(file)
    problems += of_days
    columns = [file.find(name) for name in targets]
    if any(column is None for column in columns) or not file.rows:
        return CheckedSubmission(file, tuple(problems), days)
    present = [column for column in columns if column is not None]
    values = np.stack([column.numbers for column in present], axis=1)
    problems += check_values(present, values, days)
    if labels is None or len(days) != file.rows:
        return CheckedSubmission(file, tuple(problems), days)
    known_days, known = _read_labels(labels, targets)
    scored, rows, at = np.intersect1d(days, known_days, return_indices=True)
    problems += _check_missing_days(days, known_days, scored, labels)
    score = score_officially(values[rows], known[at]) if len(scored) else None
    labelled = None
    if score is not None:
        problems += _check_score(score, scored)
        enough = count_labels(known[at]) >= 2
        if score.failure and enough.any() and not enough.all():
            labelled = score_officially(values[rows][enough], known[at][enough])
    return CheckedSubmission(file, tuple(problems), days, scored, score, labelled)


def _read_labels(labels: TableFile, targets: Sequence[str]) -> tuple[IntArray, FloatArray]:
    """Return the days of the labels, and the (n, m) labels; NaN where empty."""
    day = labels.find(DAY_COLUMN)
    columns = [labels.find(name) for name in targets]
    lacking = [name for name, column in zip(targets, columns, strict=True) if column is None]
    if day is None or lacking:
        raise SubmissionError(
            "the labels cannot be used",
            where=str(labels.path),
            expected=f"a column {DAY_COLUMN} and a column for each target",
            found=f"no {shorten(lacking or [DAY_COLUMN])}",
        )
    if not np.isfinite(day.numbers).all() or len(np.unique(day.numbers)) < labels.rows:
        raise SubmissionError(
            f"{DAY_COLUMN} of the labels has no number, or one twice", where=str(labels.path)
        )
    values = np.stack([column.numbers for column in columns if column is not None], axis=1)
    return day.numbers.astype(np.int64), values


def _check_missing_days(
    days: IntArray, known_days: IntArray, scored: IntArray, labels: TableFile
) -> Iterator[Problem]:
    if not len(scored):
        yield error(f"no day has labels in {labels.path.name}, whose days are {_span(known_days)}")
        return
    inside = known_days[(known_days >= days.min()) & (known_days <= days.max())]
    if len(lacking := np.setdiff1d(inside, days)):
        yield error(f"{len(lacking)} days with labels have no row: {shorten(lacking)}")


def _check_score(score: OfficialScore, scored: IntArray) -> Iterator[Problem]:
    if score.failure:
        day = "" if score.failing_row is None else f" on day {scored[score.failing_row]}"
        yield error(f"the official code fails: {score.failure}{day}")
    if len(score.dropped):
        yield error(
            f"{len(score.dropped)} days drop out of the score, such as {scored[score.dropped[0]]}"
        )


def _span(days: IntArray) -> str:
    return f"{days.min()} to {days.max()}" if len(days) else "none"
