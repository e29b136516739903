"""The newest values that were known at each close, at the edges and against a plain definition."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.observed_lake import (
    Row,
    define_value,
    open_lake,
    read_values,
    store_rows,
)

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], "datetime64[D]")
NAN = float("nan")


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with open_lake(tmp_path) as lake:
        yield lake


def test_a_value_counts_from_the_close_at_which_it_is_known(lake: Lake) -> None:
    # The close is at 18:00 in New York, which is 23:00 in UTC.
    store_rows(
        lake,
        [
            ("A", "2024-01-01", "2024-01-03T23:00:00", 1.0),
            ("B", "2024-01-01", "2024-01-03T23:00:00.000001", 2.0),
        ],
    )
    known = read_values(lake, DAYS, ("A", "B", "C"))
    np.testing.assert_array_equal(known.values[:, 0], [NAN, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(known.values[:, 1], [NAN, NAN, 2.0, 2.0])
    assert np.isnan(known.values[:, 2]).all(), "an instrument without rows has no values"
    np.testing.assert_array_equal(known.age_days[:, 0], [NAN, 2.0, 3.0, 4.0])
    assert np.isnan(known.age_days[:, 2]).all()


def test_the_last_of_two_revisions_in_a_day_counts(lake: Lake) -> None:
    store_rows(
        lake,
        [
            ("A", "2024-01-01", "2024-01-02T12:00:00", 1.0),
            ("A", "2024-01-01", "2024-01-03T12:00:00", 2.0),
            ("A", "2024-01-01", "2024-01-03T15:00:00", 3.0),
            ("A", "2024-01-01", "2024-01-05T23:30:00", 4.0),
        ],
    )
    assert read_values(lake, DAYS, ("A",)).values.ravel().tolist() == [1.0, 3.0, 3.0, 3.0]


def test_a_revision_of_an_older_day_is_no_newer_value(lake: Lake) -> None:
    store_rows(
        lake,
        [
            ("A", "2023-12-01", "2024-01-02T12:00:00", 1.0),
            ("A", "2023-12-02", "2024-01-03T12:00:00", 2.0),
            ("A", "2023-12-01", "2024-01-03T12:00:00", 9.0),
            ("A", "2023-12-01", "2024-01-04T12:00:00", 9.5),
            ("A", "2023-12-02", "2024-01-05T12:00:00", 2.5),
        ],
    )
    assert read_values(lake, DAYS, ("A",)).values.ravel().tolist() == [1.0, 2.0, 2.0, 2.5]


def test_a_value_that_is_too_old_is_missing(lake: Lake) -> None:
    store_rows(lake, [("A", "2024-01-01", "2024-01-02T12:00:00", 1.0)])
    known = read_values(lake, DAYS, ("A",), max_age_days=2)
    np.testing.assert_array_equal(known.values.ravel(), [1.0, 1.0, NAN, NAN])
    assert known.age_days.ravel().tolist() == [1.0, 2.0, 3.0, 4.0]


def draw_rows(count: int) -> list[Row]:
    """Draw rows with revisions, equal moments and moments at a close; keys occur once."""
    random = np.random.default_rng(8)
    rows: dict[tuple[str, str, str], Row] = {}
    for _ in range(count):
        instrument = str(random.choice(["A", "B"]))
        day = np.datetime64("2024-01-01") + random.integers(0, 30)
        delay = int(random.choice([1, 2, 5, 9, 20]))
        hours = int(random.choice([0, 12, 23, 24]))
        moment = f"{day + delay + hours // 24}T{hours % 24:02}:00:00"
        key = (instrument, str(day), moment)
        rows[key] = (*key, float(random.normal()))
    return list(rows.values())


@pytest.mark.parametrize("max_age_days", [None, 6])
def test_values_equal_their_plain_definition(lake: Lake, max_age_days: int | None) -> None:
    rows, days = draw_rows(60), np.arange("2024-01-01", "2024-02-20", dtype="datetime64[D]")
    store_rows(lake, rows)
    values = read_values(lake, days, ("A", "B", "C"), max_age_days).values
    expected = [[define_value(rows, name, day, max_age_days) for name in "ABC"] for day in days]
    np.testing.assert_array_equal(values, expected)
    assert len(np.unique(values[~np.isnan(values)])) > 15


def test_later_knowledge_changes_nothing_and_days_alone_are_equal(
    lake: Lake, tmp_path: Path
) -> None:
    rows, days = draw_rows(60), np.arange("2024-01-01", "2024-02-20", dtype="datetime64[D]")
    store_rows(lake, rows)
    whole = read_values(lake, days, ("A", "B")).values
    for row in (5, 17, 33):
        close = f"{days[row]}T23:00:00"
        known = [r for r in rows if r[2] <= close]
        later = [
            (name, str(np.datetime64(day) - 1), moment, -value)
            for name, day, moment, value in rows
            if moment > close
        ]
        with open_lake(tmp_path / str(row)) as other:
            store_rows(other, [*known, *later])
            again = read_values(other, days, ("A", "B")).values
        assert again[: row + 1].tobytes() == whole[: row + 1].tobytes()
        alone = read_values(lake, days[row : row + 1], ("A", "B")).values
        assert alone[0].tobytes() == whole[row].tobytes()
