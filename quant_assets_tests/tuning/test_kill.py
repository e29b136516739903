"""A search killed at any moment resumes with the trials it had finished."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from quant_assets_tests.support.killed_study import BROAD, NARROW, run_search, without_times

KILL_AFTER = (1, 4, 5, 4)
"""Trials after which each process is killed; the third kill is in the second stage."""


@pytest.mark.slow("four searches killed and gone on with")
def test_a_search_killed_several_times_makes_the_same_trials(tmp_path: Path) -> None:
    moments, lines = Random(5), []
    for trials in KILL_AFTER:
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "quant_assets_tests.support.killed_study",
                str(tmp_path / "killed.db"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        with child:
            lines += [child.stdout.readline() for _ in range(trials)]
            try:
                child.wait(moments.uniform(0.0, 0.1))
            except subprocess.TimeoutExpired:
                child.kill()
            lines += child.stdout.readlines()
        assert child.returncode == -9
    made = [position(line) for line in lines]
    assert made == sorted(set(made)), "a finished trial was made again"
    # Each kill leaves at most one trial that was stored and not reported.
    assert len(made) <= made[-1] <= len(made) + len(KILL_AFTER)
    assert BROAD < made[-1] < BROAD + NARROW

    resumed, whole = run_search(tmp_path / "killed.db"), run_search(tmp_path / "whole.db")
    assert len(whole.trials) == BROAD + NARROW
    assert without_times(resumed) == without_times(whole)


def position(line: str) -> int:
    """Return the number of a reported trial, counted over both stages."""
    before, _, after = line.partition(" trial ")
    return int(after.split()[0]) + BROAD * before.endswith("narrow")
