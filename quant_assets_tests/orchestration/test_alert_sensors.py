"""Sensors on a real instance, over real runs that fail and succeed, and a channel on loopback."""

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
from quant_assets.orchestration.run_requests import run_ends
from quant_assets.orchestration.sensors import alert_sensors
from quant_assets_tests.support.alert_receiver import SECRET, Receiver, receiving, telling
from quant_assets_tests.support.desk import Desk

LATER, DAY, OTHER_DAY = "2023-12-30", "2023-12-29", "2023-12-28"
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
RIDGE = dg.AssetKey(["fits", "ridge"])
WATCH_RUNS, DELIVER_ALERTS = alert_sensors.build(dg.DefaultSensorStatus.STOPPED)
# What the asset's next run does: fails, or reports these failed checks.
Deed = Exception | dict[str, dg.AssetCheckSeverity]


@dataclass
class Watch:
    """An instance, a lake, channels, and a job of one asset that does as it is told.

    Attributes:
        cursors: of the sensors, by name, as the daemon keeps them.
    """

    opened: dg.DagsterInstance
    lake: Lake
    settings: Settings
    cursors: dict[str, str | None] = field(default_factory=dict)

    @property
    def book(self) -> AlertStore:
        return AlertStore(self.lake, self.settings.lake_dir)

    def tick(self, sensor: dg.SensorDefinition, *, kept: bool = True) -> str:
        """What the UI shows of a tick; its cursor is ``kept`` unless the daemon dies before."""
        with dg.build_sensor_context(
            instance=self.opened,
            cursor=self.cursors.get(sensor.name),
            resources={"lake": self.lake, "settings": self.settings, "clock": Clock()},
        ) as context:
            found = sensor.evaluate_tick(context)
        assert not found.run_requests
        if kept and found.cursor is not None:
            self.cursors[sensor.name] = found.cursor
        return str(found.skip_message)

    def watch(self, *, kept: bool = True) -> str:
        return self.tick(WATCH_RUNS, kept=kept)

    def deliver(self) -> str:
        return self.tick(DELIVER_ALERTS)

    def run(self, deed: Deed, job: str = "refresh_daily", day: str = DAY, **tags: str) -> None:
        """A real run, in which the asset does the deed."""
        days = dg.DailyPartitionsDefinition(date(2023, 12, 1).isoformat())
        names = ("fitted", "complete")

        @dg.asset(
            key=RIDGE,
            partitions_def=days,
            check_specs=[dg.AssetCheckSpec(name, asset=RIDGE) for name in names],
        )
        def ridge() -> dg.MaterializeResult:  # type: ignore[type-arg]
            if isinstance(deed, Exception):
                raise deed
            return dg.MaterializeResult(
                check_results=[
                    dg.AssetCheckResult(
                        passed=name not in deed,
                        check_name=name,
                        severity=deed.get(name, ERROR),
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
        return {one.key: one.level for one in self.book.alerts()}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, server: Receiver) -> Iterator[Watch]:
    """Sensors that have just been switched on, all levels on one channel."""
    settings = telling(
        Settings(data_dir=tmp_path), critical=server.url, warning=server.url, info=server.url
    )
    with open_instance(settings) as opened, Lake(settings.lake_dir) as lake:
        watch = Watch(opened, lake, settings)
        assert watch.watch() == "watching runs from now on"
        yield watch


def test_a_failed_run_is_told_once_and_its_end_once(desk: Watch, server: Receiver) -> None:
    desk.run(ValueError("no prices today"))
    assert desk.watch() == "1 runs have ended; 1 messages"
    assert desk.watch() == "no run has ended"
    assert desk.deliver().startswith("1 sent")
    assert desk.deliver().startswith("0 sent")
    (alert,) = desk.book.alerts()
    assert (alert.key, alert.level) == (f"run_failed/refresh_daily/{DAY}", "critical")
    assert alert.trading_day == date.fromisoformat(DAY)
    assert alert.subject == f"refresh_daily failed for {DAY}"
    assert alert.text.startswith("fits.ridge: ValueError: no prices today\nhint: see run ")
    desk.run(ValueError("still none"))
    desk.run({})
    desk.watch()
    desk.deliver()
    assert desk.keys() == {}
    assert [one.count for one in desk.book.alerts(closed=True)] == [2]
    assert server.titles == [
        f"[critical] refresh_daily failed for {DAY}",
        f"[resolved] refresh_daily failed for {DAY}",
    ]


def test_only_the_same_job_and_day_end_an_alert(desk: Watch) -> None:
    desk.run(ValueError("no"))
    desk.run({}, day=OTHER_DAY)
    desk.run({}, job="retrain_models")
    desk.watch()
    assert list(desk.keys()) == [f"run_failed/refresh_daily/{DAY}"]


def test_a_later_day_makes_good_what_is_about_the_newest_one_only(desk: Watch) -> None:
    desk.run(OSError("full"), job="watch_daily")
    desk.run(OSError("full"))
    desk.run({}, job="watch_daily", day=OTHER_DAY)
    desk.watch()
    refresh, watch = (f"run_failed/{job}/{DAY}" for job in ("refresh_daily", "watch_daily"))
    assert set(desk.keys()) == {refresh, watch}
    desk.run({}, job="watch_daily", day=LATER)
    desk.run({}, day=LATER)
    desk.watch()
    assert set(desk.keys()) == {refresh}


@pytest.mark.parametrize("ticks", [1, 2])
def test_a_clock_that_went_back_neither_loses_an_alert_nor_keeps_it_open(
    desk: Watch, monkeypatch: pytest.MonkeyPatch, ticks: int
) -> None:
    taken = run_ends.read_ends_after

    def ahead(*arguments: Any) -> tuple[list[run_ends.RunEnd], int]:
        ends, position = taken(*arguments)
        return [replace(ends[0], at=ends[0].at + timedelta(hours=1)), *ends[1:]], position

    monkeypatch.setattr(alert_sensors, "read_ends_after", ahead)
    desk.run(OSError("full"))
    if ticks == 2:
        desk.watch()
        monkeypatch.setattr(alert_sensors, "read_ends_after", taken)
    desk.run({})
    desk.watch()
    assert desk.keys() == {}
    desk.run(OSError("full"))
    monkeypatch.setattr(alert_sensors, "read_ends_after", taken)
    desk.watch()
    assert len(desk.keys()) == 1


def test_jobs_without_which_there_is_no_submission_are_critical(desk: Watch) -> None:
    for job in ("load_history", "submit_competition", "retrain_models"):
        desk.run(ValueError("no"), job=job)
    desk.watch()
    assert desk.keys() == {
        f"run_failed/load_history/{DAY}": "critical",
        f"run_failed/submit_competition/{DAY}": "critical",
        f"run_failed/retrain_models/{DAY}": "warning",
    }


def test_checks_of_a_successful_run_are_told_by_their_severity(
    desk: Watch, server: Receiver
) -> None:
    desk.run({"fitted": WARN, "complete": ERROR})
    desk.watch()
    fitted, complete = "check_failed/fits/ridge/fitted", "check_failed/fits/ridge/complete"
    assert desk.keys() == {fitted: "warning", complete: "critical"}
    assert f"failures: {DAY}: singular" in desk.book.alerts()[0].text
    desk.run({"fitted": WARN})
    desk.watch()
    assert desk.keys() == {fitted: "warning"}
    desk.run({"fitted": ERROR}, day=LATER)
    desk.watch()
    assert desk.keys() == {fitted: "critical"}
    desk.run({}, day=DAY)
    desk.watch()
    assert desk.keys() == {fitted: "critical"}
    desk.run({}, day=LATER)
    desk.watch()
    assert desk.keys() == {}
    while not desk.deliver().startswith("0 sent"):
        pass
    assert sorted(title.partition("]")[0] for title in server.titles) == [
        "[critical",
        "[critical",
        "[resolved",
        "[resolved",
        "[warning",
    ]


def test_a_tick_whose_cursor_was_not_kept_changes_nothing_the_second_time(
    desk: Watch, server: Receiver
) -> None:
    deeds: list[Deed] = [ValueError("no"), {"fitted": WARN}, {}, ValueError("no again")]
    for deed in deeds:
        desk.run(deed)
    desk.watch(kept=False)
    before: list[Alert] = desk.book.alerts(closed=True)
    desk.deliver()
    desk.watch()
    again = desk.book.alerts(closed=True)
    assert [(one.id, one.count, one.closed_at) for one in again] == [
        (one.id, one.count, one.closed_at) for one in before
    ]
    desk.deliver()
    assert len(server.titles) == len(set(map(str, desk.book.messages()))) == 5


def test_what_cannot_be_stored_now_is_taken_in_later(desk: Watch) -> None:
    desk.run(ValueError("no"))
    cursor = dict(desk.cursors)
    busy = AlertStore(desk.lake, desk.settings.lake_dir)
    with busy._lock_alerts(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(alert_sensors, "AlertStore", lambda *given: AlertStore(*given, timeout=0.1))
        with pytest.raises(AlertError, match="another process"):
            desk.watch()
    assert desk.cursors == cursor
    desk.watch()
    assert desk.keys() == {f"run_failed/refresh_daily/{DAY}": "critical"}


@pytest.mark.parametrize("level", ["critical", "info"])
def test_a_url_that_cannot_be_used_fails_the_tick_and_holds_up_no_other(
    desk: Watch, server: Receiver, level: str
) -> None:
    desk.settings = telling(desk.settings, **{level: f"slack://{SECRET} {server.url}"})
    desk.run(ValueError("no"))
    desk.watch()
    with pytest.raises(SettingsError, match=f"QUANT_ALERTS_{level.upper()}") as caught:
        desk.deliver()
    assert SECRET not in str(caught.value)
    assert server.titles == [f"[critical] refresh_daily failed for {DAY}"]
    # What is for the channel itself waits.
    assert [one.channel for one in desk.book.pending()] == ["slack://"] * (level == "critical")


def test_closing_by_hand_ends_nothing_that_was_not_seen_yet(desk: Watch) -> None:
    key = f"run_failed/refresh_daily/{DAY}"
    desk.run(ValueError("seen"))
    desk.watch()
    desk.run(ValueError("not read yet"))
    close_alert(desk.settings, key)
    assert desk.keys() == {}
    desk.watch()
    assert list(desk.keys()) == [key]


def test_more_runs_than_a_tick_takes_are_taken_in_order(
    desk: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_sensors, "RUNS_A_TICK", 2)
    deeds: list[Deed] = [{}, {}, ValueError("no"), {}, ValueError("again")]
    for deed in deeds:
        desk.run(deed)
    assert [desk.watch() for _ in range(4)] == [
        "2 runs have ended; 0 messages",
        "2 runs have ended; 2 messages",
        "1 runs have ended; 1 messages",
        "no run has ended",
    ]


def test_runs_that_were_deleted_or_cancelled_are_passed_over(desk: Watch) -> None:
    desk.run(ValueError("no"))
    gone = desk.opened.get_runs()[0]
    cancelled = dg.DagsterRun("refresh_daily")
    desk.opened.add_run(cancelled)
    desk.opened.report_run_canceled(cancelled)
    desk.opened.run_storage.delete_run(gone.run_id)
    assert desk.watch() == "no run has ended"
    assert desk.keys() == {}


def delete_all(opened: dg.DagsterInstance) -> None:
    for one in opened.get_runs():
        opened.delete_run(one.run_id)


@pytest.mark.parametrize("forget", [delete_all, dg.DagsterInstance.wipe])
def test_runs_that_end_after_others_were_deleted_are_told(
    desk: Watch, forget: Callable[[dg.DagsterInstance], None]
) -> None:
    for day in (OTHER_DAY, DAY):
        desk.run({}, day=day)
    desk.watch()
    forget(desk.opened)
    desk.run(ValueError("no"))
    desk.watch()
    assert desk.keys() == {f"run_failed/refresh_daily/{DAY}": "critical"}


def test_a_run_whose_process_died_is_told(desk: Watch) -> None:
    dead = dg.DagsterRun("maintain_lake")
    desk.opened.add_run(dead)
    desk.opened.report_run_failed(dead, "The process of this run ended before the run did.")
    desk.watch()
    (alert,) = desk.book.alerts()
    assert (alert.key, alert.level) == ("run_failed/maintain_lake", "warning")
    assert alert.text.startswith("The process of this run ended")
    assert alert.trading_day is None


def test_a_materialization_from_the_ui_goes_by_its_assets() -> None:
    keys = [dg.AssetKey(["raw", "prices"]), RIDGE]
    chosen = dg.DagsterRun("__ASSET_JOB", asset_selection=frozenset(keys))
    end = run_ends.RunEnd(1, chosen, datetime.now(UTC), True, "")
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
    end = run_ends.RunEnd(1, tagged, datetime.now(UTC), True, "")
    assert str(end.days) == days


def test_the_platforms_own_runs_are_watched(desk_of_market: Desk, server: Receiver) -> None:
    """A day whose source cannot be read, and again when it can."""
    settings = telling(desk_of_market.settings, critical=server.url)
    train = desk_of_market.folder / "train.csv"
    whole = train.read_bytes()
    day = date(2023, 12, 29)
    with open_instance(settings) as opened, Lake(settings.lake_dir) as lake:
        watch = Watch(opened, lake, settings)
        watch.watch()
        definitions = build_definitions(settings, lake=lake)
        names = {sensor.name for sensor in definitions.sensors or ()}
        assert names >= {"watch_runs", "deliver_alerts"}
        train.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(RunFailedError):
            run_job(definitions, opened, "refresh_daily", day, day)
        watch.watch()
        watch.deliver()
        (alert,) = watch.book.alerts()
        assert alert.key == f"run_failed/refresh_daily/{day}"
        assert "raw.prices: " in alert.text
        train.write_bytes(whole)
        run_job(build_definitions(settings, lake=lake), opened, "refresh_daily", day, day)
        watch.watch()
        watch.deliver()
    assert server.titles == [
        f"[critical] refresh_daily failed for {day}",
        f"[resolved] refresh_daily failed for {day}",
    ]


@pytest.fixture
def desk_of_market(loaded: Desk, tmp_path: Path) -> Desk:
    return loaded.copy(tmp_path)
