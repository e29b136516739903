"""Reading the universe: members and beginnings, also where the first days have no universe."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.readers.universe import ALWAYS, read_begins, read_members
from quant_assets.lake.schemas.tables import UNIVERSE
from quant_assets.lake.store.lake import Lake

DAYS = np.array(["2024-01-04", "2024-01-05"], "datetime64[D]")
NAMES = ("A", "B", "C")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with a universe from 4 January on: A is there, B comes the day after, C does not."""
    lake = Lake(tmp_path)
    rows = {
        "trading_day": np.repeat(DAYS, 3),
        "instrument": list(NAMES) * 2,
        "member": [True, False, False, True, True, False],
        "why": ["listed", "not yet listed", "not yet listed", "listed", "listed", "not yet listed"],
    }
    lake.replace_days(UNIVERSE, date(2024, 1, 4), date(2024, 1, 5), rows)
    return lake


def test_members_of_the_first_day_with_a_universe_had_always_begun(lake: Lake) -> None:
    begins = read_begins(lake, NAMES)
    assert begins.tolist() == [ALWAYS.item(), date(2024, 1, 5), date.max]


def test_a_day_without_rows_has_all_instruments(lake: Lake) -> None:
    days = np.array(["2024-01-03", *DAYS.astype(str)], "datetime64[D]")
    members = read_members(lake, days, NAMES)
    assert members.tolist() == [[True] * 3, [True, False, False], [True, True, False]]


def test_instruments_without_prices_can_count_as_members(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = {
        "trading_day": np.repeat(DAYS[:1], 3),
        "instrument": list(NAMES),
        "member": [False] * 3,
        "why": ["no price for 20 days", "not yet listed", "delisted"],
    }
    lake.replace_days(UNIVERSE, date(2024, 1, 4), date(2024, 1, 4), rows)
    assert read_members(lake, DAYS[:1], NAMES).tolist() == [[False] * 3]
    assert read_members(lake, DAYS[:1], NAMES, silent=True).tolist() == [[True, False, False]]
