"""Time of the metric over all days at once, against the competition's loop over rows."""

from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, medians
from quant_assets.core.ranks import average_ranks
from quant_assets.scoring.metric import competition_score
from quant_assets_tests.support.metric_reference import row_by_row_score

DAYS, TARGETS = 1500, 424
EMPTY = 0.105
"""Share of empty labels, as in the competition's history."""
REPEATS = 5


def run(market: Path | None) -> list[Figure]:
    """Measure the seconds of both metrics over DAYS x TARGETS forecasts and labels.

    The loop is the metric as its host wrote it, with pandas, and returns an equal score. Both get
    arrays that are already in memory.
    """
    random = np.random.default_rng(0)
    truth = random.standard_t(3, size=(DAYS, TARGETS))
    forecast = 0.1 * truth + random.normal(size=truth.shape)
    truth[random.random(truth.shape) < EMPTY] = np.nan
    difference = abs(competition_score(forecast, truth) - row_by_row_score(forecast, truth))
    taken = medians(
        {
            "rows": lambda: row_by_row_score(forecast, truth),
            "ours": lambda: competition_score(forecast, truth),
            "ranking": lambda: average_ranks(truth),
        },
        REPEATS,
        warm_ups=0,
    )
    return [
        Figure(f"{DAYS} days x {TARGETS} targets, row by row", taken["rows"], "s"),
        Figure(f"{DAYS} days x {TARGETS} targets, all at once", taken["ours"], "s"),
        Figure("row by row / all at once", taken["rows"] / taken["ours"], "x", at_least=50),
        Figure("one ranking of all labels", taken["ranking"], "s"),
        Figure("difference of the two scores", difference, at_most=1e-9),
    ]
