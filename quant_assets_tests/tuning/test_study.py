"""Families tuned on the small market."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import NotEnoughHistoryError, UnknownNameError
from quant_assets.models.parameters import check_parameters
from quant_assets.models.protocol import Observations, Resources
from quant_assets.models.registry import load_family
from quant_assets.tuning.folds import Folds
from quant_assets.tuning.objective import objective_value, validate_fold
from quant_assets.tuning.study import TuningResult, tune_family
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.killed_study import FOLDS, without_times

BROAD, NARROW = 7, 5


def tuned(
    seen: Observations,
    storage: Path,
    name: str = "rank_prior",
    *,
    seed: int = 7,
    threads: int = 1,
    broad: int = BROAD,
    narrow: int = NARROW,
    minutes: float = 30.0,
    said: list[str] | None = None,
) -> TuningResult:
    note = [].append if said is None else said.append
    found = tune_family(
        seen,
        name,
        storage,
        seed=seed,
        threads=threads,
        broad=broad,
        narrow=narrow,
        minutes=minutes,
        note=note,
        folds=FOLDS,
    )
    return without_times(found)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuning") / "trials.db"


@pytest.fixture(scope="module")
def once(seen: Observations, storage: Path) -> TuningResult:
    return tuned(seen, storage)


@pytest.mark.parametrize(("name", "broad"), [("rank_prior", BROAD), ("ridge", 4), ("lightgbm", 2)])
def test_the_best_is_never_worse_than_the_defaults(
    name: str, broad: int, seen: Observations, storage: Path
) -> None:
    found = tuned(seen, storage, name, broad=broad, narrow=broad - 1)
    assert len(found.trials) == 2 * broad - 1
    defaults = load_family(name).defaults
    assert found.trials[0].parameters.items() <= defaults.items()
    assert found.value >= found.default_value == found.trials[0].value
    assert set(found.parameters) == set(defaults)
    check_parameters(name, json.loads(json.dumps(dict(found.parameters))))


def test_the_value_is_that_of_the_parameters(once: TuningResult, seen: Observations) -> None:
    chosen = load_family("rank_prior")
    for parameters, value in (
        (once.parameters, once.value),
        (chosen.defaults, once.default_value),
    ):
        ics = [validate_fold(seen, fold, chosen, parameters, Resources()) for fold in once.folds]
        assert objective_value(ics) == value


def test_the_second_stage_is_near_the_best_of_the_first(once: TuningResult) -> None:
    assert [trial.stage for trial in once.trials] == ["broad"] * BROAD + ["narrow"] * NARROW
    first, second = once.trials[:BROAD], once.trials[BROAD:]
    best = max(first, key=lambda trial: float("-inf") if trial.value is None else trial.value)
    for trial in second:
        difference = trial.parameters["shrinkage"] - best.parameters["shrinkage"]
        assert abs(difference) <= 0.4 * 0.95
    windows = [np.log(trial.parameters["window"]) for trial in second]
    assert np.ptp(windows) <= 0.4 * np.log(2500 / 120) + 0.02


def test_a_finished_search_makes_no_trial_again(
    once: TuningResult, seen: Observations, storage: Path
) -> None:
    said: list[str] = []
    assert tuned(seen, storage, said=said) == once
    assert said == []


def test_the_same_seed_makes_the_same_trials_with_any_threads(
    once: TuningResult, seen: Observations, tmp_path: Path
) -> None:
    assert tuned(seen, tmp_path / "again.db", threads=2) == once
    assert tuned(seen, tmp_path / "again.db", seed=8).trials[1:] != once.trials[1:]


def test_nothing_after_the_last_label_judged_matters(
    once: TuningResult, seen: Observations, storage: Path, tmp_path: Path
) -> None:
    """Not later prices, and not how many later days there are: it is the same search."""
    last = once.folds[-1].known_on
    assert last < len(seen.days) - 1
    said: list[str] = []
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), last))
    cut = seen.rows(0, last + 1)
    assert tuned(altered, storage, said=said) == tuned(cut, storage, said=said) == once
    assert said == []
    assert tuned(altered, tmp_path / "afresh.db") == once

    sooner = synthetic.observe(synthetic.altered_after(synthetic.prices(), last - 1))
    assert tuned(sooner, storage, said=said).default_value != once.default_value
    assert said


def test_what_a_fold_cannot_know_does_not_move_it(once: TuningResult, seen: Observations) -> None:
    """Days after a fold's last label: its metric and those before stay, later ones do not."""
    chosen, known_on = load_family("rank_prior"), once.folds[1].known_on
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), known_on))
    ours, theirs = (
        [validate_fold(x, fold, chosen, chosen.defaults, Resources()) for fold in once.folds]
        for x in (altered, seen)
    )
    np.testing.assert_array_equal(np.concatenate(ours[:2]), np.concatenate(theirs[:2]))
    assert not np.array_equal(ours[-1], theirs[-1])


def test_without_time_the_defaults_are_judged_and_kept(
    once: TuningResult, seen: Observations, tmp_path: Path
) -> None:
    alone = tuned(seen, tmp_path / "trials.db", minutes=0.0)
    assert alone.trials == once.trials[:1]
    assert alone.parameters == load_family("rank_prior").defaults
    assert alone.value == alone.default_value == once.default_value
    assert alone.importance == {}
    assert tuned(seen, tmp_path / "trials.db") == once


def test_more_trials_go_on_from_those_there_are(
    once: TuningResult, seen: Observations, storage: Path
) -> None:
    said: list[str] = []
    more = tuned(seen, storage, broad=BROAD + 2, said=said)
    assert more.trials[:BROAD] == once.trials[:BROAD]
    assert sum("broad" in line for line in said) == 2
    assert tuned(seen, storage) == once


def test_importance_is_a_share_of_every_tuned_parameter(seen: Observations, storage: Path) -> None:
    shares = tuned(seen, storage, broad=12).importance
    assert set(shares) == {"window", "prior_days", "shrinkage"}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_labels_missing_from_the_start_are_reported(seen: Observations, tmp_path: Path) -> None:
    released = seen.released.copy()
    released[:180] = np.nan
    with pytest.raises(NotEnoughHistoryError, match="too few days with released labels"):
        tuned(replace(seen, released=released), tmp_path / "trials.db")


def test_what_cannot_be_tuned_leaves_no_file(seen: Observations, tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    with pytest.raises(UnknownNameError, match="did you mean ridge"):
        tuned(seen, path, "rigde")
    with pytest.raises(NotEnoughHistoryError, match="too few days to tune on"):
        tune_family(seen, "ridge", path, seed=7, threads=1, note=print, folds=Folds())
    assert not list(tmp_path.iterdir())
