"""Runs of a real instance, counted."""

from pathlib import Path

import dagster as dg
import pytest

from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.metrics.prometheus import to_prometheus_text
from quant_assets.orchestration.execution.run_metrics import collect_run_metrics
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets_tests.support.prometheus_samples import Samples, samples


def executed(opened: dg.DagsterInstance, name: str, error: Exception | None = None) -> None:
    """A run of a job that does nothing, or fails."""

    @dg.op
    def step() -> None:
        if error:
            raise error

    @dg.job(name=name)
    def job() -> None:
        step()

    job.execute_in_process(instance=opened, raise_on_error=False)


@pytest.fixture
def counted(tmp_path: Path) -> dict[str, Samples]:
    settings = Settings(data_dir=tmp_path)
    with open_instance(settings) as opened, Lake(settings.lake_dir) as lake:
        executed(opened, "refresh_daily")
        executed(opened, "refresh_daily", ValueError("no prices"))
        executed(opened, "watch_daily", ValueError("no"))
        waiting, cancelled = dg.DagsterRun("watch_daily"), dg.DagsterRun("watch_daily")
        for one in (waiting, cancelled):
            opened.add_run(one)
        opened.report_run_canceled(cancelled)
        return samples(to_prometheus_text(collect_run_metrics(opened, lake)))


def test_runs_are_counted_by_job_and_outcome(counted: dict[str, Samples]) -> None:
    assert counted["quant_assets_runs"] == {
        ("refresh_daily", "success"): 1,
        ("refresh_daily", "failure"): 1,
        ("watch_daily", "failure"): 1,
        ("watch_daily", "canceled"): 1,
    }
    assert counted["quant_assets_runs_in_progress"] == {("watch_daily", "not_started"): 1}


def test_the_last_success_outlives_a_failure(counted: dict[str, Samples]) -> None:
    assert set(counted["quant_assets_run_success_timestamp_seconds"]) == {("refresh_daily",)}
    durations = counted["quant_assets_run_duration_seconds"]
    assert set(durations) == {("refresh_daily",), ("watch_daily",)}
    assert all(value > 0 for value in durations.values())


def test_without_submissions_there_is_no_latency(counted: dict[str, Samples]) -> None:
    assert "quant_assets_submission_latency_seconds" not in counted
