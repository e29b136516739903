"""MLflow's server on a loaded market, started by the command."""

import json
import os
import signal
import socket
import time
from pathlib import Path
from subprocess import Popen
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil  # type: ignore[import-untyped]  # has no stubs
import pytest

from quant_assets.models.registry import FAST
from quant_assets.orchestration.execution.daemon_lock import hold_daemon_lock
from quant_assets_tests.support.installation import PATIENCE, Command, Installation


def ask(server: Popen[str], port: int, what: str) -> dict[str, list[dict[str, object]]]:
    """Return the answer of MLflow's REST API, as soon as it listens."""
    request = Request(f"http://127.0.0.1:{port}/api/2.0/mlflow/{what}")
    given_up = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(request, timeout=60) as response:
                answer: dict[str, list[dict[str, object]]] = json.load(response)
                return answer
        except (URLError, ConnectionError):
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < given_up, "no answer"
            time.sleep(0.5)


@pytest.mark.slow("MLflow's real server, which takes long to start")
def test_mlflow_shows_the_registry_on_loopback(loaded: Installation) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = loaded.start("mlflow", "--port", str(port), stdout=None, stderr=None)
    try:
        models = ask(server, port, "registered-models/search")["registered_models"]
        assert {model["name"] for model in models} == set(FAST)
        assert all(model["description"] for model in models)
        listening = {
            connection.laddr.ip
            for process in (psutil.Process(server.pid), *psutil.Process(server.pid).children(True))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)


@pytest.mark.parametrize("server", ["ui", "mlflow", "metrics"])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, command: Command, server: str) -> None:
    finished = command(Installation(tmp_path), server, "--port", "70000")
    assert finished.status == 2
    assert "Invalid value for '--port'" in finished.err


def test_without_fits_there_is_nothing_to_show(
    installation: Installation, command: Command
) -> None:
    (installation.settings.mlflow_dir / "mlflow.db").unlink()
    command(installation, "mlflow").refused_with("MLflow has no fits yet", "load")


def test_a_second_ui_for_a_data_directory_is_refused(installation: Installation) -> None:
    """Two daemons would take each other's schedules and sensors for their own."""
    with hold_daemon_lock(installation.settings.dagster_home):
        refused = installation.run("ui", "--port", "0")
    refused.refused_with(
        "Dagster is open for this data directory already", f"process {os.getpid()}"
    )


def test_doctor_says_that_the_directory_holds_another_market(installation: Installation) -> None:
    healthy = installation.run("doctor")
    assert "ok   market" in healthy.out
    other = installation.run("doctor", variables={"QUANT_SOURCE": "simulated"})
    assert other.status == 1
    assert "BAD  market" in other.out
    assert "holds another market" in other.out


def test_closing_where_no_alert_is_open_is_refused(
    installation: Installation, command: Command
) -> None:
    command(installation, "alerts", "--close", "data_late").refused_with("no alert is open")
