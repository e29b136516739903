"""Sensors on a real instance, over real runs that fail and succeed, and a channel on loopback."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quant_assets.alerts.alert_lifecycle import Alert
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.commands.alerts import close_alert
from quant_assets.core.clock import Clock
from quant_assets.core.errors import AlertError, SettingsError
from quant_assets.core.settings import Settings
from quant_assets.definitions import build_definitions
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution.runs import (
    RANGE_END,
    RANGE_START,
    RunFailedError,
    open_instance,
    run_job,
)
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.orchestration.run_requests import run_ends
from quant_assets.orchestration.sensors import alert_sensors
from quant_assets_tests.support.alert_receiver import SECRET, Receiver, open_receiver, with_channels
from quant_assets_tests.support.installation import Installation

LATER, DAY, OTHER_DAY = "2023-12-30", "2023-12-29", "2023-12-28"
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
RIDGE = dg.AssetKey(["fits", "ridge"])
WATCH_RUNS, DELIVER_ALERTS = alert_sensors.build(dg.DefaultSensorStatus.STOPPED)
# The asset's next run raises the exception, or reports these checks as failed.
RunOutcome = Exception | dict[str, dg.AssetCheckSeverity]


@dataclass
class SensorRunner:
    """An instance, a lake, channels, and a job with one asset whose outcome a test chooses.

    Attributes:
        cursors: cursors of the sensors, by name, as the daemon keeps them.
    """

    opened: dg.DagsterInstance
    lake: Lake
    settings: Settings
    cursors: dict[str, str | None] = field(default_factory=dict)

    @property
    def alert_store(self) -> AlertStore:
        return AlertStore(self.lake, self.settings.lake_dir)

    def tick(self, sensor: dg.SensorDefinition, *, kept: bool = True) -> str:
        """Run a tick, and return the reason that the UI shows; keep its cursor if ``kept``."""
        with dg.build_sensor_context(
            instance=self.opened,
            cursor=self.cursors.get(sensor.name),
            resources={"lake": self.lake, "settings": self.settings, "clock": Clock()},
        ) as context:
            result = sensor.evaluate_tick(context)
        assert not result.run_requests
        if kept and result.cursor is not None:
            self.cursors[sensor.name] = result.cursor
        return str(result.skip_message)

    def watch(self, *, kept: bool = True) -> str:
        return self.tick(WATCH_RUNS, kept=kept)

    def deliver(self) -> str:
        return self.tick(DELIVER_ALERTS)

    def run(
        self, outcome: RunOutcome, job: str = "refresh_daily", day: str = DAY, **tags: str
    ) -> None:
        """Run the job, in which the asset has the outcome."""
        days = dg.DailyPartitionsDefinition(date(2023, 12, 1).isoformat())
        names = ("fitted", "complete")

        @dg.asset(
            key=RIDGE,
            partitions_def=days,
            check_specs=[dg.AssetCheckSpec(name, asset=RIDGE) for name in names],
        )
        def ridge() -> dg.MaterializeResult:  # type: ignore[type-arg]
            if isinstance(outcome, Exception):
                raise outcome
            return dg.MaterializeResult(
                check_results=[
                    dg.AssetCheckResult(
                        passed=name not in outcome,
                        check_name=name,
                        severity=outcome.get(name, ERROR),
                        metadata={"failures": f"{day}: singular"},
                    )
                    for name in names
                ]
            )

        definitions = dg.Definitions([ridge], jobs=[dg.define_asset_job(job)])
        definitions.resolve_job_def(job).execute_in_process(
            instance=self.opened, partition_key=day, tags=tags, raise_on_error=False
        )

    def keys(self) -> dict[str, str]:
        """Level of each open alert, by key."""
        return {alert.key: alert.level for alert in self.alert_store.alerts()}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with open_receiver() as opened:
        yield opened


@pytest.fixture
def runner(empty_data_dir: Path, tmp_path: Path, server: Receiver) -> Iterator[SensorRunner]:
    """Sensors that have just been switched on, all levels on one channel."""
    data_dir = Path(shutil.copytree(empty_data_dir, tmp_path / "data"))
    settings = with_channels(
        Settings(data_dir=data_dir), critical=server.url, warning=server.url, info=server.url
    )
    with open_instance(settings) as opened, Lake(settings.lake_dir) as lake:
        runner = SensorRunner(opened, lake, settings)
        assert runner.watch() == "runs are watched from now on"
        yield runner


def test_a_failed_run_opens_one_alert_which_a_success_closes(
    runner: SensorRunner, server: Receiver
) -> None:
    runner.run(ValueError("no prices today"))
    assert runner.watch() == "runs that have ended: 1; new messages: 1"
    assert runner.watch() == "no run has ended"
    assert runner.deliver().startswith("1 sent")
    assert runner.deliver().startswith("0 sent")
    (alert,) = runner.alert_store.alerts()
    assert (alert.key, alert.level) == (f"run_failed/refresh_daily/{DAY}", "critical")
    assert alert.trading_day == date.fromisoformat(DAY)
    assert alert.subject == f"refresh_daily failed for {DAY}"
    assert alert.text.startswith("fits.ridge: ValueError: no prices today\nhint: see run ")
    runner.run(ValueError("still none"))
    runner.run({})
    runner.watch()
    runner.deliver()
    assert runner.keys() == {}
    assert [alert.count for alert in runner.alert_store.alerts(closed=True)] == [2]
    assert server.titles == [
        f"[critical] refresh_daily failed for {DAY}",
        f"[resolved] refresh_daily failed for {DAY}",
    ]


def test_only_the_same_job_and_day_end_an_alert(runner: SensorRunner) -> None:
    runner.run(ValueError("no"))
    runner.run({}, day=OTHER_DAY)
    runner.run({}, job="retrain_models")
    runner.watch()
    assert list(runner.keys()) == [f"run_failed/refresh_daily/{DAY}"]


def test_a_revision_ends_the_alert_of_a_refresh_of_its_days(runner: SensorRunner) -> None:
    for day in (OTHER_DAY, DAY):
        runner.run(ValueError("zeros"), day=day)
    runner.run({}, job="revise_history")
    runner.watch()
    assert list(runner.keys()) == [f"run_failed/refresh_daily/{OTHER_DAY}"]


def test_a_later_day_closes_alerts_of_jobs_about_the_newest_day_only(runner: SensorRunner) -> None:
    runner.run(OSError("full"), job="watch_daily")
    runner.run(OSError("full"))
    runner.run({}, job="watch_daily", day=OTHER_DAY)
    runner.watch()
    refresh, watch = (f"run_failed/{job}/{DAY}" for job in ("refresh_daily", "watch_daily"))
    assert set(runner.keys()) == {refresh, watch}
    runner.run({}, job="watch_daily", day=LATER)
    runner.run({}, day=LATER)
    runner.watch()
    assert set(runner.keys()) == {refresh}


@pytest.mark.parametrize("ticks", [1, 2])
def test_a_clock_that_went_back_neither_loses_an_alert_nor_keeps_it_open(
    runner: SensorRunner, monkeypatch: pytest.MonkeyPatch, ticks: int
) -> None:
    taken = run_ends.read_ends_after

    def ahead(*arguments: Any) -> tuple[list[run_ends.RunEnd], int]:
        ends, position = taken(*arguments)
        return [replace(ends[0], at=ends[0].at + timedelta(hours=1)), *ends[1:]], position

    monkeypatch.setattr(alert_sensors, "read_ends_after", ahead)
    runner.run(OSError("full"))
    if ticks == 2:
        runner.watch()
        monkeypatch.setattr(alert_sensors, "read_ends_after", taken)
    runner.run({})
    runner.watch()
    assert runner.keys() == {}
    runner.run(OSError("full"))
    monkeypatch.setattr(alert_sensors, "read_ends_after", taken)
    runner.watch()
    assert len(runner.keys()) == 1


def test_jobs_without_which_there_is_no_submission_are_critical(runner: SensorRunner) -> None:
    for job in ("load_history", "submit_competition", "retrain_models"):
        runner.run(ValueError("no"), job=job)
    runner.watch()
    assert runner.keys() == {
        f"run_failed/load_history/{DAY}": "critical",
        f"run_failed/submit_competition/{DAY}": "critical",
        f"run_failed/retrain_models/{DAY}": "warning",
    }


def test_failed_checks_of_a_successful_run_open_alerts_by_their_severity(
    runner: SensorRunner, server: Receiver
) -> None:
    runner.run({"fitted": WARN, "complete": ERROR})
    runner.watch()
    fitted, complete = "check_failed/fits/ridge/fitted", "check_failed/fits/ridge/complete"
    assert runner.keys() == {fitted: "warning", complete: "critical"}
    assert f"failures: {DAY}: singular" in runner.alert_store.alerts()[0].text
    runner.run({"fitted": WARN})
    runner.watch()
    assert runner.keys() == {fitted: "warning"}
    runner.run({"fitted": ERROR}, day=LATER)
    runner.watch()
    assert runner.keys() == {fitted: "critical"}
    runner.run({}, day=DAY)
    runner.watch()
    assert runner.keys() == {fitted: "critical"}
    runner.run({}, day=LATER)
    runner.watch()
    assert runner.keys() == {}
    while not runner.deliver().startswith("0 sent"):
        pass
    assert sorted(title.partition("]")[0] for title in server.titles) == [
        "[critical",
        "[critical",
        "[resolved",
        "[resolved",
        "[warning",
    ]


def test_a_tick_whose_cursor_was_not_kept_changes_nothing_the_second_time(
    runner: SensorRunner, server: Receiver
) -> None:
    outcomes: list[RunOutcome] = [ValueError("no"), {"fitted": WARN}, {}, ValueError("no again")]
    for outcome in outcomes:
        runner.run(outcome)
    runner.watch(kept=False)
    before: list[Alert] = runner.alert_store.alerts(closed=True)
    runner.deliver()
    runner.watch()
    again = runner.alert_store.alerts(closed=True)
    assert [(alert.id, alert.count, alert.closed_at) for alert in again] == [
        (alert.id, alert.count, alert.closed_at) for alert in before
    ]
    runner.deliver()
    assert len(server.titles) == len(set(map(str, runner.alert_store.messages()))) == 5


def test_what_cannot_be_stored_now_is_taken_in_later(runner: SensorRunner) -> None:
    runner.run(ValueError("no"))
    cursor = dict(runner.cursors)
    busy = AlertStore(runner.lake, runner.settings.lake_dir)
    with busy._lock_alerts(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(alert_sensors, "AlertStore", lambda *given: AlertStore(*given, timeout=0.1))
        with pytest.raises(AlertError, match="another process"):
            runner.watch()
    assert runner.cursors == cursor
    runner.watch()
    assert runner.keys() == {f"run_failed/refresh_daily/{DAY}": "critical"}


@pytest.mark.parametrize("level", ["critical", "info"])
def test_a_url_that_cannot_be_used_fails_the_tick_and_holds_up_no_other(
    runner: SensorRunner, server: Receiver, level: str
) -> None:
    runner.settings = with_channels(runner.settings, **{level: f"slack://{SECRET} {server.url}"})
    runner.run(ValueError("no"))
    runner.watch()
    with pytest.raises(SettingsError, match=f"QUANT_ALERTS_{level.upper()}") as caught:
        runner.deliver()
    assert SECRET not in str(caught.value)
    assert server.titles == [f"[critical] refresh_daily failed for {DAY}"]
    # The messages for the unusable channel wait.
    assert [message.channel for message in runner.alert_store.pending()] == ["slack://"] * (
        level == "critical"
    )


def test_closing_by_hand_ends_nothing_that_was_not_seen_yet(runner: SensorRunner) -> None:
    key = f"run_failed/refresh_daily/{DAY}"
    runner.run(ValueError("seen"))
    runner.watch()
    runner.run(ValueError("not read yet"))
    close_alert(runner.settings, key)
    assert runner.keys() == {}
    runner.watch()
    assert list(runner.keys()) == [key]


def test_more_runs_than_a_tick_takes_are_taken_in_order(
    runner: SensorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_sensors, "RUNS_A_TICK", 2)
    outcomes: list[RunOutcome] = [{}, {}, ValueError("no"), {}, ValueError("again")]
    for outcome in outcomes:
        runner.run(outcome)
    assert [runner.watch() for _ in range(4)] == [
        "runs that have ended: 2; new messages: 0",
        "runs that have ended: 2; new messages: 2",
        "runs that have ended: 1; new messages: 1",
        "no run has ended",
    ]


def cancel(runner: SensorRunner, job: str, day: str = DAY) -> None:
    """Cancel a run of a job for a day, as the UI does."""
    run = dg.DagsterRun(job, tags={"dagster/partition": day})
    runner.opened.add_run(run)
    runner.opened.report_run_canceled(run)


@pytest.mark.parametrize("later", [DAY, LATER])
def test_a_cancelled_refresh_is_told_until_one_succeeds(
    runner: SensorRunner, server: Receiver, later: str
) -> None:
    cancel(runner, "refresh_daily")
    cancel(runner, "walk_forward")
    runner.watch()
    assert runner.keys() == {f"run_cancelled/refresh_daily/{DAY}": "warning"}
    assert "somebody cancelled run" in runner.alert_store.alerts()[0].text
    runner.run({}, day=OTHER_DAY)
    runner.watch()
    assert len(runner.keys()) == 1
    runner.run({}, day=later)
    runner.watch()
    assert runner.keys() == {}
    runner.deliver()
    subject = f"refresh_daily was cancelled for {DAY}"
    assert server.titles == [f"[warning] {subject}", f"[resolved] {subject}"]


def test_runs_that_were_deleted_are_passed_over(runner: SensorRunner) -> None:
    runner.run(ValueError("no"))
    gone = runner.opened.get_runs()[0]
    runner.opened.run_storage.delete_run(gone.run_id)
    assert runner.watch() == "no run has ended"
    assert runner.keys() == {}


def delete_all(opened: dg.DagsterInstance) -> None:
    for run in opened.get_runs():
        opened.delete_run(run.run_id)


@pytest.mark.parametrize("forget", [delete_all, dg.DagsterInstance.wipe])
def test_runs_that_end_after_others_were_deleted_open_alerts(
    runner: SensorRunner, forget: Callable[[dg.DagsterInstance], None]
) -> None:
    for day in (OTHER_DAY, DAY):
        runner.run({}, day=day)
    runner.watch()
    forget(runner.opened)
    runner.run(ValueError("no"))
    runner.watch()
    assert runner.keys() == {f"run_failed/refresh_daily/{DAY}": "critical"}


def test_a_run_whose_process_died_opens_an_alert(runner: SensorRunner) -> None:
    dead = dg.DagsterRun("maintain_lake")
    runner.opened.add_run(dead)
    runner.opened.report_run_failed(dead, "The process of this run ended before the run did.")
    runner.watch()
    (alert,) = runner.alert_store.alerts()
    assert (alert.key, alert.level) == ("run_failed/maintain_lake", "warning")
    assert alert.text.startswith("The process of this run ended")
    assert alert.trading_day is None


def test_a_materialization_from_the_ui_goes_by_its_assets() -> None:
    keys = [dg.AssetKey(["raw", "prices"]), RIDGE]
    chosen = dg.DagsterRun("__ASSET_JOB", asset_selection=frozenset(keys))
    end = run_ends.RunEnd(1, chosen, datetime.now(UTC), "failed", "")
    assert end.name == "materialization of fits/ridge and 1 more"


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({"dagster/partition": DAY}, DAY),
        ({RANGE_START: OTHER_DAY, RANGE_END: DAY}, f"{OTHER_DAY}..{DAY}"),
        ({RANGE_START: DAY, RANGE_END: DAY, "dagster/partition": OTHER_DAY}, DAY),
        ({}, "None"),
        ({"dagster/partition": "2023-12"}, "None"),
    ],
)
def test_the_days_of_a_run_are_those_of_its_tags(tags: dict[str, str], days: str) -> None:
    tagged = dg.DagsterRun("refresh_daily", tags=tags)
    end = run_ends.RunEnd(1, tagged, datetime.now(UTC), "failed", "")
    assert str(end.days) == days


def test_the_platforms_own_runs_are_watched(installation: Installation, server: Receiver) -> None:
    """A day whose source cannot be read, and again when it can."""
    settings = with_channels(installation.settings, critical=server.url)
    train = installation.folder / "train.csv"
    whole = train.read_bytes()
    day = date(2023, 12, 29)
    with open_instance(settings) as opened, Lake(settings.lake_dir) as lake:
        runner = SensorRunner(opened, lake, settings)
        runner.watch()
        definitions = build_definitions(settings, lake=lake)
        names = {sensor.name for sensor in definitions.sensors or ()}
        assert names >= {"watch_runs", "deliver_alerts"}
        train.write_bytes(whole[: len(whole) // 2] + b"\n")
        with pytest.raises(RunFailedError):
            run_job(definitions, opened, JobRun("refresh_daily", day, day))
        runner.watch()
        runner.deliver()
        (alert,) = runner.alert_store.alerts()
        assert alert.key == f"run_failed/refresh_daily/{day}"
        assert "raw.target_pairs: " in alert.text
        train.write_bytes(whole)
        run_job(build_definitions(settings, lake=lake), opened, JobRun("refresh_daily", day, day))
        runner.watch()
        runner.deliver()
    assert server.titles == [
        f"[critical] refresh_daily failed for {day}",
        f"[resolved] refresh_daily failed for {day}",
    ]
