"""Conversion of arrays to rows and back, in any order and with gaps."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.core.errors import LakeError
from quant_assets.lake.readers.arrays import (
    day_positions,
    long_rows,
    tile_units,
    to_cube,
    unit_positions,
)
from quant_assets.lake.schemas.table import Column, Table
from quant_assets.lake.store.lake import Lake

DAYS = np.array(["2021-01-04", "2021-01-05", "2021-01-07", "2021-01-11"], dtype="datetime64[D]")
IDS = np.array([10, 11, 12, 13])
UNITS = ("b", "a", "c")
COLUMNS = ("x", "y")
TABLE = Table(
    "scratch.units",
    "Rows of a test.",
    (
        Column("trading_day", "DATE", "day"),
        Column("date_id", "BIGINT", "number of the day"),
        Column("unit", "VARCHAR", "unit"),
        Column("x", "DOUBLE", "first value"),
        Column("y", "DOUBLE", "second value"),
    ),
)


def cube_of(days: int, units: int) -> np.ndarray:
    values = np.arange(days * units * 2, dtype=float).reshape(days, units, 2)
    values[1, 1] = np.nan
    values[2, 0, 1] = np.nan
    return values


def rows_of(cube: np.ndarray) -> pa.Table:
    values = {name: cube[:, :, j] for j, name in enumerate(COLUMNS)}
    return pa.table(long_rows(DAYS, IDS, values, "unit", UNITS))


def test_a_row_for_each_day_and_unit() -> None:
    rows = rows_of(cube_of(4, 3)).to_pandas()
    assert rows["trading_day"].tolist() == [day for day in DAYS.tolist() for _ in UNITS]
    assert rows["date_id"].tolist() == [i for i in IDS for _ in UNITS]
    assert rows["unit"].tolist() == list(UNITS) * len(DAYS)
    assert rows["x"].tolist()[:3] == [0.0, 2.0, 4.0]


def test_without_units_a_row_is_a_day() -> None:
    rows = long_rows(DAYS, IDS, {"x": np.arange(4.0)})
    assert list(rows) == ["trading_day", "date_id", "x"]
    assert [len(column) for column in rows.values()] == [4, 4, 4]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_come_back_as_the_array(dtype: type) -> None:
    cube = cube_of(4, 3).astype(dtype)
    result = to_cube(rows_of(cube), DAYS, "unit", UNITS, COLUMNS, dtype=dtype)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, cube)


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 12))
def test_any_order_and_missing_rows(order: list[int], count: int) -> None:
    cube = cube_of(4, 3)
    at = np.array(order[:count], dtype=int)
    rows = rows_of(cube).take(at)
    expected = np.full_like(cube, np.nan)
    expected.reshape(-1, 2)[at] = cube.reshape(-1, 2)[at]
    np.testing.assert_array_equal(to_cube(rows, DAYS, "unit", UNITS, COLUMNS), expected)


def test_days_and_units_in_another_order_or_more_of_them() -> None:
    cube = cube_of(4, 3)
    more_days = np.insert(DAYS, 2, np.datetime64("2021-01-06"))
    result = to_cube(rows_of(cube), more_days, "unit", ("c", "new", "a", "b"), ["y"])[:, :, 0]
    assert np.isnan(result[2]).all()
    assert np.isnan(result[:, 1]).all()
    np.testing.assert_array_equal(result[[0, 1, 3, 4]][:, [3, 2, 0]], cube[:, :, 1])


def test_a_table_of_the_lake_in_any_order(tmp_path: Path) -> None:
    cube = cube_of(4, 3)
    with Lake(tmp_path) as lake:
        for day in (2, 0, 3, 1):
            values = {name: cube[[day], :, j] for j, name in enumerate(COLUMNS)}
            rows = long_rows(DAYS[[day]], IDS[[day]], values, "unit", UNITS)
            ends = DAYS[day].item(), DAYS[day].item()
            lake.replace_days(TABLE, *ends, rows)
        for order in ("trading_day, unit", "unit DESC, trading_day DESC", "x"):
            rows = lake.arrow(f"FROM {TABLE.quoted} ORDER BY {order}")
            np.testing.assert_array_equal(to_cube(rows, DAYS, "unit", UNITS, COLUMNS), cube)


def test_a_day_that_is_not_wanted_is_an_error() -> None:
    with pytest.raises(LakeError, match="2021-01-11") as caught:
        to_cube(rows_of(cube_of(4, 3)), DAYS[:-1], "unit", UNITS, COLUMNS)
    assert "materialise the upstream tables" in str(caught.value)
    with pytest.raises(LakeError, match="2021-01-04"):
        day_positions(DAYS, DAYS[:0])


def test_a_unit_that_is_not_known_is_an_error() -> None:
    with pytest.raises(LakeError, match="'c'"):
        to_cube(rows_of(cube_of(4, 3)), DAYS, "unit", ("a", "b"), COLUMNS)


def test_day_positions_of_any_unit_of_time() -> None:
    np.testing.assert_array_equal(day_positions(DAYS[[2, 0, 2]], DAYS), [2, 0, 2])
    in_seconds = DAYS.astype("datetime64[us]")
    np.testing.assert_array_equal(day_positions(in_seconds, DAYS), [0, 1, 2, 3])
    assert len(day_positions(DAYS[:0], DAYS[:0])) == 0


def test_unit_positions() -> None:
    plain = pa.chunked_array([["a", "c"], ["a"]])
    np.testing.assert_array_equal(unit_positions(plain, ["c", "b", "a"]), [2, 0, 2])
    encoded = plain.dictionary_encode()
    np.testing.assert_array_equal(unit_positions(encoded, ["c", "b", "a"]), [2, 0, 2])
    assert len(unit_positions(pa.chunked_array([], pa.string()), ["a"])) == 0


def test_tiled_units_keep_nulls_and_repeats() -> None:
    assert tile_units(["a", None, "a"], 2).to_pylist() == ["a", None, "a"] * 2
    assert tile_units(["a", "b", "a"], 2).to_pylist() == ["a", "b", "a"] * 2
    assert tile_units(["a"], 0).to_pylist() == []
