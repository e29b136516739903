"""Alerts about a source that is late or cannot be read: each opens once and closes once."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from quant_assets.definitions import build_definitions
from quant_assets.orchestration.sensors.source_sensor import (
    MAX_SOURCE_AGE,
    UNREADABLE_KEY,
    SourceCursor,
    SourceReading,
    apply_reading,
    find_late_days,
    read_source_state,
)
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.scheduler import DAYS, Scheduler, evening
from quant_assets_tests.support.small_market import change_train

THURSDAY, FRIDAY = DAYS[-2:]
NEW_YEAR = date(2024, 1, 1)
FOUR_HOURS = timedelta(hours=4)
AT_ONCE = replace(LONDON_AND_TOKYO, late_after_hours=0)


def test_a_day_is_late_when_its_time_is_over() -> None:
    due = evening(FRIDAY, 22, 0) + FOUR_HOURS
    assert find_late_days(THURSDAY, due - timedelta(seconds=1), LONDON_AND_TOKYO) == []
    assert find_late_days(THURSDAY, due, LONDON_AND_TOKYO) == [FRIDAY]
    assert find_late_days(FRIDAY, due, LONDON_AND_TOKYO) == []


@pytest.mark.parametrize("day", [date(2023, 12, 30), date(2023, 12, 31), NEW_YEAR])
def test_a_day_on_which_all_markets_rest_is_never_late(day: date) -> None:
    assert find_late_days(FRIDAY, evening(day, 23, 59), AT_ONCE) == []
    # The session after it is.
    assert find_late_days(FRIDAY, evening(date(2024, 1, 2)), AT_ONCE) == [date(2024, 1, 2)]


def test_a_source_that_ended_long_ago_is_late_with_nothing() -> None:
    assert (
        find_late_days(
            FRIDAY, evening(FRIDAY) + MAX_SOURCE_AGE + timedelta(days=1), LONDON_AND_TOKYO
        )
        == []
    )
    # Nor is one that is ahead of the clock.
    assert find_late_days(FRIDAY, evening(FRIDAY) - timedelta(days=400), LONDON_AND_TOKYO) == []


def test_late_days_stay_late_when_the_source_has_ended() -> None:
    before = SourceCursor(late=["2024-01-02"])
    after, events = apply_reading(
        before, SourceReading(FRIDAY), evening(FRIDAY) + timedelta(days=40), LONDON_AND_TOKYO
    )
    assert (after.late, events) == (["2024-01-02"], [])


def test_each_late_day_opens_one_alert_which_closes_when_its_prices_arrive(
    scheduler: Scheduler,
) -> None:
    scheduler.deliver(DAYS[-3])
    scheduler.submit(DAYS[-3])
    scheduler.clock.moment = evening(THURSDAY, 22)
    assert scheduler.tick("watch_source").reason == f"the newest day of competition is {DAYS[-3]}"
    scheduler.clock.moment = evening(FRIDAY, 2)
    result = scheduler.tick("watch_source")
    assert result.reason == f"the newest day of competition is {DAYS[-3]}; late days: {THURSDAY}"
    scheduler.tick("watch_source")
    assert scheduler.alerts() == {f"data_late/{THURSDAY}": "warning"}
    scheduler.clock.moment = evening(FRIDAY, 2) + timedelta(days=1)
    scheduler.tick("watch_source")
    assert set(scheduler.alerts()) == {f"data_late/{THURSDAY}", f"data_late/{FRIDAY}"}
    scheduler.deliver(FRIDAY)
    scheduler.tick("watch_source")
    assert scheduler.alerts() == {}
    assert sorted(
        (alert.key, alert.count) for alert in scheduler.alert_store.alerts(closed=True)
    ) == [
        (f"data_late/{THURSDAY}", 1),
        (f"data_late/{FRIDAY}", 1),
    ]


def test_a_day_that_the_source_skips_stays_late_until_its_prices_arrive(
    scheduler: Scheduler,
) -> None:
    scheduler.submit(DAYS[-3])
    scheduler.clock.moment = evening(FRIDAY, 23)
    lines = [f"{i},{day}" for i, day in enumerate(DAYS)]
    (scheduler.folder / "calendar.csv").write_text("\n".join(["date_id,date", *lines]) + "\n")
    change_train(scheduler.folder, lambda rows: [*rows[:-2], rows[-1]])
    scheduler.tick("watch_source")
    (alert,) = scheduler.alert_store.alerts()
    assert alert.key == f"data_late/{THURSDAY}"
    assert f"has later days, up to {FRIDAY}" in alert.text
    scheduler.submit(FRIDAY)
    scheduler.tick("watch_source")
    assert list(scheduler.alerts()) == [alert.key]
    scheduler.deliver(FRIDAY)
    scheduler.tick("watch_source")
    assert scheduler.alerts() == {}


def test_a_late_day_stays_late_while_the_source_has_a_day_that_is_not_over(
    scheduler: Scheduler,
) -> None:
    lines = [f"{i},{day}" for i, day in enumerate(DAYS)]
    (scheduler.folder / "calendar.csv").write_text("\n".join(["date_id,date", *lines]) + "\n")
    scheduler.deliver(DAYS[-3])
    scheduler.submit(DAYS[-3])
    scheduler.clock.moment = evening(FRIDAY, 2)
    scheduler.tick("watch_source")
    change_train(scheduler.folder, lambda _: [*scheduler.whole[:-2], scheduler.whole[-1]])
    for hour in (21, 22):
        scheduler.clock.moment = evening(FRIDAY, hour)
        scheduler.tick("watch_source")
        assert list(scheduler.alerts()) == [f"data_late/{THURSDAY}"]
    (alert,) = scheduler.alert_store.alerts(closed=True)
    assert alert.count == 1


def test_a_late_day_is_read_again_for_a_month(scheduler: Scheduler) -> None:
    scheduler.submit(FRIDAY)
    source, now = open_source(scheduler.settings), evening(FRIDAY)
    recent, long_ago = (
        DAYS[-10],
        next(day for day in reversed(DAYS) if FRIDAY - day > MAX_SOURCE_AGE),
    )
    for day, skipped in ((recent, ()), (long_ago, (long_ago,))):
        found = read_source_state(scheduler.lake, source, LONDON_AND_TOKYO, now, [str(day)], 5)
        assert found.skipped == skipped


def test_a_clock_that_jumps_ahead_and_back_closes_the_alerts_that_it_opened(
    scheduler: Scheduler,
) -> None:
    scheduler.submit(FRIDAY)
    scheduler.clock.moment = evening(date(2024, 1, 3), 23)
    scheduler.tick("watch_source")
    assert list(scheduler.alerts()) == ["data_late/2024-01-02"]
    scheduler.clock.moment = evening(FRIDAY, 23)
    scheduler.tick("watch_source")
    assert scheduler.alerts() == {}
    scheduler.clock.moment = evening(date(2024, 1, 3), 23) + timedelta(minutes=1)
    scheduler.tick("watch_source")
    assert list(scheduler.alerts()) == ["data_late/2024-01-02"]


@pytest.mark.parametrize("name", ["train.csv", "target_pairs.csv"])
def test_a_source_that_stays_unreadable_opens_one_alert(scheduler: Scheduler, name: str) -> None:
    scheduler.submit(THURSDAY)
    path = scheduler.folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\n")
    scheduler.tick("watch_source")
    assert scheduler.alerts() == {}
    for _ in range(3):
        scheduler.clock.moment += timedelta(seconds=30)
        assert name in scheduler.tick("watch_source").reason
    assert scheduler.alerts() == {UNREADABLE_KEY: "critical"}
    path.write_bytes(whole)
    scheduler.clock.moment += timedelta(seconds=30)
    assert scheduler.tick("watch_source").reason == f"the newest day of competition is {FRIDAY}"
    assert scheduler.alerts() == {}
    (alert,) = scheduler.alert_store.alerts(closed=True)
    assert (alert.key, alert.count) == (UNREADABLE_KEY, 1)
    assert name in alert.text


def test_a_file_that_is_being_written_is_not_told(scheduler: Scheduler) -> None:
    scheduler.submit(THURSDAY)
    path = scheduler.folder / "train.csv"
    whole = path.read_bytes()
    for content in (whole[:-50], whole, whole[:-60], whole):
        path.write_bytes(content)
        scheduler.tick("watch_source")
    assert scheduler.alert_store.alerts(closed=True) == []


def test_definitions_load_from_what_is_stored_while_the_source_is_bad(scheduler: Scheduler) -> None:
    scheduler.submit(THURSDAY, FRIDAY)
    scheduler.watch(FRIDAY)
    scheduler.update(FRIDAY)
    (scheduler.folder / "train.csv").write_text("nothing\n")
    loaded = build_definitions(scheduler.settings, lake=scheduler.lake, clock=scheduler.clock)
    assert {sensor.name for sensor in loaded.sensors or ()} >= {"watch_source", "refresh_new_days"}
    scheduler.definitions = loaded
    assert "the source cannot be read" in scheduler.tick("refresh_new_days").reason
    node = next(iter(loaded.resolve_asset_graph().asset_nodes))
    assert node.partitions_def
    assert node.partitions_def.has_partition_key(str(FRIDAY))
