"""Whether a run's process is there, as the run monitor asks."""

import json
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon.types import DaemonHeartbeat

from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.run_locks import (
    close_abandoned_runs,
    holds_lock,
    run_lock,
)
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.orchestration.storages import watched_launcher
from quant_assets.orchestration.storages.watched_launcher import WatchedRunLauncher
from quant_assets_tests.support.scheduler import command_run


def test_a_run_whose_code_server_is_gone_is_gone(tmp_path: Path) -> None:
    server = {"host": "localhost", "socket": str(tmp_path / "no-socket")}
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        run = dg.DagsterRun("refresh_daily", tags={GRPC_INFO_TAG: json.dumps(server)})
        opened.add_run(run)
        found = opened.run_launcher.check_run_worker_health(run)
    assert found.status is WorkerStatus.FAILED
    assert found.msg == "the code server that began it is gone"


def test_a_run_that_a_command_holds_is_there_until_the_command_ends(tmp_path: Path) -> None:
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        launcher = opened.run_launcher
        assert isinstance(launcher, WatchedRunLauncher)
        assert launcher.supports_check_run_worker_health
        run = command_run("refresh_daily")
        opened.add_run(run)
        with run_lock(opened, run.run_id):
            assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
        assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED


def test_a_run_made_anew_of_a_command_s_run_is_no_command_s(tmp_path: Path) -> None:
    """As "Re-execute" in the UI does, which copies tags."""
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        failed = command_run("load_history")
        again = dg.DagsterRun(
            "load_history", status=dg.DagsterRunStatus.STARTED, tags=dict(failed.tags)
        )
        opened.add_run(again)
        assert holds_lock(opened, again) is None
        health = opened.run_launcher.check_run_worker_health(again)
        assert health.status is WorkerStatus.RUNNING
        close_abandoned_runs(opened)
        kept = opened.get_run_by_id(again.run_id)
    assert kept
    assert kept.status is dg.DagsterRunStatus.STARTED


def test_a_run_that_somebody_else_began_is_left_alone(tmp_path: Path) -> None:
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        run = dg.DagsterRun("refresh_daily")
        opened.add_run(run)
        health = opened.run_launcher.check_run_worker_health(run)
    assert health.status is WorkerStatus.RUNNING


def test_a_run_that_nobody_can_ask_is_gone_after_a_silent_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        run = dg.DagsterRun("refresh_daily")
        opened.add_run(run)
        monkeypatch.setattr(watched_launcher, "SILENCE", timedelta(seconds=-1))
        found = opened.run_launcher.check_run_worker_health(run)
    assert found.status is WorkerStatus.FAILED
    assert "nothing was heard" in str(found.msg)


@pytest.mark.parametrize(("status", "closed"), [("STARTING", True), ("STARTED", False)])
def test_a_run_that_was_killed_while_it_started_is_closed(
    tmp_path: Path, status: str, closed: bool
) -> None:
    """The run monitor asks about a run that goes on, and would wait three minutes for this one."""
    server = {"host": "localhost", "socket": str(tmp_path / "no-socket")}
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        run = dg.DagsterRun(
            "refresh_daily",
            status=dg.DagsterRunStatus[status],
            tags={GRPC_INFO_TAG: json.dumps(server)},
        )
        opened.add_run(run)
        opened.add_daemon_heartbeat(DaemonHeartbeat(0.0, "MONITORING", "any", []))
        found = opened.get_run_by_id(run.run_id)
    assert found
    assert found.is_finished is closed


def test_runs_of_one_queue_wait_for_one_another(tmp_path: Path) -> None:
    """Retraining never stacks and never takes the place of a day's refresh."""
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        queue = opened.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 2
        assert queue.tag_concurrency_limits == [
            {"key": "quant/queue", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ]
        assert opened.run_monitoring_poll_interval_seconds == 20
