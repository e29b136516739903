"""``make bench``: every benchmark, as a table and as ``data/benchmarks.json``."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import events, features, imports, lake, metric, models, pipeline
from quant_assets.settings import load_settings

QUICK_REPEATS, SLOW_REPEATS = 5, 1


def main(market: Path | None) -> None:
    results: dict[str, dict[str, float]] = {}
    for name, measure in (
        ("imports", lambda: imports.run(QUICK_REPEATS)),
        ("metric", lambda: metric.run(QUICK_REPEATS)),
        ("features", lambda: features.run(3, market)),
        ("models", lambda: models.run(SLOW_REPEATS)),
        ("lake", lambda: lake.run(QUICK_REPEATS)),
        ("events", lambda: events.run(SLOW_REPEATS)),
        ("pipeline", lambda: pipeline.run(market)),
    ):
        print(f"\n{name}", flush=True)
        results[name] = measure()
        for figure, value in results[name].items():
            print(f"  {figure:<58} {value:12.4g}", flush=True)
    file = load_settings().data_dir / "benchmarks.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    file.write_text(json.dumps({"measured": stamp, **results}, indent=1))
    print(f"\nsaved as {file}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
