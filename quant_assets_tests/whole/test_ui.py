"""The real UI, webserver and daemon, is asked to materialise a day and to backfill a range."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil  # type: ignore[import-untyped]  # has no stubs
import pytest

from quant_assets.core.settings import market_in_settings
from quant_assets.market.calendar import trading_days
from quant_assets_tests.support.alert_receiver import SECRET, Receiver, open_receiver
from quant_assets_tests.support.installation import PATIENCE, Digests, Installation, digests
from quant_assets_tests.support.small_market import FIRST_DAY, LAST_DAY, Rows, change_train

pytestmark = pytest.mark.slow("the real web server with its daemon, and the runs that they launch")

DAYS = trading_days(FIRST_DAY, LAST_DAY).astype(str).tolist()
LOCATION = {"repositoryLocationName": "quant_assets", "repositoryName": "__repository__"}
BACKFILLED = (("submissions", "daily"), ("submissions", "export"))
T = TypeVar("T")

LOADED = """{ repositoriesOrError { __typename ... on RepositoryConnection { nodes {
  jobs { name } schedules { name scheduleState { status } } } } } }"""
LAUNCH = """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
BACKFILL = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
  status assetMaterializations { assetKey { path } partition } } } }"""
BACKFILL_STATE = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status runs { runId status tags { key value } } } } }"""
START_SENSOR = """mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) {
  __typename ... on PythonError { message } } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "quant_assets") {
  __typename ... on PythonError { message } } }"""
NODES = "{ assetNodes { assetKey { path } } }"
TICKS = """query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor {
  sensorState { status ticks(limit: 20) { status skipReason error { message } } } } } }"""


class Ui:
    """A running UI on a port of this machine."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        """Return the only field of the answer to a query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(self._url, body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        (field,) = answer["data"].values()
        return field


def until(ask: Callable[[], T | None]) -> T:
    """Ask until there is an answer."""
    given_up = time.monotonic() + PATIENCE
    while (answer := ask()) is None:
        assert time.monotonic() < given_up, "no answer"
        time.sleep(0.5)
    return answer


def change_last_day(rows: Rows) -> None:
    rows[-1] = [cell and repr(float(cell) * 1.01) if i else cell for i, cell in enumerate(rows[-1])]


@pytest.fixture(scope="module")
def installation(loaded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A copy of the loaded market whose newest day was corrected after the load."""
    copy = loaded.copy(tmp_path_factory.mktemp("ui"))
    change_train(copy.folder, change_last_day)
    return copy


@pytest.fixture(scope="module")
def channel() -> Iterator[Receiver]:
    with open_receiver() as server:
        yield server


@pytest.fixture(scope="module")
def ui(installation: Installation, channel: Receiver) -> Iterator[Ui]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = Ui(port)

    def ready() -> Any:
        try:
            repositories = served.ask(LOADED)
        except (URLError, ConnectionError):
            assert server.poll() is None, log.read_text()
            return None
        return repositories if repositories.get("nodes") else None

    log = Path(installation.root / "ui.log")
    with log.open("w") as output:
        server = installation.start(
            *("ui", "--port", str(port)),
            variables={"QUANT_ALERTS_CRITICAL": channel.url},
            stdout=output,
            stderr=output,
        )
        try:
            until(ready)
            yield served
        finally:
            children = psutil.Process(server.pid).children(recursive=True)
            server.send_signal(signal.SIGINT)
            try:
                assert server.wait(60) == 0, log.read_text()
                _, left = psutil.wait_procs(children, timeout=30)
                assert not left, log.read_text()
            finally:
                for process in [p for p in children if p.is_running()]:
                    process.kill()
                server.kill()


def test_a_day_is_materialised_and_a_range_is_one_run(
    installation: Installation, ui: Ui, loaded_digests: Digests
) -> None:
    """Both run at once, because the daemon looks for backfills only every half minute."""
    repository = ui.ask(LOADED)["nodes"][0]
    assert {"load_history", "refresh_daily"} <= {job["name"] for job in repository["jobs"]}
    assert {item["scheduleState"]["status"] for item in repository["schedules"]} == {"STOPPED"}

    day, range_ = DAYS[-1], DAYS[-8:-4]
    backfill = ui.ask(
        BACKFILL,
        p={
            "assetSelection": [{"path": path} for path in BACKFILLED],
            "partitionNames": range_,
            "title": "four days",
        },
    )
    launched = ui.ask(
        LAUNCH,
        p={
            "selector": {**LOCATION, "jobName": "refresh_daily"},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
        },
    )
    assert launched["__typename"] == "LaunchRunSuccess", launched
    assert backfill["__typename"] == "LaunchBackfillSuccess", backfill

    run = until(lambda: finished_run(ui, launched["run"]["runId"]))
    assert run["status"] == "SUCCESS"
    materialised = {tuple(item["assetKey"]["path"]) for item in run["assetMaterializations"]}
    assert {("raw", "prices"), ("submissions", "export")} <= materialised
    assert {item["partition"] for item in run["assetMaterializations"]} == {day}

    state = until(lambda: finished_backfill(ui, backfill["backfillId"]))
    assert state["status"] == "COMPLETED_SUCCESS"
    (one_run,) = state["runs"]
    tags = {tag["key"]: tag["value"] for tag in one_run["tags"]}
    assert tags["dagster/asset_partition_range_start"] == range_[0]
    assert tags["dagster/asset_partition_range_end"] == range_[-1]

    locks = installation.settings.dagster_home / "locks"
    until(lambda: True if not list(locks.iterdir()) else None)
    after = digests(installation.settings)
    changed = {key for key in loaded_digests | after if loaded_digests.get(key) != after.get(key)}
    assert {when for _, when in changed} <= {day, "all"}
    assert ("validated.prices", day) in changed
    assert ("submissions.daily", day) not in changed  # submitted live: it stays as it was


def test_sensors_that_are_switched_on_tell_a_failure(
    installation: Installation, ui: Ui, channel: Receiver
) -> None:
    """Request a submission without its day."""
    for name in ("watch_runs", "deliver_alerts"):
        assert ticks(ui, name)["status"] == "STOPPED"
        started = ui.ask(START_SENSOR, s={**LOCATION, "sensorName": name})
        assert started["__typename"] == "Sensor", started
    until(lambda: ticks(ui, "watch_runs")["ticks"] or None)
    launched = ui.ask(
        LAUNCH, p={"selector": {**LOCATION, "jobName": "submit_competition"}, "mode": "default"}
    )
    run = until(lambda: finished_run(ui, launched["run"]["runId"]))
    assert run["status"] == "FAILURE"
    until(lambda: channel.titles or None)
    assert channel.titles == ["[critical] submit_competition failed"]
    finished = [
        tick for name in ("watch_runs", "deliver_alerts") for tick in ticks(ui, name)["ticks"]
    ]
    assert {tick["status"] for tick in finished} <= {"SKIPPED", "STARTED"}
    assert SECRET not in str(finished)
    files = [path for path in installation.root.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def ticks(ui: Ui, sensor: str) -> Any:
    return ui.ask(TICKS, s={**LOCATION, "sensorName": sensor})["sensorState"]


def finished_run(ui: Ui, run_id: str) -> Any:
    run = ui.ask(RUN, id=run_id)
    return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None


def finished_backfill(ui: Ui, backfill_id: str) -> Any:
    state = ui.ask(BACKFILL_STATE, id=backfill_id)
    return state if state["status"].startswith(("COMPLETED", "FAILED", "CANCELED")) else None


def test_other_families_are_there_once_the_definitions_are_reloaded(
    installation: Installation, ui: Ui
) -> None:
    def fits() -> set[str]:
        paths = [node["assetKey"]["path"] for node in ui.ask(NODES)]
        return {path[1] for path in paths if path[0] == "fits"}

    before, file = fits(), installation.settings.market_file
    market = market_in_settings(installation.settings)
    file.write_text(market.model_copy(update={"families": "rank_prior"}).model_dump_json())
    assert ui.ask(RELOAD)["__typename"] == "WorkspaceLocationEntry"
    assert until(lambda: fits() if fits() != before else None) == {"rank_prior", "rank_prior_study"}
    file.write_text(market.model_dump_json())
    ui.ask(RELOAD)
    assert until(lambda: fits() if fits() == before else None)
