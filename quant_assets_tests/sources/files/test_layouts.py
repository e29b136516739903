"""Price files of every layout and format give one and the same table."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.market.instruments import InstrumentSeries
from quant_assets_tests.support.described_folder import (
    LISTED,
    RULES,
    assert_same,
    market_rows,
    open_folder,
    read_all,
    write_csv,
    write_layout,
    write_parquet,
)

DAYS = ("2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07")
ROWS = market_rows(("B", "A"), DAYS)
GROUPED = LISTED.replace("[A, B]", "[{name: A, labels: {g: x}}, {name: B, labels: {g: y}}]")


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("layout", ["long", "file", "wide"])
def test_every_layout_gives_the_described_series(layout: str, ending: str, tmp_path: Path) -> None:
    write_layout(tmp_path, layout, ending, ROWS)
    source = open_folder(tmp_path, f"{GROUPED}group_by: g\n")
    table = read_all(source)
    assert table.columns == ("A_close", "A_volume", "B_close", "B_volume")
    assert table.series.groups == ("x", "x", "y", "y")
    assert table.series.series[1] == InstrumentSeries("A", "volume")
    np.testing.assert_array_equal(table.days, np.array(DAYS, dtype="datetime64[D]"))
    np.testing.assert_array_equal(table.date_ids, range(4))
    np.testing.assert_array_equal(table.values[:, 0], [20.0, 20.125, 20.25, 20.375])
    np.testing.assert_array_equal(table.values[:, 3], [1, 101, 201, 301])
    assert table.values.dtype == np.float64
    assert not table.unread
    assert (source.first_day, source.last_day) == (date(2020, 1, 2), date(2020, 1, 7))
    assert (source.name, source.waiting()) == ("files", "")
    assert source.second_prices(source.first_day, source.last_day) is None
    assert source.published_labels(source.first_day, source.last_day) is None
    assert source.best_forecast(source.first_day, source.last_day) is None
    assert source.pairs().targets == ("A_1d", "B_1d")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("layout", ["long", "file", "wide"])
def test_a_range_is_a_slice_of_the_whole(layout: str, ending: str, tmp_path: Path) -> None:
    days = [str(day) for day in np.arange("2019-12-20", "2020-02-10", dtype="datetime64[D]")]
    rows = [row for row in market_rows(("A", "B"), days) if row[3] % 7]
    write_layout(tmp_path, layout, ending, rows)
    source = open_folder(tmp_path)
    whole = read_all(source)
    for first in range(0, len(whole.days), 9):
        for last in (first, first + 1, first + 20):
            days_ = whole.days[[first, min(last, len(whole.days) - 1)]]
            part = source.prices(days_[0].item(), days_[1].item())
            own = slice(first, last + 1)
            np.testing.assert_array_equal(part.days, whole.days[own])
            np.testing.assert_array_equal(part.date_ids, whole.date_ids[own])
            np.testing.assert_array_equal(part.values, whole.values[own])
            assert part.series == whole.series
    assert source.prices(date(1999, 1, 1), date(1999, 12, 31)).values.shape == (0, 4)
    assert source.prices(date(2020, 1, 3), date(2020, 1, 2)).values.shape == (0, 4)


def test_files_split_by_day_are_one_history(tmp_path: Path) -> None:
    write_layout(tmp_path / "one", "long", ".csv", ROWS)
    for day in DAYS:
        of_day = [row for row in ROWS if row[0] == day]
        write_layout(tmp_path / "many" / day, "long", ".csv.gz", of_day)
        (tmp_path / "many" / day / "p.csv.gz").rename(tmp_path / "many" / f"{day}.csv.gz")
        (tmp_path / "many" / day).rmdir()
    assert_same(read_all(open_folder(tmp_path / "one")), read_all(open_folder(tmp_path / "many")))


def test_files_may_differ_in_columns_delimiters_and_formats(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "a.csv",
        [("Volume", "Ticker", "Date", "Close"), *((r[3], r[1], r[0], r[2]) for r in ROWS[:3])],
        ";",
    )
    write_parquet(
        tmp_path / "b.parquet",
        [("date", "symbol", "close", "volume", "note"), *((*row, "x") for row in ROWS[3:])],
        pa.string(),
    )
    write_layout(tmp_path / "whole", "long", ".csv", ROWS)
    assert_same(read_all(open_folder(tmp_path)), read_all(open_folder(tmp_path / "whole")))


def test_wide_files_found_by_rules_keep_their_columns(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [("Date", "Y_c", "X_v", "X_c"), ("2020-01-02", 1, 2, 3)])
    write_csv(tmp_path / "q.csv", [("Date", "Z_c"), ("2020-01-02", 4)])
    source = open_folder(tmp_path, RULES)
    table = read_all(source)
    assert table.columns == ("Y_c", "X_v", "X_c", "Z_c")
    assert table.series.series[1] == InstrumentSeries("X", "volume")
    np.testing.assert_array_equal(table.values, [[1, 2, 3, 4]])
    assert source.pairs().leg_a == ("Y", "X", "Z")


def test_listed_instruments_may_be_named_by_columns_alone(tmp_path: Path) -> None:
    header = ("", "B", "note", "A_close", "A_volume", "B_volume")
    write_csv(tmp_path / "p.csv", [header, ("2020-01-02", 1, "x", 2, 3, 4)])
    table = read_all(open_folder(tmp_path))
    assert table.columns == ("A_close", "A_volume", "B", "B_volume")
    np.testing.assert_array_equal(table.values, [[2, 3, 1, 4]])


def test_symbols_without_a_description_are_left_out(tmp_path: Path) -> None:
    others = market_rows(("C", "D"), ("2020-01-01", *DAYS))
    for layout in ("long", "file"):
        write_layout(tmp_path / layout, layout, ".csv", [*others, *ROWS])
        write_layout(tmp_path / f"{layout}2", layout, ".csv", ROWS)
        table = read_all(open_folder(tmp_path / layout))
        assert_same(table, read_all(open_folder(tmp_path / f"{layout}2")))


@pytest.mark.parametrize("layout", ["long", "file", "wide"])
def test_many_series_in_several_blocks_of_columns(layout: str, tmp_path: Path) -> None:
    names = [f"N{i}" for i in range(800)]
    description = LISTED.replace("[A, B]", f"[{', '.join(reversed(names))}]")
    write_layout(tmp_path, layout, ".csv", market_rows(names, DAYS[:2]))
    table = read_all(open_folder(tmp_path, description))
    assert table.columns[0] == "N799_close"
    np.testing.assert_array_equal(table.values[0, 0::2], 10.0 * np.arange(800, 0, -1))


@pytest.mark.parametrize("layout", ["long", "file"])
def test_odd_names_are_kept(layout: str, tmp_path: Path) -> None:
    names = ["BRK.B", "Crude Oil, [x]*?", "日本 é", "NA", "0700", "1e5"]
    names += ["x" * 300, "EUR/USD", 'a "q"'] if layout == "long" else ["x" * 200]
    quoted = ", ".join("'" + name + "'" for name in names)
    write_layout(tmp_path, layout, ".csv", market_rows(names, DAYS[:2]))
    table = read_all(open_folder(tmp_path, LISTED.replace("[A, B]", f"[{quoted}]")))
    assert [each.instrument for each in table.series.series[::2]] == names
    np.testing.assert_array_equal(table.values[0, ::2], 10.0 * np.arange(1, len(names) + 1))


def test_numbers_are_delivered_as_they_are(tmp_path: Path) -> None:
    closes = ["inf", "-1.5", "0", "nan", "", " 2 ", "1e300", "NaN"]
    days = [f"2020-01-{day:02}" for day in range(1, 9)]
    rows = [(day, name, close, 1) for day, close in zip(days, closes, strict=True) for name in "AB"]
    write_layout(tmp_path, "long", ".csv", [*rows, ("2020-01-09", "A", 1, 1)])
    table = read_all(open_folder(tmp_path))
    expected = [np.inf, -1.5, 0, np.nan, np.nan, 2, 1e300, np.nan, 1]
    np.testing.assert_array_equal(table.values[:, 0], expected)
    assert not table.unread


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("layout", ["long", "file", "wide"])
def test_a_text_in_place_of_a_number_is_unread(layout: str, ending: str, tmp_path: Path) -> None:
    days = [f"2020-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    rows = [(day, name, "1.5", "7") for day in days for name in "AB"]
    rows[40] = (rows[40][0], rows[40][1], "1_000", "7")
    rows[43] = (rows[43][0], rows[43][1], "2.5", "n/a")
    write_layout(tmp_path, layout, ending, rows)
    source = open_folder(tmp_path)
    table = read_all(source)
    cells = [(cell.row, cell.column, cell.text) for cell in table.unread]
    assert cells == [(20, "A_close", "1_000"), (21, "B_volume", "n/a")]
    assert np.isnan(table.values[20, 0])
    assert np.isnan(table.values[21, 3])
    assert np.isfinite(table.values).sum() == table.values.size - 2
    part = source.prices(table.days[21].item(), table.days[30].item())
    assert [(cell.row, cell.text) for cell in part.unread] == [(0, "n/a")]


def test_instruments_may_differ_in_fields(tmp_path: Path) -> None:
    description = LISTED.replace("B]", "{name: B, fields: [close]}]")
    for layout in ("long", "file", "wide"):
        write_layout(tmp_path / layout, layout, ".csv", ROWS)
        table = read_all(open_folder(tmp_path / layout, description))
        assert table.columns == ("A_close", "A_volume", "B_close")
        np.testing.assert_array_equal(table.values[1], [20.125, 102, 10.125])


def test_names_of_folders_and_columns_mean_nothing_to_the_reader(tmp_path: Path) -> None:
    rows = [(*row, "x") for row in ROWS]
    header = ("date", "symbol", "close", "volume")
    for column in ("filename", "CLOSE2", "Date "):
        folder = tmp_path / "symbol=A" / column
        write_parquet(folder / "p.parquet", [(*header, column), *rows])
        write_csv(folder / "q.csv", [(*header, column), *rows])
        assert len(read_all(open_folder(folder)).days) == 4


def test_a_byte_order_mark_and_line_ends_of_windows(tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ".csv", ROWS)
    expected = read_all(open_folder(tmp_path))
    content = (tmp_path / "p.csv").read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "p.csv").write_bytes(b"\xef\xbb\xbf" + content + b"\r\n")
    assert_same(read_all(open_folder(tmp_path)), expected)


def test_tables_beside_the_prices_are_no_prices(tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ".csv", ROWS)
    write_csv(tmp_path / "instruments.csv", [("name", "sector"), ("A", "x")])
    write_csv(tmp_path / "pairs.csv", [("target", "lag", "pair", "close"), ("t", 1, "A - B", 1)])
    pairs = LISTED.replace("{returns: {horizons: [1]}}", "{pairs: pairs.csv}")
    source = open_folder(tmp_path, pairs)
    assert len(read_all(source).days) == 4
    assert (source.pairs().leg_a, source.pairs().leg_b) == (("A",), ("B",))


def test_pairs_may_lie_beside_the_prices(tmp_path: Path) -> None:
    write_layout(tmp_path / "prices", "long", ".csv", ROWS)
    pairs = tmp_path / "prices" / "pairs.csv"
    write_csv(pairs, [("target", "lag", "pair"), ("t", 1, "A - B")])
    description = LISTED.replace("{returns: {horizons: [1]}}", "{pairs: pairs.csv}")
    source = open_folder(tmp_path, description, "folder: prices")
    assert source.pairs().targets == ("t",)
    before = source.look(), source.fingerprint()
    write_csv(pairs, [("target", "lag", "pair"), ("u", 1, "A - B")])
    assert source.look() != before[0]
    assert source.fingerprint() != before[1]


def test_rules_need_wide_files(tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ".csv", ROWS)
    with pytest.raises(SourceError, match=r"the files have none(.|\n)*found: long"):
        read_all(open_folder(tmp_path, RULES))
