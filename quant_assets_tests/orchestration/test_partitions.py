"""Which days are partitions at a moment, of a source that goes on and of one that has ended."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from quant_assets.orchestration.assets.partitions import trading_partitions

FIRST, THURSDAY = date(2023, 12, 1), date(2023, 12, 28)


def newest(at: datetime, last_day: date = THURSDAY) -> str | None:
    """Return the last partition at a moment."""
    partitions = trading_partitions(FIRST, last_day, at.date())
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
