"""``quant-assets kaggle``: output in the terminal."""

from pathlib import Path

import typer

from quant_assets.kaggle.submission_check import CheckedSubmission, check_submission
from quant_assets.kaggle.submission_file import read_file
from quant_assets.market.description.reading import competition_description
from quant_assets.sources.competition.folder import TARGETS


def report_submission(submission: Path, labels: Path | None) -> bool:
    """Print what is wrong with a submission, and its score; return whether it is fit to submit.

    Args:
        submission: the file.
        labels: a file with labels of its days; None scores nothing.

    Raises:
        SubmissionError: a file cannot be read.
    """
    targets = competition_description().submission.columns(TARGETS)
    checked = check_submission(
        read_file(submission), targets, read_file(labels) if labels else None
    )
    typer.echo(f"{submission}: {_describe(checked)}")
    for problem in checked.problems:
        typer.echo(f"{problem.severity:<8} {problem.text}")
    if not checked.problems:
        typer.echo("nothing is wrong")
    if checked.score is not None and checked.score.score is not None:
        days = len(checked.score.scored)
        typer.echo(f"score    {checked.score.score:.6f} over {days} days")
    elif checked.labelled is not None and checked.labelled.score is not None:
        days = len(checked.labelled.scored)
        typer.echo(
            f"score    {checked.labelled.score:.6f} over the {days} days with two labels at least;"
            " leave the others out of both files"
        )
    return not checked.fails


def _describe(checked: CheckedSubmission) -> str:
    days = checked.days
    span = f", days {days.min()} to {days.max()}" if len(days) else ""
    return f"{checked.file.rows} rows, {len(checked.file.columns)} columns{span}"
