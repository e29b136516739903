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


def tune(
    observations: Observations,
    storage: Path,
    name: str = "rank_prior",
    *,
    seed: int = 7,
    threads: int = 1,
    broad: int = BROAD,
    narrow: int = NARROW,
    minutes: float = 30.0,
    lines: list[str] | None = None,
) -> TuningResult:
    note = [].append if lines is None else lines.append
    result = tune_family(
        observations,
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
    return without_times(result)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuning") / "trials.db"


@pytest.fixture(scope="module")
def first_result(observations: Observations, storage: Path) -> TuningResult:
    return tune(observations, storage)


@pytest.mark.parametrize(("name", "broad"), [("rank_prior", BROAD), ("ridge", 4), ("lightgbm", 2)])
def test_the_best_is_never_worse_than_the_defaults(
    name: str, broad: int, observations: Observations, storage: Path
) -> None:
    result = tune(observations, storage, name, broad=broad, narrow=broad - 1)
    assert len(result.trials) == 2 * broad - 1
    defaults = load_family(name).defaults
    assert result.trials[0].parameters.items() <= defaults.items()
    assert result.value >= result.default_value == result.trials[0].value
    assert set(result.parameters) == set(defaults)
    check_parameters(name, json.loads(json.dumps(dict(result.parameters))))


def test_the_value_is_that_of_the_parameters(
    first_result: TuningResult, observations: Observations
) -> None:
    family = load_family("rank_prior")
    for parameters, value in (
        (first_result.parameters, first_result.value),
        (family.defaults, first_result.default_value),
    ):
        ics = [
            validate_fold(observations, fold, family, parameters, Resources())
            for fold in first_result.folds
        ]
        assert objective_value(ics) == value


def test_the_second_stage_is_near_the_best_of_the_first(first_result: TuningResult) -> None:
    assert [trial.stage for trial in first_result.trials] == ["broad"] * BROAD + ["narrow"] * NARROW
    first, second = first_result.trials[:BROAD], first_result.trials[BROAD:]
    best = max(first, key=lambda trial: float("-inf") if trial.value is None else trial.value)
    for trial in second:
        difference = trial.parameters["shrinkage"] - best.parameters["shrinkage"]
        assert abs(difference) <= 0.4 * 0.95
    windows = [np.log(trial.parameters["window"]) for trial in second]
    assert np.ptp(windows) <= 0.4 * np.log(2500 / 120) + 0.02


def test_a_finished_search_makes_no_trial_again(
    first_result: TuningResult, observations: Observations, storage: Path
) -> None:
    lines: list[str] = []
    assert tune(observations, storage, lines=lines) == first_result
    assert lines == []


def test_the_same_seed_makes_the_same_trials_with_any_threads(
    first_result: TuningResult, observations: Observations, tmp_path: Path
) -> None:
    assert tune(observations, tmp_path / "again.db", threads=2) == first_result
    assert tune(observations, tmp_path / "again.db", seed=8).trials[1:] != first_result.trials[1:]


def test_nothing_after_the_last_label_judged_matters(
    first_result: TuningResult, observations: Observations, storage: Path, tmp_path: Path
) -> None:
    """Neither later prices nor the number of later days make it another search."""
    last = first_result.folds[-1].known_row
    assert last < len(observations.days) - 1
    lines: list[str] = []
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), last))
    cut = observations.rows(0, last + 1)
    assert tune(altered, storage, lines=lines) == tune(cut, storage, lines=lines) == first_result
    assert lines == []
    assert tune(altered, tmp_path / "afresh.db") == first_result

    sooner = synthetic.observe(synthetic.altered_after(synthetic.prices(), last - 1))
    assert tune(sooner, storage, lines=lines).default_value != first_result.default_value
    assert lines


def test_a_fold_does_not_depend_on_what_becomes_known_later(
    first_result: TuningResult, observations: Observations
) -> None:
    """Changed days after a fold's last label change the ICs of later folds only."""
    family, known_row = load_family("rank_prior"), first_result.folds[1].known_row
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), known_row))
    ours, theirs = (
        [
            validate_fold(x, fold, family, family.defaults, Resources())
            for fold in first_result.folds
        ]
        for x in (altered, observations)
    )
    np.testing.assert_array_equal(np.concatenate(ours[:2]), np.concatenate(theirs[:2]))
    assert not np.array_equal(ours[-1], theirs[-1])


def test_without_time_the_defaults_are_judged_and_kept(
    first_result: TuningResult, observations: Observations, tmp_path: Path
) -> None:
    alone = tune(observations, tmp_path / "trials.db", minutes=0.0)
    assert alone.trials == first_result.trials[:1]
    assert alone.parameters == load_family("rank_prior").defaults
    assert alone.value == alone.default_value == first_result.default_value
    assert alone.importance == {}
    assert tune(observations, tmp_path / "trials.db") == first_result


def test_more_trials_continue_the_stored_ones(
    first_result: TuningResult, observations: Observations, storage: Path
) -> None:
    lines: list[str] = []
    more = tune(observations, storage, broad=BROAD + 2, lines=lines)
    assert more.trials[:BROAD] == first_result.trials[:BROAD]
    assert sum("broad" in line for line in lines) == 2
    assert tune(observations, storage) == first_result


def test_importance_is_a_share_of_every_tuned_parameter(
    observations: Observations, storage: Path
) -> None:
    shares = tune(observations, storage, broad=12).importance
    assert set(shares) == {"window", "prior_days", "shrinkage"}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_labels_missing_from_the_start_are_reported(
    observations: Observations, tmp_path: Path
) -> None:
    known_labels = observations.known_labels.copy()
    known_labels[:180] = np.nan
    with pytest.raises(NotEnoughHistoryError, match="too few days with known labels"):
        tune(replace(observations, known_labels=known_labels), tmp_path / "trials.db")


def test_a_search_that_cannot_begin_leaves_no_file(
    observations: Observations, tmp_path: Path
) -> None:
    path = tmp_path / "trials.db"
    with pytest.raises(UnknownNameError, match="did you mean ridge"):
        tune(observations, path, "rigde")
    with pytest.raises(NotEnoughHistoryError, match="too few days to tune on"):
        tune_family(observations, "ridge", path, seed=7, threads=1, note=print, folds=Folds())
    assert not list(tmp_path.iterdir())
