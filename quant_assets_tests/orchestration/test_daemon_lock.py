"""A data directory has one daemon, whatever program starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dagster as dg
import psutil  # type: ignore[import-untyped]  # has no stubs
import pytest

from quant_assets.core.errors import SettingsError
from quant_assets.orchestration.execution.daemon_lock import (
    hold_daemon_lock,
    require_no_daemon,
    take_daemon_lock,
)
from quant_assets.orchestration.execution.runs import (
    RANGE_END,
    RANGE_START,
    WORKSPACE_FILE,
    open_instance,
    prepare_home,
)
from quant_assets_tests.support.installation import PATIENCE, Installation

T = TypeVar("T")


@contextmanager
def start(
    installation: Installation, program: str, *arguments: str
) -> Iterator["subprocess.Popen[str]"]:
    """Start a program of Dagster by hand, as the documentation of Dagster says.

    A test that fails kills it, because it would not end by itself.
    """
    others = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    variables = installation.environment | prepare_home(installation.settings)
    with subprocess.Popen(
        [Path(sys.executable).with_name(program), *arguments, "-w", WORKSPACE_FILE],
        env=others | variables,
        cwd=installation.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def until(ask: Callable[[], T | None]) -> T:
    """Ask until there is an answer."""
    given_up = time.monotonic() + PATIENCE
    while (answer := ask()) is None:
        assert time.monotonic() < given_up, "no answer"
        time.sleep(0.2)
    return answer


def wait_for_lock(home: Path) -> str:
    """Return what the refusal says of the holder, as soon as a process holds the lock."""

    def refusal() -> str | None:
        try:
            require_no_daemon(home)
        except SettingsError as error:
            return str(error.found)
        return None

    return until(refusal)


def test_a_lock_is_refused_with_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from quant_assets.orchestration.execution import daemon_lock\n"
        "daemon_lock.take_daemon_lock(Path(sys.argv[1]))\n"
        "daemon_lock.take_daemon_lock(Path(sys.argv[1]))\n"
        "print('held', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(SettingsError, match=f"process {holder.pid} ") as refused:
            take_daemon_lock(tmp_path)
        assert socket.gethostname() in str(refused.value)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    require_no_daemon(tmp_path)
    with hold_daemon_lock(tmp_path), pytest.raises(SettingsError, match=f"process {os.getpid()} "):
        require_no_daemon(tmp_path)


@pytest.mark.slow("two of Dagster's real daemons, which take long to start", seconds=40)
def test_a_second_daemon_ends_and_names_the_first(installation: Installation) -> None:
    home = installation.settings.dagster_home
    with start(installation, "dagster-daemon", "run") as first:
        try:
            holder = wait_for_lock(home)
            assert f"process {first.pid} (dagster-daemon)" in holder
            with start(installation, "dagster-daemon", "run") as second:
                _, err = second.communicate(timeout=PATIENCE)
            assert second.returncode == 1
            assert err.count("Dagster is open for this data directory already") == 1
            assert f"process {first.pid} (dagster-daemon)" in err
            installation.run("ui", "--port", "0").refused_with(f"process {first.pid} ")
            archived = installation.run("demo", variables={"QUANT_SOURCE": "simulated"})
            archived.refused_with("Dagster is open", f"process {first.pid} ")
            assert first.poll() is None
        finally:
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=PATIENCE)
    require_no_daemon(home)


def begun_run(home: Path) -> str | None:
    """Return the id of a run whose process holds its lock."""
    return next((file.name for file in (home / "locks").iterdir()), None)


@pytest.mark.slow("Dagster's real daemon, twice, and a run that it launches", seconds=60)
def test_a_run_is_closed_when_dagster_is_back_after_all_of_it_was_killed(
    installation: Installation,
) -> None:
    home = installation.settings.dagster_home
    days = {RANGE_START: "2023-01-03", RANGE_END: "2023-12-29"}
    with start(installation, "dagster-daemon", "run") as first:
        wait_for_lock(home)
        job = ("-j", "walk_forward", "--tags", json.dumps(days))
        with start(installation, "dagster", "job", "launch", *job) as launch:
            _, err = launch.communicate(timeout=PATIENCE)
        assert launch.returncode == 0, err
        run_id = until(lambda: begun_run(home))
        everything = [psutil.Process(first.pid), *psutil.Process(first.pid).children(True)]
        for process in everything:
            process.kill()
    psutil.wait_procs(everything[1:], timeout=PATIENCE)
    with start(installation, "dagster-daemon", "run") as second:
        try:
            until(lambda: True if begun_run(home) is None else None)
        finally:
            second.send_signal(signal.SIGINT)
            second.communicate(timeout=PATIENCE)
    with open_instance(installation.settings) as opened:
        (run,) = opened.get_runs(dg.RunsFilter(run_ids=[run_id]))
        (end,) = opened.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert "ended before the run did" in end.message
