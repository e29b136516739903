"""The whole line as a user runs it: first load, second call, one day; and what Dagster adds to a load.

Every figure is of a fresh process on a fresh data directory.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("quant-assets"))


def run(market: Path | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        figures = _market("simulated market", [], Path(folder))
    if market is not None:
        with tempfile.TemporaryDirectory() as folder:
            figures |= _market("competition folder", [str(market.resolve())], Path(folder))
    return figures


def _market(name: str, arguments: list[str], data: Path) -> dict[str, float]:
    environment = {**os.environ, "QUANT_DATA_DIR": str(data)}

    def timed(*command: str) -> float:
        begun = time.perf_counter()
        subprocess.run(
            [PROGRAM, *command],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - begun

    whole = timed("demo", *arguments)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    query = "SELECT max(trading_day)::VARCHAR AS day FROM raw.prices"
    found = subprocess.run(
        [PROGRAM, "sql", query, "--format", "json"],
        env=environment,
        check=True,
        capture_output=True,
    )
    day = json.loads(found.stdout)[0]["day"]
    daily = [
        timed("backfill", "--job", "refresh_daily", "--from", day, "--to", day) for _ in range(3)
    ]
    return {
        f"{name}: demo, s": whole,
        f"{name}: peak memory, GB": peak,
        f"{name}: second demo, s": timed("demo", *arguments),
        f"{name}: one day, refresh_daily, s": sorted(daily)[1],
    }
