"""Replacing the rows whose value in a column is among some values."""

from pathlib import Path

from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import MARKS, day


def test_rows_with_other_values_stay(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        days = [day(number) for number in range(3)]
        lake.replace_matching(MARKS, "trading_day", {"trading_day": days, "mark": [1.0] * 3})
        again = {"trading_day": [days[1], days[1], day(3)], "mark": [2.0, 3.0, 4.0]}
        assert lake.replace_matching(MARKS, "trading_day", again).rows == 3
        rows = lake.query(f"FROM {MARKS.quoted} ORDER BY ALL")
    assert rows["mark"].tolist() == [1.0, 2.0, 3.0, 1.0, 4.0]
