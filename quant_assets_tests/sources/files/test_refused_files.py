"""Price files and options that are refused, each with what is wrong and where."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from quant_assets.core.errors import MarketError, QuantAssetsError, SourceError
from quant_assets_tests.support.described_folder import (
    LISTED,
    RULES,
    Rows,
    market_rows,
    open_folder,
    read_all,
    write_csv,
    write_layout,
    write_parquet,
    write_rows,
)

HEADER = ("date", "symbol", "close", "volume")
DAYS = ("2020-01-02", "2020-01-03")
ROWS = market_rows("AB", DAYS)


def refuse(folder: Path, *words: str, description: str = LISTED, options: str = "") -> None:
    with pytest.raises(QuantAssetsError) as caught:
        read_all(open_folder(folder, description, options))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_equal_rows_count_once(ending: str, tmp_path: Path) -> None:
    for layout in ("long", "file", "wide"):
        write_layout(tmp_path / layout, layout, ending, ROWS)
        expected = read_all(open_folder(tmp_path / layout)).values
        if layout == "file":
            continue
        content = (tmp_path / layout / f"p{ending}").read_bytes()
        (tmp_path / layout / f"again{ending}").write_bytes(content)
        table = read_all(open_folder(tmp_path / layout))
        np.testing.assert_array_equal(table.values, expected)
    repeated = [HEADER, *ROWS, *ROWS[::-1], *ROWS]
    write_rows(tmp_path / "one" / f"p{ending}", repeated)
    np.testing.assert_array_equal(read_all(open_folder(tmp_path / "one")).values, expected)


def test_equal_texts_count_once(tmp_path: Path) -> None:
    rows = [*ROWS, ("2020-01-06", "A", "x", 1), ("2020-01-06", "B", 1, 1)]
    write_csv(tmp_path / "p.csv", [HEADER, *rows, rows[4]])
    table = read_all(open_folder(tmp_path))
    assert [(cell.row, cell.column, cell.text) for cell in table.unread] == [(2, "A_close", "x")]
    write_csv(tmp_path / "q.csv", [HEADER, ("2020-01-06", "A", "y", 1)])
    refuse(tmp_path, "differ", "'A' on 2020-01-06", "close x and y", "p.csv", "q.csv")
    write_csv(tmp_path / "q.csv", [HEADER, ("2020-01-06", "A", None, 1)])
    refuse(tmp_path, "differ", "close x and an empty cell")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("2020-01-03", "B", 7.5, 102), ("close 20.125 and 7.5",)),
        (("2020-01-03", "B", 20.125, 9), ("volume 102 and 9",)),
        (("20200103", "B", None, 102), ("close 20.125 and an empty cell",)),
    ],
)
def test_rows_that_differ_are_refused(
    row: tuple[object, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    common = ("two rows of one symbol and day differ", "'B' on 2020-01-03", "p.csv")
    write_csv(tmp_path / "p.csv", [HEADER, *ROWS, row])
    refuse(tmp_path, *common, *words)
    write_csv(tmp_path / "p.csv", [HEADER, *ROWS])
    write_csv(tmp_path / "q.csv", [HEADER, row])
    refuse(tmp_path, *common, *words, "q.csv")


def test_rows_of_an_instruments_file_that_differ_are_refused(tmp_path: Path) -> None:
    write_layout(tmp_path, "file", ".csv", ROWS)
    with (tmp_path / "B.csv").open("a") as file:
        file.write("2020-01-03,1,102\n")
    refuse(tmp_path, "differ", "where: " + str(tmp_path / "B.csv"), "close 1 and 20.125")
    # A file whose ending differs has the same instrument.
    write_layout(tmp_path, "file", ".csv", ROWS)
    write_parquet(tmp_path / "A.parquet", [("date", "close", "volume"), (DAYS[0], 1.0, 1)])
    refuse(tmp_path, "differ", "A.csv and", "A.parquet", "close 10.0 and 1.0")


def test_wide_rows_that_differ_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [("date", "X_c"), (DAYS[0], 1), (DAYS[1], 2), (DAYS[1], 3)])
    refuse(tmp_path, "two rows of one day differ", "2020-01-03", "X_c", " and ", description=RULES)
    write_csv(tmp_path / "p.csv", [("date", "X_c"), (DAYS[0], 1), (DAYS[1], 2)])
    write_csv(tmp_path / "q.csv", [("date", "X_c", "Y_c"), (DAYS[1], None, 1)])
    refuse(tmp_path, "q.csv", "2.0 and an empty cell", description=RULES)


def test_rows_without_end_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        rows = "SELECT '2020-01-02' AS date, {} AS symbol, 1.0 AS close, 1 AS volume FROM range({})"
        for name, symbol in (("one", "'A'"), ("both", "if(range % 2 = 0, 'A', 'B')")):
            (tmp_path / name).mkdir()
            query = rows.format(symbol, 1_000_000)
            connection.execute(f"COPY ({query}) TO '{tmp_path}/{name}/p.parquet'")
    refuse(tmp_path / "one", "more rows", "1,000,000 rows of 2020-01-02")
    refuse(tmp_path / "both", "more rows", "p.parquet", "at most 14 rows of 2 instruments")
    write_csv(tmp_path / "p.csv", [("date", "X_c"), *[(DAYS[0], 1)] * 8])
    refuse(tmp_path, "more rows", "p.csv", "8 rows of 2020-01-02", description=RULES)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ("no price files", "market.yaml")),
        ({"a.csv": [("date", "close", "close"), (DAYS[0], 1, 1)]}, ("'close' twice", "a.csv")),
        ({"a.csv": [("Dt", "close"), (DAYS[0], 1)]}, ("no dates", "Dt, close", "`columns`")),
        ({"a.csv": [("date", "symbol", "open"), (DAYS[0], "A", 1)]}, ("no closes",)),
        ({"a.csv": [HEADER, (DAYS[0], "A", 1, 1), (DAYS[0],)]}, ("cannot be read", "Line: 3")),
        ({"a.csv": [HEADER, (DAYS[0], None, 1, 1)]}, ("no symbol", "a.csv", "1 rows")),
        (
            {"a.csv": [HEADER[:3], (DAYS[0], "A", 1)]},
            ("lack a described field", "column volume", "'A'"),
        ),
        (
            {"a.csv": [HEADER, *ROWS], "b.csv": [("date", "close"), (DAYS[0], 1)]},
            ("differ in layout", "b.csv"),
        ),
        ({"a.csv": [("date", "A_close", "B_close"), (DAYS[0], 1, 1)]}, ("no column", "A_volume")),
        (
            {"a.csv": [("date", "A", "A_close", "B_close"), (DAYS[0], 1, 1, 1)]},
            ("two columns are one series", "'A' and 'A_close'"),
        ),
        ({"a.parquet": [HEADER, (DAYS[0], "A", [1.0], 1)]}, ("holds no numbers", "'close'")),
        ({"a.parquet": [HEADER, ([1], "A", 1.0, 1)]}, ("holds no days", "'date'")),
    ],
    ids=lambda part: str(part)[:40],
)
def test_files_that_are_wrong_as_a_whole(
    files: dict[str, Rows], words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "market.yaml").write_text(LISTED)
    for name, rows in files.items():
        write_rows(tmp_path / name, rows)
    refuse(tmp_path, *words)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"date,symbol,close,volume\n2020-01-02,\xe9,1,1\n"),
        ("a.csv", b'date,symbol,close,volume\n2020-01-02,"A,1,1\n'),
        ("a.csv.gz", b"no gzip"),
        ("a.csv.gz", b"\x1f\x8b"),
        ("a.parquet", b"no parquet"),
        ("a.parquet", b""),
    ],
)
def test_files_that_are_no_tables(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path, name)


def test_a_gzipped_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv.gz", [HEADER, *ROWS])
    content = (tmp_path / "p.csv.gz").read_bytes()
    for damaged in (content[:-8], content[:-20], content[:-9] + b"x" + content[-8:]):
        (tmp_path / "p.csv.gz").write_bytes(damaged)
        refuse(tmp_path, "cannot be read", "p.csv.gz")


def test_folders_are_no_files_and_links_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [HEADER, *ROWS])
    (tmp_path / "q.csv").mkdir()
    assert len(read_all(open_folder(tmp_path)).days) == 2
    (tmp_path / "r.csv").symlink_to(tmp_path / "nowhere.csv")
    refuse(tmp_path, "cannot be read", "r.csv", "No such file")


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_an_instrument_without_prices_is_named(layout: str, tmp_path: Path) -> None:
    rows = [(day, symbol, None if symbol == "B" else 1, 1) for day in DAYS for symbol in "AB"]
    write_layout(tmp_path, layout, ".csv", rows)
    refuse(tmp_path, "a described instrument has no prices", "none of 'B'")


def test_the_file_of_an_instrument_has_its_fields(tmp_path: Path) -> None:
    write_layout(tmp_path, "file", ".csv", ROWS)
    write_csv(tmp_path / "B.csv", [("date", "close"), (DAYS[0], 1)])
    refuse(tmp_path, "lack a described field", "B.csv", "column volume, as described of 'B'")


def test_a_misspelt_instrument_has_a_hint(tmp_path: Path) -> None:
    description = LISTED.replace("[A, B]", "[A, BRK-B, GONE]")
    for layout in ("long", "file"):
        write_layout(tmp_path / layout, layout, ".csv", market_rows(["A", "BRK.B"], DAYS))
        words = ("none of 'BRK-B', the first of 2", "did you mean BRK.B?")
        refuse(tmp_path / layout, *words, description=description)


def test_a_column_without_a_rule_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [("date", "X_c", "note"), (DAYS[0], 1, "x")])
    refuse(tmp_path, "follows no rule", "p.csv", "'note'", description=RULES)
    write_csv(tmp_path / "p.csv", [("date", "X_c", "Y_v"), (DAYS[0], 1, 1)])
    refuse(tmp_path, "no close", "Y_c", description=RULES)


@pytest.mark.parametrize("layout", ["long", "file", "wide"])
def test_files_full_of_text_are_refused(layout: str, tmp_path: Path) -> None:
    days = [f"2020-01-{day:02}" for day in range(1, 15)]
    rows = [(day, name, "1,5", 7) for day in days for name in "AB"]
    write_layout(tmp_path, layout, ".csv", rows)
    refuse(tmp_path, "not numbers", "close", "'1,5'", "decimal commas")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "columns: {close: adj close}",
            ("lacks a column", "'adj close'", "did you mean Adj Close"),
        ),
        ("columns: {close: nothing}", ("'nothing'", "its columns are", "key columns.close")),
        ("columns: {clse: Adj Close}", ("unknown key", "did you mean close?")),
        ("columns: {close: Dt, date: Dt}", ("two meanings", "'Dt' for close and for date")),
        ("other_days: keep", ("unknown way with other days", "refuse, skip")),
        ("foldr: x", ("unknown key", "did you mean folder?")),
        ("folder: []", ("not a text", "line 1, key folder")),
    ],
)
def test_options_that_are_wrong(options: str, words: tuple[str, ...], tmp_path: Path) -> None:
    rows = [("Dt", "Code", "Adj Close", "Close", "Volume"), (DAYS[0], "A", 1, 2, 3)]
    write_csv(tmp_path / "p.csv", rows)
    with pytest.raises(MarketError) as caught:
        read_all(open_folder(tmp_path, LISTED, options))
    for word in ("market.yaml", *words):
        assert word in str(caught.value)


def test_columns_are_named_by_options(tmp_path: Path) -> None:
    header = ("Dt", "Code", "Adj Close", "Close", "Date")
    rows = [(day, name, close, -1, "x") for day, name, close, _ in ROWS]
    write_csv(tmp_path / "prices" / "p.csv", [header, *rows])
    description = LISTED.replace(", volume", "")
    options = "{folder: prices, columns: {date: Dt, symbol: Code, close: Adj Close}}"
    table = read_all(open_folder(tmp_path, description, options))
    assert table.columns == ("A_close", "B_close")
    np.testing.assert_array_equal(table.values, [[10, 20], [10.125, 20.125]])
    one = open_folder(tmp_path, description, options.replace("prices", "prices/p.csv"))
    np.testing.assert_array_equal(read_all(one).values, table.values)


def test_a_file_that_goes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [HEADER, *ROWS])
    source = open_folder(tmp_path)
    assert len(read_all(source).days) == 2
    (tmp_path / "p.csv").write_text("date,symbol\n2020-01-02,A\n")
    with pytest.raises(SourceError, match="no closes"):
        read_all(source)
