"""The metric over all days at once against the competition's loop over rows.

Run it as ``python -m benchmarks.metric``.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from quant_assets.evaluation.metric import competition_score
from quant_assets.ranks import average_ranks
from quant_assets_tests.evaluation.reference import row_by_row_score

DAYS, TARGETS = 1500, 424
Result = TypeVar("Result")


def run(repeats: int = 5) -> dict[str, float]:
    """Seconds of both over DAYS x TARGETS, their ratio, and the seconds of one ranking.

    The fast ones are the best of ``repeats``; the loop over rows runs once.
    """
    random = np.random.default_rng(0)
    truth = random.standard_t(3, size=(DAYS, TARGETS))
    forecast = 0.1 * truth + random.normal(size=truth.shape)
    truth[random.random(truth.shape) < 0.105] = np.nan
    slow, expected = seconds(lambda: row_by_row_score(forecast, truth), 1)
    fast, score = seconds(lambda: competition_score(forecast, truth), repeats)
    ranking, _ = seconds(lambda: average_ranks(truth), repeats)
    return {
        "rows_seconds": slow,
        "seconds": fast,
        "ratio": slow / fast,
        "ranking_seconds": ranking,
        "difference": abs(score - expected),
    }


def seconds(work: Callable[[], Result], repeats: int) -> tuple[float, Result]:
    """Wall-clock seconds, the best of some runs, and the result."""
    best = np.inf
    for _ in range(repeats):
        begun = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begun)
    return best, result


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:<16}{value:>12.3g}")
