"""``quant-assets market``: check the description of a market, or write one from price files."""

import time
from pathlib import Path
from typing import Annotated

import typer

from quant_assets.cli.app import app

market = typer.Typer(no_args_is_help=True, help="Check or write the description of a market.")
app.add_typer(market, name="market")


@market.command()
def check(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="The description; `competition` is the one in the package."
        ),
    ] = "market.yaml",
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            metavar="PATH",
            help="Price files to compare it with; by default those that it names as its source.",
        ),
    ] = None,
) -> None:
    """Say what a description means: instruments, trading days, targets, size."""
    from quant_assets.commands.market import check_description
    from quant_assets.core.clock import Clock

    typer.echo("\n".join(check_description(file, data, Clock().now().date())))


@market.command()
def init(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True, metavar="FOLDER", help="CSV or Parquet files: long, wide or one a symbol."
        ),
    ],
    output: Annotated[
        Path, typer.Option(help="The file to write, which must not exist yet.")
    ] = Path("market.yaml"),
) -> None:
    """Write a commented description of a folder of price files."""
    from quant_assets.commands.market_file import write_description

    begun = time.perf_counter()
    found = write_description(folder, output)
    held = f"{len(found.fields):,} instruments" if found.fields else f"{len(found.series):,} series"
    days = f"{len(found.days):,} days from {found.days[0]} to {found.days[-1]}"
    typer.echo(f"{output}: {held}, {days}, in {time.perf_counter() - begun:.1f} s")
