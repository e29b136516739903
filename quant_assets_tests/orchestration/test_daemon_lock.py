"""A data directory has one daemon, whatever program starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quant_assets.core.errors import SettingsError
from quant_assets.orchestration.execution.daemon_lock import (
    hold_daemon_lock,
    require_no_daemon,
    take_daemon_lock,
)
from quant_assets.orchestration.execution.runs import WORKSPACE_FILE, prepare_home
from quant_assets_tests.support.installation import PATIENCE, Installation


def start_daemon(installation: Installation) -> "subprocess.Popen[str]":
    """Start Dagster's daemon by hand, as the documentation of Dagster says."""
    others = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    variables = installation.environment | prepare_home(installation.settings)
    daemon = Path(sys.executable).with_name("dagster-daemon")
    return subprocess.Popen(
        [daemon, "run", "-w", WORKSPACE_FILE],
        env=others | variables,
        cwd=installation.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_lock(home: Path) -> str:
    """Return what the refusal says of the holder, as soon as a process holds the lock."""
    given_up = time.monotonic() + PATIENCE
    while time.monotonic() < given_up:
        try:
            require_no_daemon(home)
        except SettingsError as error:
            return str(error.found)
        time.sleep(0.2)
    pytest.fail("no daemon has taken the lock")


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
    with start_daemon(installation) as first:
        try:
            holder = wait_for_lock(home)
            assert f"process {first.pid} (dagster-daemon)" in holder
            with start_daemon(installation) as second:
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
