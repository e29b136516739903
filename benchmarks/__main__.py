"""``make bench``: every benchmark beside its alternatives, as a table and as a JSON file."""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types

from benchmarks import (
    drops,
    events,
    features,
    imports,
    imputation,
    lake,
    metric,
    models,
    pipeline,
    revisions,
    scale,
    serving,
    var,
    walk,
    watch,
)
from benchmarks.figures import Figure, in_fresh_process
from quant_assets.core.settings import load_settings

BENCHMARKS = {
    "imports": imports.run,
    "metric": metric.run,
    "features": features.run,
    "imputation": imputation.run,
    "models": models.run,
    "var": var.run,
    "lake": lake.run,
    "revisions": revisions.run,
    "events": events.run,
    "pipeline": pipeline.run,
    "walk": walk.run,
    "watch": watch.run,
    "drops": drops.run,
    "scale": scale.run,
    "serving": serving.run,
}
PACKAGES = ("dagster", "duckdb", "numpy", "pandas", "polars", "lightgbm")


def machine() -> dict[str, object]:
    """Describe the machine and the versions that the figures belong to."""
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def main(names: Sequence[str], market: Path | None) -> dict[str, list[Figure]]:
    """Run the benchmarks, each in a fresh process, and print the figures of each at its end.

    Benchmarks that need a market use the market in the folder, or the simulated market without one.
    """
    print("  ".join(f"{name} {value}" for name, value in machine().items()), flush=True)
    results = {}
    for name in names:
        print(f"\n{name}", flush=True)
        started = time.perf_counter()
        results[name] = in_fresh_process(BENCHMARKS[name], market)
        for figure in results[name]:
            print(figure.line())
        print(f"  ({time.perf_counter() - started:.0f} s)", flush=True)
    return results


def save(results: dict[str, list[Figure]]) -> Path:
    """Write ``benchmarks.json`` into the data directory, and return its path."""
    file = load_settings().data_dir / "benchmarks.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": {
            name: {figure.name: figure.as_json() for figure in figures}
            for name, figures in results.items()
        },
    }
    file.write_text(json.dumps(content, indent=1) + "\n")
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="a market in the competition's format")
    parser.add_argument(
        "--only", choices=tuple(BENCHMARKS), help="run one benchmark; nothing is saved"
    )
    chosen = parser.parse_args()
    folder = chosen.folder and chosen.folder.resolve(strict=True)
    if chosen.only:
        main([chosen.only], folder)
    else:
        print(f"\nsaved as {save(main(list(BENCHMARKS), folder))}")
