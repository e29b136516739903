"""A lake works in a folder of any name: for writing, maintenance and copies."""

from pathlib import Path

import duckdb

from quant_assets.commands.inspection import copy_lake
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import MARKS, day
from quant_assets_tests.support.odd_names import ODD_NAME


def written_lake(root: Path) -> Path:
    """A lake of two days, each written twice."""
    with Lake(root) as lake:
        for mark in (1.0, 2.0):
            for number in range(2):
                rows = {"trading_day": [day(number)], "mark": [mark]}
                lake.replace_days(MARKS, day(number), day(number), rows)
    return root


def test_rows_of_every_snapshot_are_read_back(tmp_path: Path) -> None:
    root = written_lake(tmp_path / ODD_NAME / "lake")
    with Lake(root, read_only=True) as lake:
        assert lake.query(f"FROM {MARKS.quoted}")["mark"].tolist() == [2.0, 2.0]
        with lake.as_of(lake.snapshot_id() - 1) as earlier:
            assert sorted(earlier.query(f"FROM {MARKS.quoted}")["mark"]) == [1.0, 2.0]
    assert [path.name for path in tmp_path.iterdir()] == [ODD_NAME]


def test_maintenance_leaves_the_newest_rows_alone(tmp_path: Path) -> None:
    root = written_lake(tmp_path / ODD_NAME / "lake")
    with Lake(root) as lake:
        before = len(list(root.rglob("*.parquet")))
        lake.maintain(retention_days=0)
        assert lake.query(f"FROM {MARKS.quoted}")["mark"].tolist() == [2.0, 2.0]
    assert len(list(root.rglob("*.parquet"))) < before


def test_a_copy_is_a_plain_duckdb_file(tmp_path: Path) -> None:
    root = written_lake(tmp_path / ODD_NAME / "lake")
    file = tmp_path / ODD_NAME / "copy.duckdb"
    assert copy_lake(root, file) == 1
    with duckdb.connect(str(file), read_only=True) as copy:
        assert copy.execute(f"SELECT sum(mark) FROM {MARKS.quoted}").fetchall() == [(4.0,)]
