"""Which days are partitions at a moment, of a source that goes on, has ended or is broken."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from quant_assets.definitions import build_definitions
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.scheduler import DAYS, Scheduler

FIRST, THURSDAY = date(2023, 12, 1), date(2023, 12, 28)


def newest(at: datetime, last_day: date = THURSDAY) -> str | None:
    """Return the last partition at a moment."""
    partitions = trading_partitions(LONDON_AND_TOKYO, FIRST, last_day, at.date())
    with dg.partition_loading_context(effective_dt=at):
        return partitions.get_last_partition_key()


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2023-12-28T22:00", "2023-12-28"),
        ("2023-12-29T10:00", "2023-12-29"),
        ("2023-12-30T12:00", "2023-12-29"),
        ("2023-12-31T23:59", "2023-12-29"),
        # New Year's Day, on which London and Tokyo are closed.
        ("2024-01-01T22:00", "2023-12-29"),
        ("2024-01-02T10:00", "2024-01-02"),
        ("2024-01-02T22:00", "2024-01-02"),
        # Christmas, on which London is closed and Tokyo is open.
        ("2023-12-25T22:00", "2023-12-25"),
    ],
)
def test_the_partitions_end_with_today_or_the_trading_day_before(at: str, day: str) -> None:
    assert newest(datetime.fromisoformat(at).replace(tzinfo=UTC)) == day


def test_the_partitions_of_a_source_that_has_ended_end_with_it() -> None:
    assert newest(datetime(2024, 3, 1, 22, tzinfo=UTC)) == str(THURSDAY)


def make_a_folder(train: Path) -> None:
    train.unlink()
    train.mkdir()


def count_days_beyond_the_calendar(train: Path) -> None:
    header, *rows = train.read_text().splitlines()
    later = [f"{90_000 + number},{row.partition(',')[2]}" for number, row in enumerate(rows)]
    train.write_text("\n".join([header, *later, ""]))


@pytest.mark.parametrize(
    "breakage",
    [
        lambda train: train.write_text("nothing\n"),
        lambda train: train.write_bytes(b"date_id,\xff\xfe\n"),
        lambda train: shutil.rmtree(train.parent),
        make_a_folder,
        count_days_beyond_the_calendar,
    ],
    ids=["no table", "no text", "no folder", "a folder", "days beyond the calendar"],
)
@pytest.mark.parametrize("stored", [True, False])
def test_no_source_takes_the_definitions_down(
    scheduler: Scheduler, breakage: Callable[[Path], object], stored: bool
) -> None:
    if stored:
        scheduler.submit(*DAYS[-2:])
    breakage(scheduler.folder / "train.csv")
    loaded = build_definitions(scheduler.settings, lake=scheduler.lake, clock=scheduler.clock)
    prices = loaded.resolve_asset_graph().get(dg.AssetKey(["raw", "prices"]))
    problem = str(prices.metadata["source_error"])
    assert problem
    assert f"\n\n```\n{problem}\n```" in str(prices.description)
    assert prices.partitions_def
    assert prices.partitions_def.has_partition_key(str(DAYS[-1]))
    failed = loaded.resolve_job_def("refresh_daily").execute_in_process(
        instance=scheduler.opened, partition_key=str(DAYS[-1]), raise_on_error=False
    )
    assert not failed.success
