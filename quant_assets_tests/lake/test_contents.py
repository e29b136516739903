"""Numbers of rows and newest days equal those of a read of all rows."""

from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.table import Column, Table
from quant_assets.lake.store.contents import TableContent, read_contents
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import MARKS, day, rows_of, write

NAMES = Table("raw.names", "No days.", (Column("name", "VARCHAR", "a name"),), day_column="")


def counted(lake: Lake) -> TableContent:
    days = lake.arrow(f"SELECT trading_day, mark FROM {MARKS.quoted}")["trading_day"].to_pylist()
    return TableContent(len(days), max(days, default=None))


def test_it_is_what_the_rows_say_whatever_was_written(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        snapshots: dict[int, TableContent] = {}
        nothing = {"trading_day": np.empty(0, "datetime64[D]"), "mark": np.empty(0)}
        writes = (
            lambda: write(lake, 3, 1),
            lambda: write(lake, 5, 2),
            lambda: write(lake, 4, 3),
            lambda: write(lake, 5, 4),
            lambda: lake.replace_days(MARKS, day(5), day(5), nothing),
            lambda: lake.maintain(retention_days=100),
            lambda: write(lake, 9, 5),
            lambda: lake.replace_all(MARKS, nothing),
            lambda: write(lake, 2, 6),
        )
        for change in writes:
            change()
            assert read_contents(lake, [MARKS]) == {MARKS: counted(lake)}
            snapshots[lake.snapshot_id()] = counted(lake)
        assert counted(lake) == TableContent(rows_of(6), day(2))
        for snapshot, then in snapshots.items():
            with lake.as_of(snapshot) as past:
                assert read_contents(past, [MARKS])[MARKS] == then


def test_tables_without_days_have_no_newest(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        lake.replace_all(NAMES, {"name": ["a", "b"]})
        write(lake, 1, 1)
        contents = read_contents(lake, [NAMES, MARKS])
        assert list(contents) == [NAMES, MARKS]
        assert contents[NAMES] == TableContent(2, None)
        assert read_contents(lake, []) == {}


def test_within_another_look_it_is_of_its_snapshot(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake, Lake(tmp_path) as other:
        write(lake, 1, 1)
        with lake.at_once() as snapshot:
            write(other, 2, 2)
            assert read_contents(lake, [MARKS])[MARKS] == TableContent(rows_of(1), day(1))
            with lake.at_once() as again:
                assert again == snapshot
        assert read_contents(lake, [MARKS])[MARKS].newest == day(2)


def test_a_table_never_written_is_an_error(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        write(lake, 1, 1)
        with pytest.raises(LakeError, match="names"):
            read_contents(lake, [NAMES])
