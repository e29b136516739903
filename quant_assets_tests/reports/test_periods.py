"""First day and file of each period, also at the ends of years."""

from datetime import date

import pytest

from quant_assets.core.errors import UnknownNameError
from quant_assets.reports.periods import find_period


@pytest.mark.parametrize(
    ("name", "day", "first", "file"),
    [
        ("daily", date(2023, 12, 29), date(2023, 12, 29), "daily/2023-12-29.html"),
        ("weekly", date(2023, 12, 29), date(2023, 12, 25), "weekly/2023-W52.html"),
        ("weekly", date(2021, 1, 1), date(2020, 12, 28), "weekly/2020-W53.html"),
        ("weekly", date(2024, 12, 31), date(2024, 12, 30), "weekly/2025-W01.html"),
        ("monthly", date(2024, 2, 29), date(2024, 2, 1), "monthly/2024-02.html"),
    ],
)
def test_a_period_begins_and_is_named(name: str, day: date, first: date, file: str) -> None:
    period = find_period(name)
    assert period.first_day(day) == first
    assert period.file(day) == file


def test_an_unknown_period_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean weekly"):
        find_period("weekl")
