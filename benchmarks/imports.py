"""How much loading the definitions costs over Dagster and pandas, which no user of it avoids."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, medians

REPEATS = 5
DEFINITIONS = (
    "from quant_assets.definitions import build_definitions;"
    "from quant_assets.core.settings import load_settings;"
    "build_definitions(load_settings())"
)


def run(market: Path | None) -> list[Figure]:
    """Seconds of a fresh interpreter that imports both libraries, or the definitions, and ends.

    To import the definitions builds nothing yet; they are built as well, as Dagster does it.
    Both pay for the interpreter's start; after the first round both find their files in the
    system's cache. The ratio is what every Dagster process pays that loads this code location.
    """
    statements = {
        "import dagster, pandas": "import dagster, pandas",
        "load the definitions": DEFINITIONS,
    }

    # Installed libraries have compiled files, so these modules have as well.
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def interpreter(statement: str) -> None:
        command = [sys.executable, "-W", "ignore", "-c", statement]
        subprocess.run(command, check=True, env=variables)

    taken = medians(
        {name: partial(interpreter, code) for name, code in statements.items()}, REPEATS
    )
    plain, ours = taken.values()
    return [
        *(Figure(name, value, "s") for name, value in taken.items()),
        Figure("definitions / dagster and pandas", ours / plain, "x", at_most=1.3),
    ]
