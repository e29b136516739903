"""Splits and dividends in price files: only where options name their columns."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import MarketError, SourceError
from quant_assets.sources.deliveries import Action
from quant_assets_tests.support.described_folder import LISTED, open_folder, read_all

NAMED = "columns: {split: Split, dividend: Cash}\n"
LONG = """date,symbol,close,volume,Split,Cash
2020-01-02,A,10,1,1,0
2020-01-02,B,20,1,,
2020-01-03,A,5,2,2,0.25
2020-01-03,B,20,1,1.0,
2020-01-06,A,5,2,,0
2020-01-06,B,160,1,0.125,0.5
"""
EXPECTED = [Action(1, "A", 2.0, 0.25), Action(2, "B", 0.125, 0.5)]


def write(folder: Path, text: str = LONG) -> Path:
    (folder / "p.csv").write_text(text)
    return folder


def test_named_columns_are_splits_and_dividends(tmp_path: Path) -> None:
    source = open_folder(write(tmp_path), LISTED, NAMED)
    assert list(read_all(source).actions) == EXPECTED
    part = source.prices(date(2020, 1, 3), date(2020, 1, 3))
    assert list(part.actions) == [Action(0, "A", 2.0, 0.25)]
    assert len(source.prices(date(2020, 1, 4), date(2020, 1, 5)).actions) == 0


def test_a_file_per_instrument(tmp_path: Path) -> None:
    header, *rows = LONG.splitlines()
    for name in "AB":
        own = [row.replace(f",{name},", ",") for row in rows if f",{name}," in row]
        lines = [header.replace(",symbol", ""), *own]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    assert list(read_all(open_folder(tmp_path, LISTED, NAMED)).actions) == EXPECTED


def test_columns_that_nobody_names_mean_nothing(tmp_path: Path) -> None:
    text = LONG.replace("Split,Cash", "split,dividend")
    table = read_all(open_folder(write(tmp_path, text)))
    assert len(table.actions) == 0
    np.testing.assert_array_equal(table.values[:, 0], [10.0, 5.0, 5.0])


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("2,0.25", "two,0.25", "'two'"),
        ("2,0.25", "-2,0.25", "-2.0 and 0.25"),
        ("2,0.25", "0,0", "0.0 and 0.0"),
        ("2,0.25", "1,-1", "1.0 and -1.0"),
        ("2,0.25", "inf,0", "inf and 0.0"),
        ("2020-01-06,A,5,2,,0", "2020-01-03,A,5,2,3,0.25", "two"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, old: str, new: str, found: str) -> None:
    source = open_folder(write(tmp_path, LONG.replace(old, new)), LISTED, NAMED)
    with pytest.raises(SourceError, match="a split or dividend cannot be read") as info:
        read_all(source)
    assert info.value.found == found


def test_a_split_between_trading_days_is_refused(tmp_path: Path) -> None:
    text = LISTED.replace("days: data", "exchanges: [XNYS]")
    rows = "2020-01-04,A,5,2,2,0\n2019-12-25,A,9,1,3,0\n"
    source = open_folder(write(tmp_path, LONG + rows), text, f"{NAMED}other_days: skip\n")
    with pytest.raises(SourceError, match="a split or dividend cannot be read") as info:
        read_all(source)
    assert info.value.found == "A on 2020-01-04"


def test_wide_files_have_none(tmp_path: Path) -> None:
    text = "date,A_close,A_volume,B_close,B_volume,Split,Cash\n2020-01-02,1,1,1,1,1,0\n"
    with pytest.raises(MarketError, match="wide files have no splits and dividends"):
        read_all(open_folder(write(tmp_path, text), LISTED, NAMED))
