"""Trials in a file, judged by a made-up family whose best parameters are known."""

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
from quant_assets.tuning.search import Search, open_trials

SPACE: Space = {
    "x": Float(0.001, 10.0, log=True),
    "n": Int(1, 50),
    "inputs": Choice((("a",), ("a", "b"))),
}
START = {"x": 5.0, "n": 40, "inputs": ("a",)}
FOLDS = 6
NEVER = float("inf")


def judge(parameters: Parameters) -> Iterator[FloatArray]:
    """Best at x = 0.1, n = 10, both inputs; a fit of more than 45 fails."""
    miss = abs(np.log10(parameters["x"]) + 1) + abs(parameters["n"] - 10) / 20
    miss += parameters["inputs"] != ("a", "b")
    for fold in range(FOLDS):
        if parameters["n"] > 45:
            raise FitError("did not converge")
        yield np.random.default_rng(fold).normal(1.0 - miss, 1.0, 40)


def search(stored: optuna.storages.RDBStorage, said: list[str], deadline: float = NEVER) -> Search:
    return Search("made up", "made up", stored, 3, deadline, FOLDS, judge, said.append)


def trials_of(found: list[optuna.trial.FrozenTrial]) -> list[tuple[object, ...]]:
    return [(t.params, t.value, t.state, t.intermediate_values) for t in found]


def test_the_search_comes_near_the_best_and_gives_up_what_is_bad(tmp_path: Path) -> None:
    said: list[str] = []
    with open_trials(tmp_path / "trials.db", said.append) as stored:
        found = search(stored, said).broad(SPACE, 40, START)
    assert decode_parameters(SPACE, found[0].params) == START
    finished = [t for t in found if t.state == optuna.trial.TrialState.COMPLETE]
    best = max(finished, key=lambda t: t.value or 0.0)
    assert best.value > finished[0].value + 1.0
    assert decode_parameters(SPACE, best.params)["inputs"] == ("a", "b")
    given_up = [t for t in found if t.state == optuna.trial.TrialState.PRUNED]
    failed = [t for t in given_up if t.params["n"] > 45]
    assert failed
    assert not any(t.intermediate_values for t in failed)
    early = [t for t in given_up if t not in failed]
    assert early
    assert all(0 < len(t.user_attrs["metrics"]) < FOLDS for t in early)
    assert len(said) == 40
    assert sum("given up" in line for line in said) == len(given_up)


def test_defaults_that_cannot_be_fitted_are_an_error_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with open_trials(tmp_path / "trials.db", print) as stored, pytest.raises(FitError):
            search(stored, []).broad(SPACE, 5, {**START, "n": 46})


def test_a_search_in_pieces_is_the_search_in_one(tmp_path: Path) -> None:
    near: Space = {**SPACE, "x": Float(0.01, 1.0, log=True), "n": Int(5, 20)}
    with open_trials(tmp_path / "one.db", print) as stored:
        whole = search(stored, []).broad(SPACE, 20, START)
        second = search(stored, []).narrow(near, 12, whole)
    for wanted in (1, 2, 9, 20):
        with open_trials(tmp_path / "pieces.db", print) as stored:
            first = search(stored, []).broad(SPACE, wanted, START)
    for wanted in (1, 7, 12):
        with open_trials(tmp_path / "pieces.db", print) as stored:
            pieces = search(stored, []).narrow(near, wanted, first)
    assert trials_of(first) == trials_of(whole)
    assert trials_of(pieces) == trials_of(second)
    assert all(t.params["n"] in near["n"] for t in second)


def test_time_up_leaves_the_defaults_and_goes_on_later(tmp_path: Path) -> None:
    with open_trials(tmp_path / "trials.db", print) as stored:
        alone = search(stored, [], deadline=0.0).broad(SPACE, 20, START)
        assert [decode_parameters(SPACE, t.params) for t in alone] == [START]
        assert search(stored, [], deadline=0.0).narrow(SPACE, 5, alone) == []
        later = search(stored, []).broad(SPACE, 20, START)
    with open_trials(tmp_path / "at once.db", print) as stored:
        assert trials_of(later) == trials_of(search(stored, []).broad(SPACE, 20, START))


def test_optuna_is_silent_while_the_file_is_open_and_as_before_after(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = optuna.logging.get_verbosity()
    with open_trials(tmp_path / "trials.db", [].append) as stored:
        search(stored, []).broad(SPACE, 3, START)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_any_file_name_will_do(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "50% of {all}?x=1#.db"
    with open_trials(path, print) as stored:
        found = search(stored, []).broad(SPACE, 2, START)
    assert len(found) == 2
    assert path.exists()


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(LakeError, match=r"trials\.db(?s:.*)begins anew"), open_trials(path, print):
        pass
    assert path.read_bytes() == b"not a database" * 100
