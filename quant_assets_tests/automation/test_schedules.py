"""Which day a schedule asks for, and when it rests."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, tzinfo
from pathlib import Path

import dagster as dg
import pytest

from quant_assets.assets import partitions
from quant_assets.definitions import build_definitions
from quant_assets_tests.small_market import LAST_DAY, small_settings, write_small_market


class LastEvening(datetime):
    """A clock that stands on the evening of the market's last day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.combine(LAST_DAY, time(22), tz)


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.Definitions]:
    """The small market as it was while it was live."""
    folder = write_small_market(Path(tmp_path_factory.mktemp("schedules"), "market"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "datetime", LastEvening)
        yield build_definitions(small_settings(folder, folder / "data"))


def tick(definitions: dg.Definitions, name: str, day: date) -> dg.RunRequest | str:
    """What the schedule does at its hour of that day: its only request, or why it rests."""
    schedule = definitions.resolve_schedule_def(name)
    with dg.build_schedule_context(
        scheduled_execution_time=datetime.combine(day, time(22), tzinfo=UTC),
        resources=definitions.resources,
        repository_def=definitions.get_repository_def(),
    ) as context:
        found = schedule.evaluate_tick(context)
    if found.skip_message:
        assert not found.run_requests
        return found.skip_message
    (request,) = found.run_requests or ()
    return request


@pytest.mark.parametrize(
    "day",
    [
        date(2023, 7, 31),
        date(2023, 10, 2),
        # Christmas: London rests, Tokyo trades.
        date(2023, 12, 25),
        # A Tokyo holiday on which London trades.
        date(2023, 11, 3),
        date(2023, 12, 29),
    ],
)
@pytest.mark.parametrize("name", ["daily_refresh", "daily_watch"])
def test_a_trading_day_has_its_run_that_evening(
    definitions: dg.Definitions, name: str, day: date
) -> None:
    request = tick(definitions, name, day)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == request.run_key == day.isoformat()
    asset = definitions.resolve_asset_graph().get(dg.AssetKey(["raw", "prices"]))
    assert asset.partitions_def
    assert asset.partitions_def.has_partition_key(day.isoformat())


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2023, 9, 30), "2023-09-30 is not a trading day"),
        (date(2024, 1, 1), "2024-01-01 is not a trading day: London and Tokyo are closed"),
        (date(2023, 7, 28), "no prices for 2023-07-28: it goes from 2023-07-31 to 2023-12-29"),
        (date(2024, 1, 4), "no prices for 2024-01-04: it goes from 2023-07-31 to 2023-12-29"),
    ],
)
def test_other_days_are_skipped_with_the_reason(
    definitions: dg.Definitions, day: date, reason: str
) -> None:
    skipped = tick(definitions, "daily_refresh", day)
    assert isinstance(skipped, str)
    assert reason in skipped


@pytest.mark.parametrize(
    ("sunday", "as_of"),
    [
        (date(2023, 10, 8), date(2023, 10, 6)),
        (date(2023, 12, 31), date(2023, 12, 29)),
    ],
)
def test_retraining_is_as_of_the_last_trading_day(
    definitions: dg.Definitions, sunday: date, as_of: date
) -> None:
    request = tick(definitions, "weekly_retrain", sunday)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == as_of.isoformat()


def test_retraining_rests_when_the_source_has_ended(definitions: dg.Definitions) -> None:
    assert "no prices for 2024-03-01" in str(tick(definitions, "weekly_retrain", date(2024, 3, 3)))
