"""A lake of an earlier version is brought into the present form, and loses nothing."""

from datetime import datetime
from pathlib import Path

import pytest

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.table import Column, Table, superseded_table
from quant_assets.lake.store.lake import Lake

TARGETS = 12
WIDE = Table(
    "submissions.competition",
    "A row per day and a column per target, as an earlier version stored submissions.",
    (
        *SUBMISSIONS.columns[:2],
        *(Column(f"target_{i}", "DOUBLE", "value") for i in range(TARGETS)),
        *SUBMISSIONS.columns[-2:],
    ),
    keeps_live=True,
)
DAY = datetime.fromisoformat("2024-01-02")


def store_wide(root: Path) -> None:
    """Store a live submission, and another one that replaced it."""
    about = {"trading_day": [DAY.date()], "date_id": [7], "origin": ["live"], "stored_at": [DAY]}
    with Lake(root) as lake:
        for version, reason in ((0, ""), (100, "two legs swapped")):
            values = {f"target_{i}": [float(version + i)] for i in range(TARGETS)}
            lake.replace_days(WIDE, DAY.date(), DAY.date(), about | values, supersede=reason)


def read(lake: Lake, table: Table) -> dict[str, float]:
    rows = lake.arrow(f"SELECT target, value FROM {table.quoted} ORDER BY value").to_pylist()
    return {row["target"]: row["value"] for row in rows}


def test_wide_submissions_become_long(tmp_path: Path) -> None:
    store_wide(tmp_path)
    with Lake(tmp_path) as lake:
        stored, replaced = read(lake, SUBMISSIONS), read(lake, superseded_table(SUBMISSIONS))
        about = lake.arrow(
            f"SELECT DISTINCT trading_day, date_id, origin, stored_at FROM {SUBMISSIONS.quoted}"
        ).to_pylist()
        reasons = lake.columns(f"SELECT reason FROM {superseded_table(SUBMISSIONS).quoted}")
        assert not lake.has(WIDE)
    assert stored == {f"target_{i}": 100.0 + i for i in range(TARGETS)}
    assert replaced == {f"target_{i}": float(i) for i in range(TARGETS)}
    assert about == [{"trading_day": DAY.date(), "date_id": 7, "origin": "live", "stored_at": DAY}]
    assert set(reasons["reason"]) == {"two legs swapped"}


def test_a_reader_says_what_brings_the_lake_into_the_present_form(tmp_path: Path) -> None:
    store_wide(tmp_path)
    with (
        Lake(tmp_path, read_only=True) as lake,
        pytest.raises(LakeError, match="earlier version") as caught,
    ):
        lake.has(SUBMISSIONS)
    assert "quant-assets load" in str(caught.value)


def test_an_earlier_snapshot_is_still_readable(tmp_path: Path) -> None:
    store_wide(tmp_path)
    with Lake(tmp_path) as lake:
        before = lake.snapshot_id() - 1
        assert lake.has(SUBMISSIONS)
        with lake.as_of(before) as earlier:
            assert earlier.arrow(f"FROM {WIDE.quoted}").num_rows == 1
