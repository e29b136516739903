"""Which day a report is requested for, and when none is requested."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from quant_assets.core.clock import Clock
from quant_assets.definitions import build_definitions
from quant_assets_tests.support.scheduler import DAYS, Scheduler, evening
from quant_assets_tests.support.small_market import LAST_DAY, small_settings, write_small_market


class LastEvening(Clock):
    """A clock that stands on the evening of the market's last day."""

    def now(self) -> datetime:
        return datetime.combine(LAST_DAY, time(23), UTC)


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The small market as it was while it was live."""
    folder = write_small_market(Path(tmp_path_factory.mktemp("schedules"), "market"))
    return build_definitions(small_settings(folder, folder / "data"), clock=LastEvening())


def tick(definitions: dg.Definitions, name: str, day: date) -> str:
    """The day that the schedule requests, or why it requests none."""
    schedule = definitions.resolve_schedule_def(name)
    with dg.build_schedule_context(
        scheduled_execution_time=datetime.combine(day, time(23), tzinfo=UTC),
        resources=definitions.resources,
        repository_def=definitions.get_repository_def(),
    ) as context:
        result = schedule.evaluate_tick(context)
    if result.skip_message:
        assert not result.run_requests
        return result.skip_message
    (request,) = result.run_requests or ()
    assert request.run_key == request.partition_key
    return str(request.partition_key)


@pytest.mark.parametrize(
    ("name", "day", "as_of"),
    [
        ("daily_report", date(2023, 10, 2), date(2023, 10, 2)),
        # Christmas: London rests, Tokyo trades.
        ("daily_report", date(2023, 12, 25), date(2023, 12, 25)),
        ("daily_report", LAST_DAY, LAST_DAY),
        ("weekly_report", date(2023, 10, 7), date(2023, 10, 6)),
        ("weekly_report", date(2023, 12, 30), date(2023, 12, 29)),
        ("monthly_report", date(2023, 9, 1), date(2023, 8, 31)),
        ("monthly_report", date(2023, 10, 1), date(2023, 9, 29)),
        ("monthly_report", date(2024, 1, 1), date(2023, 12, 29)),
    ],
)
def test_a_report_is_as_of_the_last_trading_day(
    definitions: dg.Definitions, name: str, day: date, as_of: date
) -> None:
    assert tick(definitions, name, day) == as_of.isoformat()


@pytest.mark.parametrize(
    ("name", "day", "reason"),
    [
        ("daily_report", date(2024, 1, 1), "not a trading day: London and Tokyo are closed"),
        ("daily_report", date(2023, 7, 28), "2023-07-28 is not a day of the loaded market"),
        ("monthly_report", date(2023, 7, 1), "2023-06-30 is not a day of the loaded market"),
    ],
)
def test_other_days_are_skipped_with_the_reason(
    definitions: dg.Definitions, name: str, day: date, reason: str
) -> None:
    assert reason in tick(definitions, name, day)


def test_the_drift_of_a_day_that_came_late_has_a_page_within_the_hour(scheduler: Scheduler) -> None:
    scheduler.watch(*DAYS[:-1])
    (first,) = scheduler.evaluate("drift_report", evening(DAYS[-1], minute=50)).requests
    scheduler.run(first, "report_drift")
    night = evening(DAYS[-1]) + timedelta(hours=5)
    scheduler.watch(DAYS[-1])
    tick = moment_after(scheduler, "drift_report", night)
    assert tick - night <= timedelta(hours=1)
    (late,) = scheduler.evaluate("drift_report", tick).requests
    assert [first.partition_key, late.partition_key] == [str(day) for day in DAYS[-2:]]
    assert late.run_key == late.partition_key


def test_a_page_of_the_drift_is_requested_once(scheduler: Scheduler) -> None:
    """Even if its run failed."""
    scheduler.watch(DAYS[-1])
    (request,) = scheduler.evaluate("drift_report", evening(DAYS[-1], minute=50)).requests
    scheduler.run(request, "report_drift", fails=True)
    again = scheduler.evaluate("drift_report", evening(DAYS[-1], hour=23, minute=50))
    assert not again.requests
    assert again.reason == f"the page of {DAYS[-1]} was already requested"


def test_without_a_day_that_was_watched_there_is_no_page_of_the_drift(scheduler: Scheduler) -> None:
    result = scheduler.evaluate("drift_report", evening(DAYS[-1], minute=50))
    assert not result.requests
    assert result.reason == "no drift is stored yet: run watch_daily first"


def moment_after(scheduler: Scheduler, name: str, moment: datetime) -> datetime:
    """The next moment at which the schedule is evaluated."""
    schedule = scheduler.definitions.resolve_schedule_def(name)
    moments = schedule_execution_time_iterator(
        moment.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
    )
    return next(moments)
