"""Time of loading the definitions over the imports of Dagster and pandas, which it needs."""

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
    """Measure the seconds of a fresh interpreter that imports both libraries, or the definitions.

    The definitions are imported and built, as Dagster does it. Both figures include the start of
    the interpreter; after the first round, all files are in the system's cache. The ratio is the
    cost for every Dagster process that loads this code location.
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
