"""Which day a schedule requests, and when it requests none."""

from dataclasses import replace
from datetime import UTC, date, datetime, time

import dagster as dg
import pytest

from quant_assets.definitions import build_definitions
from quant_assets.orchestration.run_requests.attempts import KIND_TAG, REASON_TAG, TRIGGER_TAG
from quant_assets.orchestration.sensors.refresh_sensor import REFRESH_SENSOR
from quant_assets_tests.support.scheduler import DAYS, Scheduler, TickResult, evening

# Christmas: London rests, Tokyo trades.
FRIDAY, CHRISTMAS, BOXING_DAY = date(2023, 12, 22), date(2023, 12, 25), date(2023, 12, 26)
NEW_YEAR, SATURDAY = date(2024, 1, 1), date(2023, 12, 30)
SUNDAY = datetime(2023, 12, 24, 6, tzinfo=UTC)
# A Tokyo holiday on which London trades, and the session before it.
CULTURE_DAY, BEFORE_IT = date(2023, 11, 3), date(2023, 11, 2)
EVENINGS = {"daily_refresh": time(22), "daily_watch": time(22, 30), "daily_update": time(22, 45)}


def at(scheduler: Scheduler, name: str, day: date) -> TickResult:
    """Evaluate the schedule at its hour of a day."""
    return scheduler.evaluate(name, datetime.combine(day, EVENINGS[name], UTC))


@pytest.mark.parametrize(
    ("before", "day"), [(FRIDAY, CHRISTMAS), (CHRISTMAS, BOXING_DAY), (BEFORE_IT, CULTURE_DAY)]
)
def test_a_trading_day_is_refreshed_watched_and_updated_that_evening(
    scheduler: Scheduler, before: date, day: date
) -> None:
    scheduler.deliver(day)
    scheduler.submit(before)
    (request,) = at(scheduler, "daily_refresh", day).requests
    assert (request.partition_key, request.tags[TRIGGER_TAG]) == (str(day), str(day))
    asset = scheduler.definitions.resolve_asset_graph().get(dg.AssetKey(["raw", "prices"]))
    assert asset.partitions_def
    assert asset.partitions_def.has_partition_key(str(day))
    scheduler.submit(day)
    for name in ("daily_watch", "daily_update"):
        (request,) = at(scheduler, name, day).requests
        assert (request.partition_key, request.tags[REASON_TAG]) == (
            str(day),
            f"{day} is refreshed",
        )


@pytest.mark.parametrize("name", EVENINGS)
@pytest.mark.parametrize("day", [SATURDAY, date(2023, 12, 31), NEW_YEAR])
def test_days_on_which_all_markets_rest_are_skipped(
    scheduler: Scheduler, name: str, day: date
) -> None:
    scheduler.submit(DAYS[-1])
    result = at(scheduler, name, day)
    assert not result.requests
    assert result.reason == f"{day} is not a trading day: London and Tokyo are closed"


@pytest.mark.parametrize("name", [*EVENINGS, "weekly_retrain"])
def test_before_the_first_load_a_schedule_says_what_to_do(scheduler: Scheduler, name: str) -> None:
    result = scheduler.evaluate(name, evening(DAYS[-1]))
    assert not result.requests
    assert result.reason.startswith("nothing is loaded yet: first run load_history")


def test_a_day_that_is_done_is_not_done_again(scheduler: Scheduler) -> None:
    day = DAYS[-1]
    scheduler.submit(day)
    scheduler.watch(day)
    scheduler.update(day)
    assert at(scheduler, "daily_refresh", day).reason == f"{day} is already refreshed"
    assert at(scheduler, "daily_watch", day).reason == f"all days up to {day} are watched"
    assert at(scheduler, "daily_update", day).reason == f"the fits as of {day} exist"


def test_a_day_under_way_is_not_begun_again(scheduler: Scheduler) -> None:
    scheduler.submit(DAYS[-2])
    scheduler.begin("refresh_daily")
    assert "refresh_daily is under way" in at(scheduler, "daily_refresh", DAYS[-1]).reason


def test_an_earlier_day_comes_first(scheduler: Scheduler) -> None:
    scheduler.submit(DAYS[-3])
    result = at(scheduler, "daily_refresh", DAYS[-1])
    assert not result.requests
    assert result.reason == (
        f"{DAYS[-2]} has to run first: switch on the sensor refresh_new_days, "
        "which catches up day by day"
    )


def test_a_day_that_has_not_come_is_not_refreshed(scheduler: Scheduler) -> None:
    scheduler.deliver(DAYS[-2])
    scheduler.submit(DAYS[-2])
    assert at(scheduler, "daily_refresh", DAYS[-1]).reason == (
        f"competition has no day after {DAYS[-2]}"
    )


def test_a_source_that_cannot_be_read_is_a_reason_to_rest(scheduler: Scheduler) -> None:
    scheduler.submit(DAYS[-2])
    (scheduler.folder / "train.csv").write_text("")
    assert at(scheduler, "daily_refresh", DAYS[-1]).reason.startswith("the source cannot be read: ")


@pytest.mark.parametrize("name", EVENINGS)
def test_where_the_sensor_is_on_a_schedule_leaves_it_to_that(
    scheduler: Scheduler, name: str
) -> None:
    """Otherwise both would see no run, and each would request a run."""
    scheduler.submit(DAYS[-2])
    switch_on(scheduler, REFRESH_SENSOR)
    result = at(scheduler, name, DAYS[-1])
    assert not result.requests
    assert result.reason == "the sensor refresh_new_days is on and requests the runs"


@pytest.mark.parametrize("automation", [False, True])
def test_what_code_switched_on_is_on_as_long_as_the_code_says_so(
    scheduler: Scheduler, automation: bool
) -> None:
    """Dagster keeps the row after QUANT_AUTOMATION is unset."""
    scheduler.submit(DAYS[-2])
    switch_on(scheduler, REFRESH_SENSOR, "DECLARED_IN_CODE")
    settings = scheduler.settings.model_copy(update={"automation": automation})
    built = build_definitions(settings, lake=scheduler.lake, clock=scheduler.clock)
    result = at(replace(scheduler, definitions=built), "daily_refresh", DAYS[-1])
    assert bool(result.requests) is not automation
    assert ("refresh_new_days is on" in result.reason) is automation


def switch_on(scheduler: Scheduler, name: str, status: str = "RUNNING") -> None:
    """Switch a sensor on, as a person does in the UI or the daemon by its definition."""
    from dagster._core.remote_origin import (
        InProcessCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        InstigatorType,
        SensorInstigatorData,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="quant_assets"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    scheduler.opened.add_instigator_state(
        InstigatorState(
            origin, InstigatorType.SENSOR, InstigatorStatus[status], SensorInstigatorData()
        )
    )


def test_models_are_retrained_on_sunday_as_of_the_newest_day(scheduler: Scheduler) -> None:
    scheduler.submit(FRIDAY)
    (request,) = scheduler.evaluate("weekly_retrain", SUNDAY).requests
    assert request.partition_key == str(FRIDAY)
    assert (request.tags[KIND_TAG], request.tags[TRIGGER_TAG]) == ("weekly", f"weekly/{FRIDAY}")
    assert request.tags[REASON_TAG] == f"the weekly retraining, as of {FRIDAY}"
    scheduler.run(request, "retrain_models")
    again = scheduler.evaluate("weekly_retrain", SUNDAY)
    assert not again.requests
    assert "models were already retrained for this trigger" in again.reason


def test_the_weekly_retraining_rests_while_no_day_has_come(scheduler: Scheduler) -> None:
    """A week of holidays, or a source that has ended."""
    scheduler.submit(FRIDAY)
    (request,) = scheduler.evaluate("weekly_retrain", SUNDAY).requests
    scheduler.run(request, "retrain_models")
    later = scheduler.evaluate("weekly_retrain", datetime(2023, 12, 31, 6, tzinfo=UTC))
    assert later.reason == (
        f"the weekly retraining, as of {FRIDAY}: models were already retrained for this trigger"
    )


def test_the_weekly_retraining_does_not_stack(scheduler: Scheduler) -> None:
    scheduler.submit(FRIDAY)
    scheduler.begin("retrain_models")
    result = scheduler.evaluate("weekly_retrain", SUNDAY)
    assert "a retraining is under way" in result.reason


def test_crons_name_the_days_and_hours_in_utc(scheduler: Scheduler) -> None:
    """When each schedule is evaluated during a fortnight over New Year."""
    begin, end = datetime(2023, 12, 23, tzinfo=UTC), datetime(2024, 1, 6, tzinfo=UTC)
    moments = {
        schedule.name: _moments(scheduler, schedule.name, begin, end)
        for schedule in scheduler.definitions.schedules or ()
    }
    weekdays = [date(2023, 12, d) for d in (25, 26, 27, 28, 29)]
    weekdays += [date(2024, 1, d) for d in (1, 2, 3, 4, 5)]
    for name, hour in EVENINGS.items():
        assert moments[name] == [datetime.combine(day, hour, UTC) for day in weekdays]
    assert moments["weekly_retrain"] == [SUNDAY, datetime(2023, 12, 31, 6, tzinfo=UTC)]
    assert moments["weekly_maintenance"] == [
        datetime(2023, 12, 23, 4, tzinfo=UTC),
        datetime(2023, 12, 30, 4, tzinfo=UTC),
    ]


def _moments(scheduler: Scheduler, name: str, begin: datetime, end: datetime) -> list[datetime]:
    schedule = scheduler.definitions.resolve_schedule_def(name)
    from dagster._utils.schedules import schedule_execution_time_iterator

    moments: list[datetime] = []
    for moment in schedule_execution_time_iterator(
        begin.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
    ):
        if moment >= end:
            return moments
        moments.append(moment.astimezone(UTC))
    return moments
