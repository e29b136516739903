"""Whether a run's process is alive, seen from another process than the one that runs it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.run_locks import (
    LOCKS,
    close_abandoned_runs,
    find_run_in_progress,
    holds_lock,
)
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets_tests.support.installation import Command, Installation

VARIABLE = "FOLDER_OF_RECORDS"
# A run of another program than ours, on Dagster's public interface alone.
PROGRAM = """
import sys, time
import dagster as dg

@dg.op
def wait():
    print("begun", flush=True)
    sys.stdin.readline()

@dg.job
def a_job():
    wait()

with dg.DagsterInstance.get() as instance:
    a_job.execute_in_process(instance=instance)
"""


@contextmanager
def run_elsewhere(home: str, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """Run a job in a process of its own, which has begun and waits for a line."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={"DAGSTER_HOME": home, "DAGSTER_DISABLE_TELEMETRY": "1", **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        yield process


def test_the_locks_lie_beside_the_runs_that_they_are_of(tmp_path: Path) -> None:
    """As in a checkout, whose DAGSTER_HOME is another folder than that of the records."""
    settings = Settings(data_dir=tmp_path / "data")
    with open_instance(settings) as opened:
        home = tmp_path / "checkout"
        home.mkdir()
        text = Path(opened.root_directory, "dagster.yaml").read_text()
        folder = str(settings.dagster_home)
        (home / "dagster.yaml").write_text(text.replace("env: DAGSTER_HOME", f"env: {VARIABLE}"))
        with run_elsewhere(str(home), **{VARIABLE: folder}) as process:
            assert holds_lock(opened, only_run(opened))
            process.communicate("on\n")


def only_run(opened: dg.DagsterInstance) -> dg.DagsterRun:
    (run,) = opened.get_runs()
    return run


def test_a_run_of_another_program_is_closed_when_its_process_was_killed(tmp_path: Path) -> None:
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        with run_elsewhere(opened.root_directory) as process:
            close_abandoned_runs(opened)
            run = only_run(opened)
            assert run.status is dg.DagsterRunStatus.STARTED
            assert holds_lock(opened, run)
            assert find_run_in_progress(opened) == run
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert find_run_in_progress(opened) is None
        assert only_run(opened).status is dg.DagsterRunStatus.FAILURE
        (failure,) = opened.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        assert "ended before the run did" in failure.message
        assert list(Path(opened.root_directory, LOCKS).iterdir()) == []


def test_another_market_is_not_loaded_over_one_that_a_run_uses(
    installation: Installation, command: Command
) -> None:
    market = installation.settings.market_file.read_text()
    with run_elsewhere(str(installation.settings.dagster_home)) as process:
        refused = command(installation, "demo", QUANT_SOURCE="simulated")
        refused.refused_with("while a run uses it", "a_job", "QUANT_DATA_DIR")
        process.communicate("on\n")
    assert installation.settings.market_file.read_text() == market
    assert not (installation.settings.data_dir / "archive").exists()


def test_a_run_that_ended_in_good_order_leaves_no_lock(tmp_path: Path) -> None:
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        with run_elsewhere(opened.root_directory) as process:
            process.communicate("on\n")
        assert only_run(opened).is_success
        assert list(Path(opened.root_directory, LOCKS).iterdir()) == []
