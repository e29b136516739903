"""Price files that write an old symbol before a day and a new one from it on."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.sources.deliveries import Action
from quant_assets_tests.support.described_folder import (
    assert_same,
    open_folder,
    read_all,
    write_csv,
    write_layout,
)

DAYS = tuple(str(day) for day in np.arange("2022-06-06", "2022-06-12", dtype="datetime64[D]"))
RENAMED = "2022-06-09"
PLAIN = """\
name: t
instruments:
  fields: [close, volume]
  list: [META, X, FB]
calendar: {days: data}
targets: {returns: {horizons: [1]}}
"""
# Another company takes the old symbol on the last day; the new one was a fund's before.
DESCRIBED = PLAIN.replace(
    "[META, X, FB]",
    f"[{{name: META, renamed: {{FB: {RENAMED}}}}}, X, {{name: FB, listed: {DAYS[-1]}}}]",
)
HEADER = ("date", "symbol", "close", "volume")


def prices_of(symbol: str) -> list[tuple[str, str, float, int]]:
    base = {"META": 10.0, "X": 20.0, "FB": 30.0}[symbol]
    return [(day, symbol, base + row, 100 + row) for row, day in enumerate(DAYS)]


def as_named() -> list[tuple[object, ...]]:
    """Rows with the names of the description."""
    rows = [*prices_of("META"), *prices_of("X"), prices_of("FB")[-1]]
    return sorted(rows)


def as_written() -> list[tuple[object, ...]]:
    """Rows with the symbols of each day, and those of the fund."""
    meta = [(day, "FB" if day < RENAMED else "META", *rest) for day, _, *rest in prices_of("META")]
    fund = [(day, "META", 5.0, 1) for day in DAYS if day < RENAMED]
    return sorted([*meta, *fund, *prices_of("X"), prices_of("FB")[-1]])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("layout", ["long", "file", "wide"])
def test_a_symbol_means_another_instrument_from_a_day_on(
    layout: str, ending: str, tmp_path: Path
) -> None:
    for folder, rows in (("named", as_named()), ("written", as_written())):
        (tmp_path / folder).mkdir()
        write_layout(tmp_path / folder, layout, ending, rows)
    described = open_folder(tmp_path / "written", DESCRIBED)
    whole = read_all(described)
    assert_same(whole, read_all(open_folder(tmp_path / "named", PLAIN)))
    for day, row in zip(DAYS, whole.values, strict=True):
        one = described.prices(*[date.fromisoformat(day)] * 2)
        np.testing.assert_array_equal(one.values, row[None])


def test_two_rows_of_one_instrument_are_refused(tmp_path: Path) -> None:
    rows = [HEADER, *as_written(), (RENAMED, "META", 77.0, 1)]
    write_csv(tmp_path / "p.csv", rows)
    with pytest.raises(SourceError, match=r"one row of 'META' on 2022-06-09") as caught:
        read_all(open_folder(tmp_path, DESCRIBED))
    assert "close 13.0 and 77.0" in str(caught.value)


def test_actions_follow_the_symbol_and_the_days_of_trading(tmp_path: Path) -> None:
    rows = [(*row, None) for row in as_written()]
    rows += [(DAYS[-1], "old", 3.0, 1, 0.5), ("2022-06-07", "old", 3.0, 1, 0.25)]
    changed = [
        (*row[:-1], 2.0) if row[:2] in (("2022-06-07", "FB"), ("2022-06-07", "META")) else row
        for row in rows
    ]
    write_csv(tmp_path / "p.csv", [(*HEADER, "cash"), *changed])
    text = DESCRIBED.replace("X,", "X, {name: old, delisted: 2022-06-10},")
    source = open_folder(tmp_path, text, "columns: {dividend: cash}")
    assert sorted(read_all(source).actions, key=lambda each: each.instrument) == [
        Action(1, "META", dividend=2.0),
        Action(1, "old", dividend=0.25),
    ]
