"""Stored bars become arrays: the session of an instrument, and markets without exchanges."""

from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.features.bar_arrays import Bars
from quant_assets.lake.readers.actions import read_splits
from quant_assets.lake.readers.bars import count_bars, read_bars
from quant_assets.lake.schemas.bar_tables import RAW_BARS
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar

NAMES = ("L", "N")
DAYS = np.array(["2024-07-03", "2024-07-04", "2024-07-05"], dtype="datetime64[D]")


def store(lake: Lake, bars: list[tuple[str, str]]) -> None:
    """Store bars of instrument and start, whose volumes count them from 1."""
    starts = np.array([start for _, start in bars], dtype="datetime64[us]")
    count = len(bars)
    numbers = {name: np.full(count, 2.0) for name in ("open", "high", "low", "close")}
    rows = {
        "trading_day": starts.astype("datetime64[D]"),
        "date_id": np.zeros(count, dtype=int),
        "instrument": [name for name, _ in bars],
        "bar_start": starts,
        "minutes": np.full(count, 60),
        **numbers,
        "volume": np.arange(1.0, count + 1),
        "source": ["test"] * count,
    }
    lake.replace_days(RAW_BARS, DAYS[0].item(), DAYS[-1].item(), rows)


def read(root: Path, bars: list[tuple[str, str]], *exchanges: str) -> Bars:
    with Lake(root) as lake:
        store(lake, bars)
        return read_bars(lake, DAYS, NAMES, MarketCalendar(exchanges))


def places(bars: Bars, day: int, instrument: int) -> list[int]:
    return np.flatnonzero(~np.isnan(bars.close[day, :, instrument])).tolist()


def test_an_instrument_has_the_session_that_holds_most_of_its_bars(tmp_path: Path) -> None:
    bars = read(
        tmp_path,
        [
            *(("L", f"2024-07-03T{hour:02}:00") for hour in (7, 8, 15)),
            *(("N", f"2024-07-03T{hour}:30") for hour in (13, 14)),
            ("L", "2024-07-04T07:00"),
            ("N", "2024-07-05T19:30"),
        ],
        *("XLON", "XNYS"),
    )
    # Eight and a half hours in London; in New York six and a half, and an early close on the 3rd.
    assert bars.slots[0].tolist() == [9, 4]
    # Without bars, nothing says which exchange an instrument has.
    assert bars.slots[1:].tolist() == [[9, 0], [0, 7]]
    assert places(bars, 0, 0) == [0, 1, 8]
    assert places(bars, 0, 1) == [0, 1]
    assert places(bars, 2, 1) == [6]
    assert bars.volume[0, 8, 0] == 3


def test_an_exchange_that_is_closed_has_no_slots(tmp_path: Path) -> None:
    bars = read(tmp_path, [("N", "2024-07-05T13:30")], "XNYS")
    assert bars.slots.tolist() == [[4, 4], [0, 0], [7, 7]]


def test_without_exchanges_the_session_is_what_has_bars(tmp_path: Path) -> None:
    bars = read(
        tmp_path,
        [
            *(("L", f"2024-07-03T{hour:02}:00") for hour in (3, 9, 23)),
            *(("N", f"2024-07-03T{hour:02}:00") for hour in (9, 10)),
            ("N", "2024-07-05T00:00"),
        ],
    )
    assert bars.slots.tolist() == [[4, 4], [0, 0], [1, 1]]
    assert places(bars, 0, 0) == [0, 1, 3]
    assert places(bars, 0, 1) == [1, 2]


def test_bars_are_counted_by_day(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        store(lake, [("L", "2024-07-03T07:00"), ("L", "2024-07-05T07:00")])
        days, counts = count_bars(lake, DAYS[0].item(), DAYS[-1].item())
    assert days.tolist() == DAYS[[0, 2]].tolist()
    assert counts.tolist() == [1, 1]


def test_bars_that_were_never_stored_are_an_error(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, pytest.raises(LakeError, match="bars"):
        read_bars(lake, DAYS, NAMES, MarketCalendar(()))


def test_splits_of_days_are_read_and_others_are_one(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        assert read_splits(lake, DAYS, NAMES) is None
        rows = {
            "trading_day": DAYS[[0, 1, 2]],
            "date_id": [0, 1, 2],
            "instrument": ["N", "L", "other"],
            "split": [2.0, 1.0, 3.0],
            "dividend": [0.0, 0.5, 0.0],
        }
        lake.replace_days(ACTIONS, DAYS[0].item(), DAYS[-1].item(), rows)
        splits = read_splits(lake, DAYS[:2], NAMES)
        assert splits is not None
        assert splits.tolist() == [[1.0, 2.0], [1.0, 1.0]]
        assert read_splits(lake, DAYS[1:], NAMES) is None
