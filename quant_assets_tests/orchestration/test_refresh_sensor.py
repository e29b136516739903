"""The runs that the refresh sensor requests: for new, late, failed and missed days."""

import json
from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.revision_tables import REJECTED_PRICES
from quant_assets.lake.store.changes import delete_days
from quant_assets.orchestration.run_requests.attempts import (
    ATTEMPT_TAG,
    REASON_TAG,
    REQUESTED_AT_TAG,
    TRIGGER_TAG,
)
from quant_assets.orchestration.sensors.refresh_sensor import REFRESH_SENSOR, RefreshCursor
from quant_assets_tests.support.scheduler import DAYS, Scheduler, TickResult, command_run, evening
from quant_assets_tests.support.small_market import Rows, change_train

# The last days: 25 to 29 December 2023; London rests on the first two, Tokyo trades.
THURSDAY, FRIDAY = DAYS[-2:]
NEW_YEAR = date(2024, 1, 1)
AFTER = [timedelta(minutes=m) for m in (5, 10, 20, 40, 80, 120, 120)]


def tick(scheduler: Scheduler) -> TickResult:
    """Tick once, and again if the source has changed since the tick before."""
    result = scheduler.tick(REFRESH_SENSOR)
    return scheduler.tick(REFRESH_SENSOR) if "has changed since" in result.reason else result


def find_requests(result: TickResult, job: str) -> list[dg.RunRequest]:
    return [request for request in result.requests if request.job_name == job]


def done(scheduler: Scheduler, *days: date) -> None:
    """Store the days as refreshed, watched and updated."""
    scheduler.submit(*days)
    scheduler.watch(*days)
    scheduler.update(*days)


def test_before_the_first_load_it_says_what_to_do(scheduler: Scheduler) -> None:
    result = tick(scheduler)
    assert not result.requests
    assert "refresh_daily: nothing is loaded yet: first run load_history" in result.reason


def test_a_new_day_is_refreshed_then_watched_and_updated(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    result = tick(scheduler)
    assert result.requested == [f"refresh_daily {FRIDAY}"]
    (request,) = result.requests
    assert request.run_key == f"refresh_daily/{FRIDAY}#1"
    assert request.tags[TRIGGER_TAG] == str(FRIDAY)
    assert request.tags[REASON_TAG] == "new prices of competition"
    assert request.tags[ATTEMPT_TAG] == "1"
    assert request.tags[REQUESTED_AT_TAG] == scheduler.clock.moment.isoformat()
    scheduler.run(request)
    scheduler.submit(FRIDAY)
    result = tick(scheduler)
    assert result.requested == [f"watch_daily {FRIDAY}", f"update_daily {FRIDAY}"]
    scheduler.watch(FRIDAY)
    scheduler.update(FRIDAY)
    result = tick(scheduler)
    assert not result.requests
    assert result.reason == (
        "revise_history: the source has not changed the past; "
        f"refresh_daily: competition has no day after {FRIDAY}; "
        f"watch_daily: all days up to {FRIDAY} are watched; "
        f"update_daily: the fits as of {FRIDAY} exist"
    )


def test_missed_days_are_caught_up_in_order_one_at_a_time(scheduler: Scheduler) -> None:
    done(scheduler, DAYS[-6])
    refreshed = []
    for _ in range(5):
        (request,) = find_requests(tick(scheduler), "refresh_daily")
        waiting = scheduler.begin("refresh_daily", **request.tags)
        again = tick(scheduler)
        assert not find_requests(again, "refresh_daily")
        scheduler.opened.report_run_canceled(waiting)
        scheduler.opened.delete_run(waiting.run_id)
        scheduler.run(request)
        scheduler.submit(date.fromisoformat(request.partition_key or ""))
        refreshed.append(request.partition_key)
    assert refreshed == [str(day) for day in DAYS[-5:]]
    watched = []
    for _ in range(5):
        (request,) = find_requests(tick(scheduler), "watch_daily")
        watched.append(request.partition_key)
        scheduler.watch(date.fromisoformat(request.partition_key or ""))
    assert watched == refreshed


@pytest.mark.parametrize("job", ["load_history", "walk_forward", "refresh_daily", "__ASSET_JOB"])
def test_no_day_is_refreshed_beside_another_run_over_days(scheduler: Scheduler, job: str) -> None:
    done(scheduler, THURSDAY)
    run = scheduler.begin(job)
    result = tick(scheduler)
    assert not result.requests
    assert f"refresh_daily: {job} is under way (run {run.run_id[:8]})" in result.reason


@pytest.mark.parametrize("job", ["retrain_models", "tune_models", "watch_daily", "maintain_lake"])
def test_a_refresh_does_not_wait_for_what_writes_no_days(scheduler: Scheduler, job: str) -> None:
    done(scheduler, THURSDAY)
    scheduler.begin(job)
    assert tick(scheduler).requested == [f"refresh_daily {FRIDAY}"]


def test_a_day_that_fails_is_tried_again_after_ever_longer_pauses(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    for attempt, pause in enumerate(AFTER, 1):
        (request,) = tick(scheduler).requests
        assert request.tags[ATTEMPT_TAG] == str(attempt)
        assert request.run_key == f"refresh_daily/{FRIDAY}#{attempt}"
        scheduler.run(request, fails=True)
        scheduler.clock.moment += pause - timedelta(seconds=1)
        result = tick(scheduler)
        assert not result.requests
        assert f"attempt {attempt} did not help; the next is due at" in result.reason
        scheduler.clock.moment += timedelta(seconds=1)


def test_a_day_of_which_a_failed_run_was_deleted_is_tried_again(scheduler: Scheduler) -> None:
    """Dagster launches no second run with the same run key."""
    done(scheduler, THURSDAY)
    for _ in range(2):
        (request,) = tick(scheduler).requests
        scheduler.run(request, fails=True)
        scheduler.clock.moment += timedelta(hours=2)
    scheduler.opened.delete_run(scheduler.opened.get_runs()[-1].run_id)
    (request,) = tick(scheduler).requests
    assert request.run_key == f"refresh_daily/{FRIDAY}#3"


def test_a_day_that_fails_after_its_submission_is_tried_again_before_the_next(
    scheduler: Scheduler,
) -> None:
    done(scheduler, DAYS[-3])
    scheduler.clock.moment = evening(THURSDAY, 22, 5)
    for attempt in range(1, 6):
        (request,) = tick(scheduler).requests
        assert request.run_key == f"refresh_daily/{THURSDAY}#{attempt}"
        done(scheduler, THURSDAY)
        scheduler.run(request, fails=True)
        assert f"{THURSDAY}: attempt {attempt} did not help" in tick(scheduler).reason or (
            attempt == 5
        )
        scheduler.clock.moment += timedelta(hours=2)
    scheduler.clock.moment = evening(FRIDAY)
    assert tick(scheduler).requested == [f"refresh_daily {FRIDAY}"]


def test_what_fails_after_the_submission_has_its_own_attempts(scheduler: Scheduler) -> None:
    done(scheduler, DAYS[-3])
    scheduler.deliver(THURSDAY)
    for attempt in range(1, 6):
        (request,) = tick(scheduler).requests
        assert request.tags[ATTEMPT_TAG] == str(attempt)
        scheduler.run(request, fails=True)
        scheduler.clock.moment += timedelta(hours=2)
    (request,) = tick(scheduler).requests
    run = scheduler.begin("refresh_daily", **request.tags)
    _record_submission(scheduler, run, THURSDAY)
    done(scheduler, THURSDAY)
    scheduler.opened.report_run_failed(run)
    for attempt in range(7, 11):
        scheduler.clock.moment += timedelta(hours=2)
        (request,) = tick(scheduler).requests
        assert request.run_key == f"refresh_daily/{THURSDAY}#{attempt}"
        scheduler.run(request, fails=True)
    scheduler.clock.moment += timedelta(hours=2)
    assert not tick(scheduler).requests


def _record_submission(scheduler: Scheduler, run: dg.DagsterRun, day: date) -> None:
    stored = dg.AssetMaterialization(
        SUBMISSIONS.key, partition=str(day), metadata={"dagster/row_count": 1}
    )
    event = dg.DagsterEvent(
        "ASSET_MATERIALIZATION",
        run.job_name,
        step_key="submission",
        event_specific_data=StepMaterializationData(stored),
    )
    scheduler.opened.report_dagster_event(event, run.run_id)


def test_a_day_whose_second_attempt_succeeds_is_done(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    (request,) = tick(scheduler).requests
    done(scheduler, FRIDAY)
    scheduler.run(request, fails=True)
    scheduler.clock.moment += timedelta(minutes=5)
    (request,) = tick(scheduler).requests
    assert request.run_key == f"refresh_daily/{FRIDAY}#2"
    scheduler.run(request)
    assert not tick(scheduler).requests


def test_a_run_that_succeeds_without_a_submission_counts_as_failed(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    (request,) = tick(scheduler).requests
    scheduler.run(request)
    assert "attempt 1 did not help" in tick(scheduler).reason


def test_a_withdrawn_day_is_not_watched_although_its_submission_stays(
    scheduler: Scheduler,
) -> None:
    done(scheduler, THURSDAY)
    scheduler.submit(FRIDAY)
    scheduler.lake.change(delete_days(MARKET_FEATURES, [FRIDAY]))
    assert not find_requests(tick(scheduler), "watch_daily")


def test_a_day_that_cannot_be_watched_holds_up_no_other(scheduler: Scheduler) -> None:
    done(scheduler, *DAYS[-3:])
    scheduler.lake.replace_days(*_without(scheduler, "monitoring.regimes", DAYS[-2], DAYS[-1]))
    for _ in range(5):
        (request,) = tick(scheduler).requests
        assert (request.job_name, request.partition_key) == ("watch_daily", str(DAYS[-2]))
        scheduler.run(request, fails=True)
        scheduler.clock.moment += timedelta(hours=2)
    assert tick(scheduler).requested == [f"watch_daily {DAYS[-1]}"]


def _without(scheduler: Scheduler, name: str, start: date, end: date):  # type: ignore[no-untyped-def]
    from quant_assets.lake.schemas.monitoring_tables import REGIMES

    assert REGIMES.name == name
    return REGIMES, start, end, {column.name: [] for column in REGIMES.columns}


def test_a_day_is_not_refreshed_before_it_is_over(scheduler: Scheduler) -> None:
    """Its file is there early, or the clock is slow."""
    done(scheduler, THURSDAY)
    scheduler.clock.moment = evening(FRIDAY, 21, 59)
    result = tick(scheduler)
    assert not result.requests
    assert (
        f"refresh_daily: {FRIDAY} is not over: its prices are complete from 22:00 UTC"
        in result.reason
    )
    scheduler.clock.moment = evening(FRIDAY, 22, 0)
    assert tick(scheduler).requested == [f"refresh_daily {FRIDAY}"]


def test_days_on_which_all_markets_rest_are_not_missing(scheduler: Scheduler) -> None:
    """A weekend and New Year's Day; no run is requested until the next session."""
    done(scheduler, FRIDAY)
    for day in (date(2023, 12, 30), date(2023, 12, 31), NEW_YEAR):
        scheduler.clock.moment = evening(day)
        assert not tick(scheduler).requests


def test_a_weekend_between_two_sessions_is_passed_over(scheduler: Scheduler) -> None:
    friday = date(2023, 12, 22)
    scheduler.deliver(friday)
    done(scheduler, friday)
    scheduler.clock.moment = evening(date(2023, 12, 24))
    assert not tick(scheduler).requests
    scheduler.deliver(date(2023, 12, 25))
    scheduler.clock.moment = evening(date(2023, 12, 25))
    assert tick(scheduler).requested == ["refresh_daily 2023-12-25"]


def test_rows_that_are_appended_are_seen_without_a_reload(scheduler: Scheduler) -> None:
    scheduler.deliver(DAYS[-3])
    done(scheduler, DAYS[-3])
    assert not tick(scheduler).requests
    scheduler.deliver(THURSDAY)
    assert tick(scheduler).requested == [f"refresh_daily {THURSDAY}"]
    last = scheduler.whole[len(DAYS)]
    (scheduler.folder / "test.csv").write_text(
        "\n".join(",".join(cells) for cells in (scheduler.whole[0], last)) + "\n"
    )
    scheduler.submit(THURSDAY)
    assert f"refresh_daily {FRIDAY}" in tick(scheduler).requested


def test_a_day_that_the_source_leaves_out_is_passed_over(scheduler: Scheduler) -> None:
    """The folder's calendar says so; the day after it is the next."""
    lines = [f"{i},{day}" for i, day in enumerate(DAYS)]
    (scheduler.folder / "calendar.csv").write_text("\n".join(["date_id,date", *lines]) + "\n")

    def leave_out(rows: Rows) -> Rows:
        return [*rows[:-2], rows[-1]]

    done(scheduler, DAYS[-3])
    change_train(scheduler.folder, leave_out)
    assert tick(scheduler).requested == [f"refresh_daily {FRIDAY}"]


def test_a_source_that_cannot_be_read_costs_no_run(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    whole = (scheduler.folder / "train.csv").read_bytes()
    (scheduler.folder / "train.csv").write_bytes(whole[: len(whole) // 2] + b"\n")
    result = tick(scheduler)
    assert not result.requests
    assert "refresh_daily: the source cannot be read: " in result.reason
    assert "train.csv" in result.reason
    (scheduler.folder / "train.csv").write_bytes(whole)
    assert tick(scheduler).requested == [f"refresh_daily {FRIDAY}"]


def test_a_clock_that_goes_back_runs_nothing_twice_and_goes_on(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    (request,) = tick(scheduler).requests
    scheduler.run(request, fails=True)
    scheduler.clock.moment -= timedelta(days=365)
    result = tick(scheduler)
    assert not result.requests
    assert result.reason.startswith("the clock went back from 2023-12-29 22:05 to 2022-12-29 22:05")
    # By this clock the day lies in the future.
    scheduler.clock.moment += timedelta(minutes=1)
    assert f"{FRIDAY} is not over" in tick(scheduler).reason
    scheduler.clock.moment = evening(FRIDAY, 22, 6)
    assert "the next is due at 2023-12-29 22:10" in tick(scheduler).reason
    scheduler.clock.moment = evening(FRIDAY, 22, 10)
    assert [request.tags[ATTEMPT_TAG] for request in tick(scheduler).requests] == ["2"]


def test_a_clock_that_goes_ahead_and_back_leaves_no_day_waiting(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    scheduler.clock.moment = evening(FRIDAY) + timedelta(days=300)
    (request,) = tick(scheduler).requests
    scheduler.run(request, fails=True)
    scheduler.clock.moment = evening(FRIDAY, 23)
    assert "went back" in tick(scheduler).reason
    assert [request.tags[ATTEMPT_TAG] for request in tick(scheduler).requests] == ["2"]


def test_a_command_that_died_holds_up_nothing(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    dead = command_run("load_history")
    scheduler.opened.add_run(dead)
    scheduler.opened.report_engine_event("begun", dead)
    scheduler.opened.handle_new_event(_started(dead))
    assert tick(scheduler).requested == [f"refresh_daily {FRIDAY}"]
    (record,) = scheduler.opened.get_run_records(dg.RunsFilter(run_ids=[dead.run_id]))
    assert record.dagster_run.status is dg.DagsterRunStatus.FAILURE


def _started(run: dg.DagsterRun) -> dg.EventLogEntry:
    from dagster._core.events import DagsterEvent, DagsterEventType

    event = DagsterEvent(DagsterEventType.PIPELINE_START.value, run.job_name)
    return dg.EventLogEntry(
        error_info=None,
        level=20,
        user_message="",
        run_id=run.run_id,
        timestamp=0.0,
        job_name=run.job_name,
        dagster_event=event,
    )


def test_a_file_that_is_being_written_is_read_once_it_is_at_rest(scheduler: Scheduler) -> None:
    scheduler.deliver(DAYS[-3])
    done(scheduler, DAYS[-3])
    tick(scheduler)
    for day in DAYS[-2:]:
        scheduler.deliver(day)
        waiting = scheduler.tick(REFRESH_SENSOR)
        assert not waiting.requests
        assert "competition has changed since the last tick" in waiting.reason
    assert scheduler.tick(REFRESH_SENSOR).requested == [f"refresh_daily {THURSDAY}"]


def test_the_cursor_has_the_moment_and_the_look_of_the_tick(scheduler: Scheduler) -> None:
    tick(scheduler)
    cursor = RefreshCursor.parse(scheduler.cursors[REFRESH_SENSOR])
    assert cursor.clock == scheduler.clock.moment.isoformat()
    assert cursor.look
    assert json.dumps(scheduler.cursors)


def test_a_changed_past_is_revised_before_the_next_day_is_refreshed(scheduler: Scheduler) -> None:
    scheduler.deliver(THURSDAY)
    done(scheduler, *DAYS[-8:-1])

    def correct(rows: Rows) -> None:
        rows[-3][5] = repr(float(rows[-3][5]) * 1.5)

    scheduler.deliver(FRIDAY)
    change_train(scheduler.folder, correct)
    result = tick(scheduler)
    (request,) = result.requests
    assert request.job_name == "revise_history"
    assert request.tags["dagster/asset_partition_range_start"] == str(DAYS[-3])
    assert request.tags["dagster/asset_partition_range_end"] == str(THURSDAY)
    assert "corrected" in request.tags[REASON_TAG]
    scheduler.begin("revise_history")
    assert not tick(scheduler).requests


def test_a_day_that_was_rejected_too_often_is_set_aside(scheduler: Scheduler) -> None:
    done(scheduler, THURSDAY)
    for number in (1, 2, 3):
        scheduler.clock.moment += timedelta(hours=3)
        (request,) = tick(scheduler).requests
        assert request.run_key == f"refresh_daily/{FRIDAY}#{number}"
        scheduler.run(request, fails=True)
        newest = scheduler.opened.get_runs(limit=1)[0]
        scheduler.store(REJECTED_PRICES, FRIDAY, dagster_run=newest.run_id)
    (request,) = tick(scheduler).requests
    assert (request.job_name, request.partition_key) == ("revise_history", str(FRIDAY))
    assert "failed its blocking checks 3 times" in request.tags[REASON_TAG]
