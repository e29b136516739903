"""Rows of tables that come after the first load: they change no stored day."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.lake.schemas.observation_tables import RAW_OBSERVATIONS
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.observed_lake import (
    NOW,
    RULE,
    open_lake,
    read_values,
    store_features,
    store_rows,
)

FIRST = [
    ("A", "2024-05-30", "2024-05-31T12:00:00", 1.0),
    ("A", "2024-05-31", "2024-06-03T12:00:00", 2.0),
]
STORED_DAYS = ["2024-05-31", "2024-06-03"]
DAYS = np.array([*STORED_DAYS, "2024-06-04", "2024-06-05"], "datetime64[D]")
# Due on 3 June at 18:00 in New York, which is 22:00 in UTC.
CLOSE = "2024-06-03T22:00:00"
NEXT_EVENING = NOW + timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with the first load of a table, and features of two days."""
    with open_lake(tmp_path) as lake:
        new = store_rows(lake, FIRST)
        assert (new.count, new.late) == (2, 0)
        store_features(lake, STORED_DAYS, ["A"])
        yield lake


def read_rows(lake: Lake) -> pd.DataFrame:
    return lake.query(f"FROM {RAW_OBSERVATIONS.quoted} ORDER BY stored_at, known_at")


def test_the_first_load_takes_the_word_of_the_table(lake: Lake) -> None:
    rows = read_rows(lake)
    assert (rows["known_at"] == rows["stated_at"]).all()
    assert rows["known_at"].max() < rows["stored_at"].min()


def test_rows_that_are_stored_are_not_stored_again(lake: Lake) -> None:
    assert store_rows(lake, FIRST, NEXT_EVENING).count == 0
    assert len(read_rows(lake)) == 2


@pytest.mark.parametrize(
    ("stated", "late"), [("2024-06-01T12:00:00", True), (CLOSE, True), (f"{CLOSE}.000001", False)]
)
def test_a_row_that_should_have_been_there_is_known_from_now_on(
    lake: Lake, stated: str, late: bool
) -> None:
    before = read_values(lake, DAYS, ("A",)).values[:2].tobytes()
    new = store_rows(lake, [*FIRST, ("A", "2024-06-01", stated, 3.0)], NEXT_EVENING)
    assert (new.count, new.late) == (1, int(late))
    row = read_rows(lake).iloc[-1]
    assert row["stated_at"] == pd.Timestamp(stated)
    assert row["known_at"] == (row["stored_at"] if late else row["stated_at"])
    values = read_values(lake, DAYS, ("A",)).values
    assert values[:2].tobytes() == before
    assert values[2:].ravel().tolist() == [3.0, 3.0]


def test_a_value_revised_in_place_is_a_further_row(lake: Lake) -> None:
    first, second = FIRST
    revised = [first, (*second[:3], 2.5)]
    assert store_rows(lake, revised, NEXT_EVENING).late == 1
    assert store_rows(lake, revised, NEXT_EVENING + timedelta(days=1)).count == 0
    assert read_values(lake, DAYS, ("A",)).values.ravel().tolist() == [1.0, 2.0, 2.5, 2.5]
    # The first value comes back: it is known again from then on.
    assert store_rows(lake, FIRST, NEXT_EVENING + timedelta(days=1)).late == 1
    assert read_values(lake, DAYS, ("A",)).values.ravel().tolist() == [1.0, 2.0, 2.5, 2.0]
    assert len(read_rows(lake)) == 4


def test_rows_that_a_table_no_longer_has_stay(lake: Lake) -> None:
    assert store_rows(lake, FIRST[:1], NEXT_EVENING).count == 0
    assert read_values(lake, DAYS, ("A",)).values.ravel().tolist() == [1.0, 2.0, 2.0, 2.0]


def test_a_new_instrument_is_taken_at_its_word(lake: Lake) -> None:
    rows = [*FIRST, ("B", "2024-05-30", "2024-05-31T12:00:00", 7.0)]
    assert store_rows(lake, rows, NEXT_EVENING).late == 0
    assert read_values(lake, DAYS, ("B",)).values.ravel().tolist() == [7.0] * 4


def test_another_reading_takes_the_word_of_the_table_anew(lake: Lake) -> None:
    other = replace(RULE, release_lag_days=3)
    assert other.reading != RULE.reading
    new = store_rows(lake, [("A", "2024-05-30", "2024-06-02T22:00:00", 1.0)], NEXT_EVENING, other)
    assert (new.count, new.late) == (1, 0)


def test_a_clock_behind_the_days_changes_no_stored_day(lake: Lake) -> None:
    before = read_values(lake, DAYS, ("A",)).values[:2].tobytes()
    late = ("A", "2024-06-01", "2024-06-01T12:00:00", 3.0)
    assert store_rows(lake, [*FIRST, late], NOW - timedelta(days=400)).late == 1
    assert read_values(lake, DAYS, ("A",)).values[:2].tobytes() == before
