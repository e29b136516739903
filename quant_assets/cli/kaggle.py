"""``quant-assets kaggle``: what concerns the competition on Kaggle alone."""

from pathlib import Path
from typing import Annotated

import typer

from quant_assets.cli.app import app
from quant_assets.core.settings import load_settings

kaggle = typer.Typer(no_args_is_help=True, help="Answer, replay and check the competition.")
app.add_typer(kaggle, name="kaggle")


@kaggle.callback()
def about() -> None:
    """Answer the competition's gateway, replay its days, and check a submission."""


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


@kaggle.command()
def serve(
    data: Annotated[
        Path, typer.Option(help="The competition's folder, with its own package or without.")
    ],
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one."),
    ] = None,
) -> None:
    """Answer the competition's gateway from the loaded market, until Ctrl-C.

    If the folder holds the package kaggle_evaluation, its server is used; otherwise one that
    speaks the same protocol on this machine only.
    """
    from quant_assets.commands.kaggle_server import serve_predictions

    serve_predictions(data, port, typer.echo)


@kaggle.command()
def replay(
    folder: Annotated[Path, typer.Argument(help="A folder with test.csv and lagged_test_labels.")],
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("submission.parquet"),
    days: Annotated[int | None, typer.Option(min=1, help="Send the first days only.")] = None,
    address: Annotated[
        str | None, typer.Option(help="A server that runs already, such as 127.0.0.1:50051.")
    ] = None,
    official: Annotated[
        bool, typer.Option("--official", help="Use the gateway of the folder's own package.")
    ] = False,
) -> None:
    """Send a folder's days to an inference server as the competition does; write the submission.

    Without an address a server is started for the time of the replay. Each answer is checked more
    strictly than the competition does. Ends with 1 if a day was answered without a forecast.
    """
    from quant_assets.commands.kaggle_server import replay_folder, replay_officially

    if official:
        replay_officially(folder, output)
        typer.echo(f"{output}: written by the competition's own gateway")
        return
    if address:
        typer.echo(f"waits for a server on {address}, 15 minutes at most")
    replayed = replay_folder(folder, output, days=days, address=address, follow=lambda _: None)
    typer.echo(replayed.describe())
    if replayed.failures:
        raise typer.Exit(1)


@kaggle.command()
def notebook(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    download: Annotated[
        bool, typer.Option("--download", help="Add wheels of all libraries that are needed.")
    ] = False,
    python: Annotated[str, typer.Option(help="Kaggle's version of Python.")] = "3.11",
) -> None:
    """Write a ready notebook, and the dataset that it needs on Kaggle without internet.

    The dataset holds this package, the lake and the fits. Without --download the libraries come
    from Kaggle's image.
    """
    from quant_assets.kaggle.dataset import prepare_notebook

    prepared = prepare_notebook(load_settings(), folder, python if download else None)
    typer.echo(f"{prepared.notebook}: upload it, and switch its internet off")
    typer.echo(
        f"{prepared.dataset}: make a dataset of it, {prepared.megabytes:.0f} MB"
        f" with {prepared.wheels} wheel{'s' * (prepared.wheels != 1)}, and add it to the notebook"
    )
