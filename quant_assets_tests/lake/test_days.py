"""First and newest days of tables."""

from pathlib import Path

import numpy as np

from quant_assets.lake.readers.days import read_day_span, read_newest_day
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import MARKS, day, write


def test_the_span_of_a_table_is_that_of_its_rows(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        assert read_day_span(lake, MARKS) is None
        assert read_newest_day(lake, MARKS) is None
        write(lake, 5, 1)
        write(lake, 3, 2)
        assert read_day_span(lake, MARKS) == (day(3), day(5))
        assert read_newest_day(lake, MARKS) == day(5)
        nothing = {"trading_day": np.empty(0, "datetime64[D]"), "mark": np.empty(0)}
        lake.replace_all(MARKS, nothing)
        assert read_newest_day(lake, MARKS) is None
