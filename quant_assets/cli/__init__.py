"""``quant-assets``: the command line. Each command is a few lines around ``commands``."""

import gc
import sys
from typing import NoReturn

import typer

from quant_assets.cli import (
    computing,
    kaggle,
    keys,
    market,
    releases,
    review,
    safekeeping,
    serving,
    simulation,
    submissions,
    viewing,
)
from quant_assets.cli.app import app
from quant_assets.core.errors import QuantAssetsError

__all__ = [
    "app",
    "computing",
    "kaggle",
    "keys",
    "main",
    "market",
    "releases",
    "review",
    "safekeeping",
    "serving",
    "simulation",
    "submissions",
    "viewing",
]


def main() -> None:
    """Run the command line; print a user's error as a message, not as a traceback."""
    # Half of a short command is importing, and a tenth of that would be looking for garbage.
    gc.set_threshold(200_000)
    try:
        app()
    except QuantAssetsError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.strerror or error}\n  where: {error.filename or 'the system'}")


def _fail(message: str) -> NoReturn:
    typer.secho(f"error: {message}", fg="red", err=True)
    sys.exit(1)
