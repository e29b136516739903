"""How much loading the definitions costs over Dagster and pandas, which no user of it avoids."""

import subprocess
import sys
import time
from statistics import median


def run(repeats: int) -> dict[str, float]:
    statements = {
        "dagster, pandas": "import dagster, pandas",
        "ours": "import quant_assets.definitions",
    }
    seconds: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(repeats + 1):
        for name, statement in statements.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            seconds[name].append(time.perf_counter() - begun)
    plain, ours = (median(found[1:]) for found in seconds.values())
    return {
        "import dagster, pandas, s": plain,
        "import quant_assets.definitions, s": ours,
        "ratio (goal: at most 1.5)": ours / plain,
    }
