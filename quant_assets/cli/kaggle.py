"""``quant-assets kaggle``: what concerns the competition on Kaggle alone."""

from pathlib import Path
from typing import Annotated

import typer

from quant_assets.cli.app import app

kaggle = typer.Typer(no_args_is_help=True, help="Check a submission to the competition.")
app.add_typer(kaggle, name="kaggle")


@kaggle.callback()
def about() -> None:
    """Check a submission to the competition."""


@kaggle.command()
def check(
    submission: Annotated[Path, typer.Argument(help="A .csv or .parquet file.")],
    labels: Annotated[
        Path | None,
        typer.Argument(help="The days' labels: train_labels.csv, or a solution file."),
    ] = None,
) -> None:
    """Say what is wrong with a submission, and score it if labels are given.

    Ends with 1 if the submission would fail or lose days.
    """
    from quant_assets.commands.kaggle import report_submission

    if not report_submission(submission, labels):
        raise typer.Exit(1)
