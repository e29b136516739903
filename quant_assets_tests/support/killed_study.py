"""A study in its own process, for tests that kill it."""

import sys
from dataclasses import replace
from pathlib import Path

from quant_assets.tuning.folds import Folds
from quant_assets.tuning.study import TuningResult, tune_family
from quant_assets_tests.support import synthetic

FOLDS = Folds(first_fit_after=200, validation_days=60, step_days=40)
BROAD, NARROW = 8, 20


def run_search(storage: Path) -> TuningResult:
    observations = synthetic.observe(synthetic.prices())
    return tune_family(
        observations,
        "rank_prior",
        storage,
        seed=7,
        threads=1,
        broad=BROAD,
        narrow=NARROW,
        note=report,
        folds=FOLDS,
    )


def report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def without_times(tuned: TuningResult) -> TuningResult:
    return replace(tuned, trials=tuple(replace(trial, seconds=0.0) for trial in tuned.trials))


if __name__ == "__main__":
    run_search(Path(sys.argv[1]))
