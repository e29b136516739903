"""Asking for a retraining over the API, and what its run is doing."""

import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import httpx
import psutil
import pytest

from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution import retrain_requests
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.orchestration.run_requests.retry_policy import Attempt
from quant_assets.promotion.release_store import read_releases
from quant_assets_tests.support.api_server import ApiServer, serve
from quant_assets_tests.support.installation import Installation
from quant_assets_tests.support.server_process import running_server, wait_for

ENDED = {"succeeded", "failed", "cancelled"}


@pytest.fixture(scope="module")
def reading(loaded: Installation) -> Iterator[ApiServer]:
    with serve(loaded.settings) as opened:
        yield opened


@pytest.fixture
def server(installation: Installation) -> Iterator[ApiServer]:
    with serve(installation.settings) as opened:
        yield opened


def state_of(url: str, run_id: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/runs/{run_id}", timeout=60)
    state: dict[str, Any] = answer.raise_for_status().json()
    return state


def wait_for_end(url: str, run_id: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        state = state_of(url, run_id)
        return state if state["state"] in ENDED else None

    return wait_for(ended, 300)


def test_a_run_is_described(reading: ApiServer, loaded: Installation) -> None:
    with open_instance(loaded.settings) as opened:
        (run,) = opened.get_runs()
    state = state_of(reading.url, run.run_id)
    assert (state["job"], state["state"], state["error"]) == ("load_history", "succeeded", "")
    assert state["started_at"] < state["ended_at"]
    steps = {step["name"]: step for step in state["steps"]}
    assert steps["features__targets"]["state"] == "succeeded"
    assert steps["features__targets"]["seconds"] > 0
    unknown = reading.http.get("/runs/none")
    assert unknown.status_code == 404
    assert unknown.json()["found"] == "none"


def test_a_retraining_in_the_queue_is_returned(
    server: ApiServer, installation: Installation
) -> None:
    run = dg.DagsterRun("retrain_models", status=dg.DagsterRunStatus.NOT_STARTED)
    with open_instance(installation.settings) as opened:
        opened.add_run(run)
    for _ in range(2):
        answer = server.http.post("/retrain", json={"reason": "a test"})
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/runs/{run.run_id}"
        assert (answer.json()["run_id"], answer.json()["new"]) == (run.run_id, False)
    state = state_of(server.url, run.run_id)
    assert state["state"] == "queued"
    assert "quant-assets ui" in state["note"]


def test_a_spent_budget_says_when_to_ask_again(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_at = datetime.now(UTC) - timedelta(hours=20)
    past = Attempt("", "", asked_at, 100.0, "succeeded", 0, "")
    monkeypatch.setattr(retrain_requests, "read_attempts", lambda *_: [past])
    answer = server.http.post("/retrain")
    assert answer.status_code == 429
    problem = answer.json()
    assert problem["expected"].startswith("at most 120 minutes in 24 hours")
    assert problem["found"].startswith("100.0 minutes")
    assert f"{asked_at + timedelta(days=1):%Y-%m-%d %H:%M:%S} UTC" in problem["hint"]
    assert 4 * 3600 - 60 < int(answer.headers["retry-after"]) <= 4 * 3600


def test_a_run_that_cannot_begin_has_failed(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sh", "-c", "echo 'error: no luck' >&2; exit 3"]
    monkeypatch.setattr(retrain_requests, "_command", lambda _: command)
    asked = server.http.post("/retrain", json={"reason": "a test"}).json()
    assert (asked["new"], asked["begins"]) == (True, "a process of its own")
    state = wait_for_end(server.url, asked["run_id"])
    assert (state["state"], state["error"], state["reason"]) == (
        *("failed", "no luck"),
        "a test",
    )
    assert server.http.post("/retrain").json()["run_id"] != asked["run_id"]


@pytest.mark.parametrize("body", ['{"reason": 1}', '{"other": ""}', "[]", "{", '"\\ud800"'])
def test_a_strange_wish_is_refused(reading: ApiServer, body: str) -> None:
    headers = {"content-type": "application/json"}
    answer = reading.http.post("/retrain", content=body.encode(), headers=headers)
    assert answer.status_code == 422
    assert answer.json()["title"] == "the request does not have the expected form"


@pytest.mark.slow("a retraining in a process of its own, whose server is killed", seconds=45)
def test_a_retraining_outlives_the_server(installation: Installation) -> None:
    with running_server(installation) as killed:
        answer = httpx.post(f"{killed.url}/retrain", timeout=60)
        run_id = answer.raise_for_status().json()["run_id"]
        assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    with running_server(installation) as server:
        assert state_of(server.url, run_id)["state"] not in ENDED
        again = httpx.post(f"{server.url}/retrain", timeout=60).json()
        assert (again["run_id"], again["new"]) == (run_id, False)
        state = wait_for_end(server.url, run_id)
        assert state["state"] == "succeeded", state
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        assert [str(release.as_of) for release in read_releases(lake)] == state["days"][:1]


@pytest.mark.slow("Dagster's own daemon takes the run from its queue", seconds=60)
def test_a_daemon_takes_the_run_from_its_queue(installation: Installation) -> None:
    log = installation.root / "ui.log"
    with log.open("w") as output, running_server(installation) as server:
        ui = installation.start("ui", "--port", "0", stdout=output, stderr=subprocess.STDOUT)
        try:
            home = installation.settings.dagster_home
            wait_for(lambda: (home / "daemon.json").exists() or None)
            asked = httpx.post(f"{server.url}/retrain", timeout=60).json()
            assert asked["begins"] == "Dagster's queue"
            state = wait_for_end(server.url, asked["run_id"])
            assert state["state"] == "succeeded", state
            assert state["reason"] == "asked for over the API"
        finally:
            children = psutil.Process(ui.pid).children(recursive=True)
            ui.send_signal(signal.SIGINT)
            ui.wait(60)
            _, left = psutil.wait_procs(children, timeout=30)
            for process in left:
                process.kill()
