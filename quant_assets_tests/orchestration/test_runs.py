"""Runs from the command line: the instance they share with the UI, and how they end."""

import os
import signal
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from filelock import FileLock

from quant_assets.core.errors import LakeError, QualityError
from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.run_locks import (
    close_abandoned_runs,
    hold_run_lock,
    release_run_lock,
)
from quant_assets.orchestration.execution.runs import (
    find_root_cause,
    open_instance,
    prepare_home,
)
from quant_assets_tests.support.installation import PATIENCE, Installation, digests
from quant_assets_tests.support.scheduler import command_run

RUNNING = {
    "of a dead process": command_run("load_history"),
    "of a living process": command_run("load_history"),
    "of the UI": dg.DagsterRun("load_history"),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_only_runs_whose_process_died_are_closed(settings: Settings) -> None:
    with open_instance(settings) as opened:
        for run in RUNNING.values():
            opened.add_run(run)
            opened.report_dagster_event(
                dg.DagsterEvent("PIPELINE_START", "load_history"), run.run_id
            )
            # Here the run's process is this one.
            release_run_lock(opened, run.run_id)
    living = settings.dagster_home / "locks" / RUNNING["of a living process"].run_id
    with FileLock(living), open_instance(settings) as opened:
        found = {name: opened.get_run_by_id(run.run_id) for name, run in RUNNING.items()}
    assert {name: run.status.name for name, run in found.items() if run} == {
        "of a dead process": "FAILURE",
        "of a living process": "STARTED",
        "of the UI": "STARTED",
    }


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.STARTING, Status.CANCELING])
def test_a_command_that_died_before_its_run_began_or_as_it_ended_is_closed(
    settings: Settings, status: Status
) -> None:
    dead, living = (command_run("load_history").with_status(status) for _ in range(2))
    with open_instance(settings) as opened:
        for run in (dead, living):
            opened.add_run(run)
        with hold_run_lock(opened, living.run_id):
            close_abandoned_runs(opened)
        assert {run.run_id: run.status for run in opened.get_runs()} == {
            dead.run_id: Status.FAILURE,
            living.run_id: status,
        }


def test_the_environment_is_as_before_afterwards(settings: Settings) -> None:
    before = dict(os.environ)
    with open_instance(settings) as opened:
        assert os.environ["DAGSTER_HOME"] == str(settings.dagster_home) == opened.root_directory
        assert {**before, **prepare_home(settings)} == dict(os.environ)
    assert dict(os.environ) == before


def test_an_interrupted_run_is_closed_and_leaves_the_tables_whole(
    installation: Installation,
) -> None:
    """Ctrl-C in the middle, of a day that gives the same again."""
    before = digests(installation.settings)
    arguments = ("backfill", "--from", "2023-12-29", "--to", "2023-12-29", "--job", "refresh_daily")
    with installation.start(*arguments) as process:
        assert process.stderr
        assert any("features.targets ..." in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode not in (0, None)
    assert "Traceback" not in err
    with open_instance(installation.settings) as opened:
        newest = opened.get_runs(limit=1)[0]
    assert newest.is_finished
    assert not newest.is_success
    assert digests(installation.settings) == before


def chain(*errors: Exception) -> Exception:
    """Return the first of the errors, each raised from the next."""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


PREPARED = QualityError("the process that validates ended", hint="free some memory")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (chain(PREPARED, BrokenPipeError(32, "Broken pipe")), "hint: free some memory"),
        (
            chain(RuntimeError("of a library"), PREPARED, LakeError("no"), OSError("full")),
            "hint: free some memory",
        ),
        (chain(RuntimeError("later"), ValueError("singular matrix")), "ValueError: singular"),
        (ValueError("alone"), "ValueError: alone"),
    ],
)
def test_the_error_that_says_what_to_do_is_told(error: Exception, told: str) -> None:
    @dg.op
    def fail() -> None:
        raise error

    @dg.job
    def job() -> None:
        fail()

    events = job.execute_in_process(raise_on_error=False).all_events
    (failure,) = [event for event in events if event.is_step_failure]
    text = find_root_cause(failure)
    assert told in text
    assert "Broken pipe" not in text
