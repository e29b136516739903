"""Rows collected block by block, and arrays in files, equal those in memory."""

import gc
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core import large_arrays
from quant_assets.core.errors import LakeError
from quant_assets.lake.readers import features
from quant_assets.lake.readers.arrays import day_blocks, long_rows
from quant_assets.lake.readers.features import read_cube
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import Spool

DAYS = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
NAMES = [c.name for c in MARKET_FEATURES.columns if c.name not in ("trading_day", "date_id")]
VALUES = np.random.default_rng(0).normal(size=(len(DAYS), len(NAMES)))
VALUES[3, 1] = np.nan
FIRST, LAST = DAYS[0].item(), DAYS[-1].item()
CONTENT = f"FROM {MARKET_FEATURES.quoted}"


def _rows(part: slice) -> dict[str, object]:
    columns = dict(zip(NAMES, VALUES[part].T, strict=True))
    return long_rows(DAYS[part], np.arange(len(DAYS))[part], columns)


@pytest.mark.parametrize("size", [1, 5, 12])
def test_blocks_become_the_rows_of_one_write(size: int, tmp_path: Path) -> None:
    spool = Spool(MARKET_FEATURES)
    for part in day_blocks(len(DAYS), 1, rows=size):
        spool.add(_rows(part))
    with Lake(tmp_path / "whole") as whole, Lake(tmp_path / "blocks") as blocks:
        whole.replace_days(MARKET_FEATURES, FIRST, LAST, _rows(slice(None)))
        for _ in range(2):
            written = blocks.replace_days(MARKET_FEATURES, FIRST, LAST, spool)
            assert written.rows == len(DAYS)
        assert blocks.arrow(CONTENT).equals(whole.arrow(CONTENT))


def test_no_block_leaves_no_rows(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        lake.replace_days(MARKET_FEATURES, FIRST, LAST, _rows(slice(None)))
        assert lake.replace_days(MARKET_FEATURES, FIRST, LAST, Spool(MARKET_FEATURES)).rows == 0
        assert not lake.arrow(CONTENT).num_rows


def test_a_block_outside_the_days_is_refused(tmp_path: Path) -> None:
    spool = Spool(MARKET_FEATURES)
    for part in day_blocks(len(DAYS), 1, rows=4):
        spool.add(_rows(part))
    with Lake(tmp_path) as lake, pytest.raises(LakeError, match="outside"):
        lake.replace_days(MARKET_FEATURES, date(2024, 1, 2), LAST, spool)


def test_a_cube_in_a_file_equals_the_cube_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lake(tmp_path) as lake:
        lake.replace_days(MARKET_FEATURES, FIRST, LAST, _rows(slice(None)))
        _, expected = read_cube(lake, MARKET_FEATURES, DAYS)
        blocks = list(day_blocks(len(DAYS), 1, rows=5))
        monkeypatch.setattr(features, "day_blocks", lambda *_: iter(blocks))
        np.testing.assert_array_equal(read_cube(lake, MARKET_FEATURES, DAYS)[1], expected)
        monkeypatch.setattr(large_arrays, "IN_MEMORY", 100)
        cube = read_cube(lake, MARKET_FEATURES, DAYS)[1]
    np.testing.assert_array_equal(cube, expected)
    file = Path(str(cube.filename))
    later = cube[2:]
    del cube
    gc.collect()
    np.testing.assert_array_equal(later, expected[2:])
    del later
    gc.collect()
    assert not file.exists()


def test_an_array_that_is_not_shared_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_arrays, "IN_MEMORY", 100)
    expected = np.arange(60.0).reshape(20, 3)
    blocks = (expected[first : first + 7] for first in range(0, 20, 7))
    mapped = large_arrays.join_blocks(blocks, expected.shape, np.float64, shared=False)
    assert not Path(str(mapped.filename)).exists()
    np.testing.assert_array_equal(mapped, expected)
