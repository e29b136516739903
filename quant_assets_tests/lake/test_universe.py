"""Reading the universe: members and beginnings, also where the first days have no universe."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.readers.universe import (
    ALWAYS,
    SETTLED_DAYS,
    find_settled_targets,
    read_begins,
    read_members,
)
from quant_assets.lake.schemas.price_tables import UNIVERSE, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs

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


def test_a_target_is_settled_some_weeks_after_its_legs_began(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    days = np.arange("2024-01-01", "2024-04-30", dtype="datetime64[D]")
    row = np.arange(len(days))
    ends = days[0].item(), days[-1].item()
    member = np.stack([row >= 0, row >= 10, (row >= 10) & (row < 70)], axis=1)
    rows = {
        "trading_day": np.repeat(days, 3),
        "instrument": list(NAMES) * len(days),
        "member": member.ravel(),
        "why": ["listed"] * member.size,
    }
    lake.replace_days(UNIVERSE, *ends, rows)
    prices = {"trading_day": days, "date_id": row, "instrument": ["A"] * len(days)}
    prices |= {"field": ["close"] * len(days), "value": [1.0] * len(days)}
    prices |= {"filled": [1.0] * len(days), "flag": [None] * len(days)}
    lake.replace_days(VALIDATED_PRICES, *ends, prices)
    lags = np.array([1, 1, 1])
    pairs = TargetPairs(("A_1d", "B-A_1d", "C_1d"), lags, ("A", "B", "C"), (None, "A", None))
    settled = find_settled_targets(lake, pairs, days)
    expected = [
        row >= SETTLED_DAYS,
        row >= 10 + SETTLED_DAYS,
        (row >= 10 + SETTLED_DAYS) & (row < 70),
    ]
    np.testing.assert_array_equal(settled, np.stack(expected, axis=1))
    np.testing.assert_array_equal(find_settled_targets(lake, pairs, days[60:63]), settled[60:63])
