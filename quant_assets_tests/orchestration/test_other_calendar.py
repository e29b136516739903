"""With the calendar of New York alone, partitions, late days and runs follow New York."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray
from quant_assets.definitions import build_definitions
from quant_assets.market.description.reading import competition_description
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.description.times import ZonedTime
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets.orchestration.run_requests.proposals import find_next_days, is_day_over
from quant_assets.orchestration.run_requests.retry_policy import Wait
from quant_assets.orchestration.schedules.daily_times import DailyTime
from quant_assets.orchestration.sensors.source_sensor import find_late_days, find_patience
from quant_assets.promotion.manual_decisions import find_next_trading_day
from quant_assets.quality.expectations import validate_suite
from quant_assets.quality.suites import raw_prices_suite
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO, NEW_YORK
from quant_assets_tests.support.price_tables import raw_prices
from quant_assets_tests.support.scheduler import SetClock
from quant_assets_tests.support.small_market import small_settings, write_small_market

# Independence Day, on which London and Tokyo trade, and the days around it.
BEFORE, HOLIDAY, AFTER = date(2024, 7, 3), date(2024, 7, 4), date(2024, 7, 5)
# A day on which Tokyo and New York trade and New York has no daylight saving time.
WINTER = date(2023, 12, 26)


@dataclass(frozen=True)
class Prices:
    """The days of prices."""

    days: DayArray


@dataclass(frozen=True)
class DaysOnly:
    """A source of which nothing but the days is asked."""

    days: Sequence[date]
    name: str = "days"

    @property
    def last_day(self) -> date:
        return self.days[-1]

    def pairs(self) -> None:
        pass

    def prices(self, start: date, end: date) -> Prices:
        inside = [day for day in self.days if start <= day <= end]
        return Prices(np.array(inside, dtype="datetime64[D]"))


def moment(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


def keys(calendar: MarketCalendar, at: datetime) -> list[str]:
    first = date(2024, 6, 28)
    partitions = trading_partitions(calendar, first, AFTER, at.date())
    with dg.partition_loading_context(effective_dt=at):
        return [key[-5:] for key in partitions.get_partition_keys()]


def test_partitions_are_the_sessions() -> None:
    at = moment(AFTER, 12)
    assert keys(NEW_YORK, at) == ["06-28", "07-01", "07-02", "07-03", "07-05"]
    assert keys(LONDON_AND_TOKYO, at) == ["06-28", "07-01", "07-02", "07-03", "07-04", "07-05"]


def test_partitions_follow_the_weekdays_of_the_exchange() -> None:
    assert keys(MarketCalendar(("XSAU",)), moment(AFTER, 12)) == [
        *("06-30", "07-01", "07-02", "07-03", "07-04"),
    ]


def test_a_day_is_over_and_late_by_the_clock_of_new_york() -> None:
    # 17:00 in New York is 21:00 UTC in summer and 22:00 UTC in winter.
    for day, hour in ((AFTER, 21), (WINTER, 22)):
        assert not is_day_over(NEW_YORK, day, moment(day, hour) - timedelta(seconds=1))
        assert is_day_over(NEW_YORK, day, moment(day, hour))
    # Late 3 hours after, which is the next day in UTC and the same day in New York.
    late = moment(AFTER, 21) + timedelta(hours=3)
    assert find_late_days(BEFORE, late - timedelta(seconds=1), NEW_YORK) == []
    assert find_late_days(BEFORE, late, NEW_YORK) == [AFTER]
    assert find_late_days(BEFORE, late, LONDON_AND_TOKYO) == [HOLIDAY]


def test_nothing_is_late_where_no_prices_are_due() -> None:
    undated = replace(NEW_YORK, due=None)
    assert find_late_days(BEFORE, moment(AFTER, 23, 59), undated) == []
    assert not is_day_over(undated, AFTER, moment(AFTER, 23, 58))
    assert is_day_over(undated, AFTER, moment(AFTER, 23, 59))


def test_the_next_days_are_sessions_that_are_over() -> None:
    source = DaysOnly([BEFORE, AFTER])
    early = find_next_days(source, NEW_YORK, BEFORE, moment(AFTER, 20, 59))  # type: ignore[arg-type]
    assert early == Wait(
        f"{AFTER} is not over: its prices are complete from 17:00 America/New_York on"
    )
    assert find_next_days(source, NEW_YORK, BEFORE, moment(AFTER, 21)) == [AFTER]  # type: ignore[arg-type]


def test_a_decision_is_in_force_from_the_next_session_on() -> None:
    assert find_next_trading_day(NEW_YORK, BEFORE) == AFTER
    assert find_next_trading_day(LONDON_AND_TOKYO, BEFORE) == HOLIDAY


def test_prices_may_have_the_days_that_the_calendar_reaches() -> None:
    frame = raw_prices()
    frame["trading_day"] -= timedelta(days=20 * 365)
    passed = [
        validate_suite(raw_prices_suite(calendar), frame).passed
        for calendar in (NEW_YORK, LONDON_AND_TOKYO)
    ]
    assert passed == [True, False]


def test_times_after_midnight_belong_to_the_day_before() -> None:
    late = replace(LONDON_AND_TOKYO, due=ZonedTime(time(23, 30), "America/New_York"))
    refresh, watch = DailyTime(late), DailyTime(late, 30)
    assert (refresh.cron, watch.cron) == ("30 23 * * 1-5", "0 0 * * 2-6")
    assert (str(refresh), str(watch)) == ("23:30 America/New_York", "00:00 America/New_York")
    saturday = datetime(2024, 7, 6, 4, tzinfo=UTC)
    assert watch.day_of(saturday) == AFTER
    assert refresh.day_of(saturday - timedelta(minutes=30)) == AFTER
    assert DailyTime(MarketCalendar(("XSAU",))).cron == "59 23 * * 1,2,3,4,0"
    assert DailyTime(MarketCalendar(())).cron == "59 23 * * 1,2,3,4,5,6,0"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The small market as it was while it was live, described with New York's calendar."""
    folder = write_small_market(Path(tmp_path_factory.mktemp("new_york"), "market"))
    market = replace(competition_description(), calendar=NEW_YORK)
    clock = SetClock(moment(date(2023, 12, 29), 23))
    return build_definitions(small_settings(folder, folder / "data"), market=market, clock=clock)


def test_definitions_follow_the_calendar(definitions: dg.Definitions) -> None:
    prices = definitions.resolve_asset_graph().get(dg.AssetKey(["raw", "prices"]))
    assert prices.partitions_def
    # Thanksgiving, and the day after it.
    assert not prices.partitions_def.has_partition_key("2023-11-23")
    assert prices.partitions_def.has_partition_key("2023-11-24")
    crons = {
        name: (schedule.cron_schedule, schedule.execution_timezone)
        for name in ("daily_refresh", "daily_watch", "daily_update", "daily_report")
        for schedule in [definitions.resolve_schedule_def(name)]
    }
    zone = "America/New_York"
    assert crons == {
        "daily_refresh": ("0 17 * * 1-5", zone),
        "daily_watch": ("30 17 * * 1-5", zone),
        "daily_update": ("45 17 * * 1-5", zone),
        "daily_report": ("0 18 * * 1-5", zone),
    }


@pytest.mark.parametrize(
    ("name", "at", "result"),
    [
        ("daily_report", moment(date(2023, 12, 26), 23), "2023-12-26"),
        # Christmas, on which Tokyo trades.
        (
            "daily_report",
            moment(date(2023, 12, 25), 23),
            "2023-12-25 is not a trading day: XNYS is closed",
        ),
        (
            "daily_refresh",
            moment(date(2023, 12, 25), 22),
            "2023-12-25 is not a trading day: XNYS is closed",
        ),
        # The Saturday after Thanksgiving Friday, and the first of a month after a weekend.
        ("weekly_report", moment(date(2023, 11, 25), 5), "2023-11-24"),
        ("monthly_report", moment(date(2024, 1, 1), 5, 30), "2023-12-29"),
    ],
)
def test_schedules_follow_the_calendar(
    definitions: dg.Definitions, name: str, at: datetime, result: str
) -> None:
    schedule = definitions.resolve_schedule_def(name)
    with dg.build_schedule_context(
        scheduled_execution_time=at,
        resources=definitions.resources,
        repository_def=definitions.get_repository_def(),
    ) as context:
        tick = schedule.evaluate_tick(context)
    requested = [request.partition_key for request in tick.run_requests or ()]
    assert (tick.skip_message or requested[0]) == result


def test_settings_set_the_patience_only_where_they_say_so(tmp_path: Path) -> None:
    assert find_patience(NEW_YORK, Settings(data_dir=tmp_path)).late_after_hours == 3
    impatient = Settings(data_dir=tmp_path, data_due_hours=1)
    assert find_patience(NEW_YORK, impatient).late_after_hours == 1
