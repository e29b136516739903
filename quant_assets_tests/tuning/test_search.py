"""Trials in a file, judged by an invented family whose best parameters are known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest

from quant_assets.core.errors import FitError, LakeError
from quant_assets.core.typing import FloatArray
from quant_assets.models.protocol import Parameters
from quant_assets.models.search_space import Choice, Float, Int, Space
from quant_assets.tuning.distributions import decode_parameters
from quant_assets.tuning.search import Search
from quant_assets.tuning.trial_file import open_trials

SPACE: Space = {
    "x": Float(0.001, 10.0, log=True),
    "n": Int(1, 50),
    "inputs": Choice((("a",), ("a", "b"))),
}
START = {"x": 5.0, "n": 40, "inputs": ("a",)}
FOLDS = 6
NEVER = float("inf")


def judge(parameters: Parameters) -> Iterator[FloatArray]:
    """Give the best ICs at x = 0.1, n = 10 and both inputs; fail with n above 45."""
    miss = abs(np.log10(parameters["x"]) + 1) + abs(parameters["n"] - 10) / 20
    miss += parameters["inputs"] != ("a", "b")
    for fold in range(FOLDS):
        if parameters["n"] > 45:
            raise FitError("did not converge")
        yield np.random.default_rng(fold).normal(1.0 - miss, 1.0, 40)


def search(
    storage: optuna.storages.RDBStorage, lines: list[str], deadline: float = NEVER
) -> Search:
    return Search("invented", "invented", storage, 3, deadline, FOLDS, judge, lines.append)


def trials_of(trials: list[optuna.trial.FrozenTrial]) -> list[tuple[object, ...]]:
    return [(t.params, t.value, t.state, t.intermediate_values) for t in trials]


def test_the_search_comes_near_the_best_and_gives_up_bad_trials(tmp_path: Path) -> None:
    lines: list[str] = []
    with open_trials(tmp_path / "trials.db", lines.append) as storage:
        trials = search(storage, lines).run_broad(SPACE, 40, START)
    assert decode_parameters(SPACE, trials[0].params) == START
    finished = [t for t in trials if t.state == optuna.trial.TrialState.COMPLETE]
    best = max(finished, key=lambda t: t.value or 0.0)
    assert best.value > finished[0].value + 1.0
    assert decode_parameters(SPACE, best.params)["inputs"] == ("a", "b")
    given_up = [t for t in trials if t.state == optuna.trial.TrialState.PRUNED]
    failed = [t for t in given_up if t.params["n"] > 45]
    assert failed
    assert not any(t.intermediate_values for t in failed)
    early = [t for t in given_up if t not in failed]
    assert early
    assert all(0 < len(t.user_attrs["metrics"]) < FOLDS for t in early)
    assert len(lines) == 40
    assert sum("given up" in line for line in lines) == len(given_up)


def test_defaults_that_cannot_be_fitted_are_an_error_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with open_trials(tmp_path / "trials.db", print) as storage, pytest.raises(FitError):
            search(storage, []).run_broad(SPACE, 5, {**START, "n": 46})


def test_an_interrupted_search_makes_the_same_trials(tmp_path: Path) -> None:
    near: Space = {**SPACE, "x": Float(0.01, 1.0, log=True), "n": Int(5, 20)}
    with open_trials(tmp_path / "one.db", print) as storage:
        whole = search(storage, []).run_broad(SPACE, 20, START)
        second = search(storage, []).run_narrow(near, 12, whole)
    for wanted in (1, 2, 9, 20):
        with open_trials(tmp_path / "pieces.db", print) as storage:
            first = search(storage, []).run_broad(SPACE, wanted, START)
    for wanted in (1, 7, 12):
        with open_trials(tmp_path / "pieces.db", print) as storage:
            pieces = search(storage, []).run_narrow(near, wanted, first)
    assert trials_of(first) == trials_of(whole)
    assert trials_of(pieces) == trials_of(second)
    assert all(t.params["n"] in near["n"] for t in second)


def test_after_the_deadline_only_the_defaults_are_tried(tmp_path: Path) -> None:
    with open_trials(tmp_path / "trials.db", print) as storage:
        alone = search(storage, [], deadline=0.0).run_broad(SPACE, 20, START)
        assert [decode_parameters(SPACE, t.params) for t in alone] == [START]
        assert search(storage, [], deadline=0.0).run_narrow(SPACE, 5, alone) == []
        later = search(storage, []).run_broad(SPACE, 20, START)
    with open_trials(tmp_path / "at once.db", print) as storage:
        assert trials_of(later) == trials_of(search(storage, []).run_broad(SPACE, 20, START))


def test_optuna_logs_nothing_while_the_file_is_open(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = optuna.logging.get_verbosity()
    with open_trials(tmp_path / "trials.db", [].append) as storage:
        search(storage, []).run_broad(SPACE, 3, START)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_any_file_name_works(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "50% of {all}?x=1#.db"
    with open_trials(path, print) as storage:
        trials = search(storage, []).run_broad(SPACE, 2, START)
    assert len(trials) == 2
    assert path.exists()


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(LakeError, match=r"trials\.db(?s:.*)begins anew"), open_trials(path, print):
        pass
    assert path.read_bytes() == b"not a database" * 100
