"""Tables in files: every way to write one, and those that are refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.market.description.reading import parse_description
from quant_assets.sources.tables.reading import read_table

CALENDAR = '{days: data, due: "18:00", zone: America/New_York}'
HEADER = f"""\
name: t
instruments: {{list: [A, B]}}
calendar: {CALENDAR}
targets: {{returns: {{horizons: [1]}}}}
tables:
  t:
    file: """
LAG = "{date: day}, fields: [x], release_lag_days: 1"
KNOWN = "{date: day, known_at: known}, fields: [x]"
OF_SYMBOLS = "{date: day, symbol: ticker, known_at: known}, fields: [x, y]"
LONG = "{date: day, field: series, value: v}, fields: {x: XX, y: YY}, release_lag_days: 1"


def read(folder: Path, rule: str, rows: pd.DataFrame | str, ending: str = "csv") -> pd.DataFrame:
    """Write a table and read it by a rule for its columns, fields and knowledge."""
    file = folder / f"t.{ending}"
    if isinstance(rows, str):
        file.write_text(rows)
    elif ending == "parquet":
        rows.to_parquet(file, index=False)
    else:
        rows.to_csv(file, index=False)
    text = f"{{file: t.{ending}, columns: {rule}}}"
    text = HEADER.rpartition("\n")[0] + f"\n    {text[1:-1]}"
    market = parse_description(_as_lines(text), folder / "market.yaml")
    return read_table(market.tables[0], market, folder, ["A", "B"]).frame


def _as_lines(text: str) -> str:
    """Write the keys of the table one a line, since YAML has no flow map without braces."""
    head, _, rule = text.rpartition("\n")
    parts, depth, lines = "", 0, []
    for letter in rule.strip() + ",":
        depth += (letter in "{[") - (letter in "}]")
        if letter == "," and not depth:
            lines.append(f"    {parts.strip()}")
            parts = ""
        else:
            parts += letter
    return "\n".join([head, *lines, ""])


def listed(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return [
        (r.field, r.instrument, r.observed_on.date(), r.known_at, r.value)
        for r in frame.itertuples()
    ]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_column_per_field_and_a_column_of_fields_mean_the_same(
    tmp_path: Path, ending: str
) -> None:
    days = ["2024-01-02", "2024-01-03"]
    wide = pd.DataFrame({"day": days, "XX": [1.5, None], "YY": [3.0, 4.0]})
    by_column = read(
        tmp_path, "{date: day}, fields: {x: XX, y: YY}, release_lag_days: 1", wide, ending
    )
    long = wide.melt("day", var_name="series", value_name="v")
    by_name = read(tmp_path, LONG, long, ending)
    first, second = (pd.Timestamp(f"2024-01-0{day} 23:00") for day in (3, 4))
    assert (
        listed(by_column)
        == listed(by_name)
        == [
            ("x", "", date(2024, 1, 2), first, 1.5),
            ("y", "", date(2024, 1, 2), first, 3.0),
            ("y", "", date(2024, 1, 3), second, 4.0),
        ]
    )


@pytest.mark.parametrize(
    ("known", "moment"),
    [
        # A day alone: known at the close of the next calendar day.
        ("2024-01-05", pd.Timestamp("2024-01-06 23:00")),
        ("2024-01-05 00:00:00", pd.Timestamp("2024-01-06 23:00")),
        # A time without a zone is in the zone of the calendar.
        ("2024-01-05 16:30", pd.Timestamp("2024-01-05 21:30")),
        ("2024-07-05 16:30", pd.Timestamp("2024-07-05 20:30")),
        ("2024-01-05T16:30:00Z", pd.Timestamp("2024-01-05 16:30")),
        ("2024-01-05T16:30:00.25+05:30", pd.Timestamp("2024-01-05 11:00:00.25")),
        ("2024-01-05T00:00:00Z", pd.Timestamp("2024-01-05")),
    ],
)
def test_moments_of_knowledge(tmp_path: Path, known: str, moment: pd.Timestamp) -> None:
    rows = read(tmp_path, KNOWN, f"day,known,x\n2024-01-02,{known},1\n")
    assert listed(rows) == [("x", "", date(2024, 1, 2), moment, 1.0)]


@pytest.mark.parametrize(
    ("known", "moment"),
    [
        (date(2024, 1, 5), pd.Timestamp("2024-01-06 23:00")),
        (pd.Timestamp("2024-01-05"), pd.Timestamp("2024-01-06 23:00")),
        (pd.Timestamp("2024-01-05 16:30"), pd.Timestamp("2024-01-05 21:30")),
        (pd.Timestamp("2024-01-05 16:30", tz="Asia/Tokyo"), pd.Timestamp("2024-01-05 07:30")),
        (
            datetime(2024, 1, 5, 16, tzinfo=timezone(timedelta(hours=1))),
            pd.Timestamp("2024-01-05 15:00"),
        ),
        (datetime(2024, 1, 5, 16, tzinfo=UTC), pd.Timestamp("2024-01-05 16:00")),
    ],
)
def test_moments_in_parquet(tmp_path: Path, known: object, moment: pd.Timestamp) -> None:
    rows = pd.DataFrame({"day": [pd.Timestamp("2024-01-02")], "known": [known], "x": [1]})
    assert listed(read(tmp_path, KNOWN, rows, "parquet"))[0][3] == moment


def test_a_lag_of_none_is_the_close_of_the_day_itself(tmp_path: Path) -> None:
    rule = "{date: day}, fields: [x], release_lag_days: 0"
    rows = read(tmp_path, rule, "day;x\n20240102;1\n")
    assert listed(rows)[0][3] == pd.Timestamp("2024-01-02 23:00")


def test_rows_of_symbols_and_of_other_symbols(tmp_path: Path) -> None:
    text = "ticker,day,known,x,y\nB,2024-01-02,2024-01-05,1,\nZ,2024-01-02,2024-01-05,2,3\n"
    rows = read(tmp_path, f"{OF_SYMBOLS}, other_symbols: skip", text)
    assert [row[:2] + row[4:] for row in listed(rows)] == [("x", "B", 1.0)]


def test_equal_rows_are_one_row_and_empty_cells_are_none(tmp_path: Path) -> None:
    text = "day,x\n2024-01-02,1\n2024-01-02,1\n2024-01-03,.\n2024-01-04,\n2024-01-05,NA\n"
    assert len(read(tmp_path, LAG, text)) == 1


@pytest.mark.parametrize(
    ("rule", "text", "words"),
    [
        (LAG, "date,x\n2024-01-02,1\n", ("lacks a column", "'day'", "date, x")),
        (KNOWN, "day,x\n2024-01-02,1\n", ("lacks a column", "'known'")),
        (LAG, "day,x\n02/01/2024,1\n", ("not a day", "row 1, column 'day'", "'02/01/2024'")),
        (LAG, "day,x\n2024-01-02 12:00,1\n", ("not a day", "'2024-01-02 12:00'")),
        (LAG, "day,x\n2024-01-02,1\n,2\n", ("not a day", "row 2", "found: nothing")),
        (LAG, "day,x\n2024-01-02,high\n", ("no number", "row 1, column 'x'", "'high'")),
        (LAG, "day,x\n2024-01-02,inf\n", ("infinite", "x on 2024-01-02")),
        (LAG, "day,x\n2024-01-02,1\n2024-01-02,2\n", ("two values", "1.0 and 2.0")),
        (KNOWN, "day,known,x\n2024-01-02,soon,1\n", ("neither a day nor a time", "'soon'")),
        (KNOWN, "day,known,x\n2024-01-02,,1\n", ("neither a day nor a time", "found: nothing")),
        (
            KNOWN,
            "day,known,x\n2024-01-02,2024-01-03T10:00Z,1\n2024-01-03,2024-01-04T10:00,1\n",
            ("some times have a zone", "'2024-01-03T10:00Z' and '2024-01-04T10:00'"),
        ),
        (
            KNOWN,
            "day,known,x\n2024-01-02,2024-01-03T10:00Z,1\n2024-01-03,2024-01-04,1\n",
            ("some times have a zone", "'2024-01-04'"),
        ),
        (
            KNOWN,
            "day,known,x\n2024-01-09,2024-01-06,1\n",
            ("known before the day that it is about", "known at 2024-01-07 23:00"),
        ),
        (
            OF_SYMBOLS,
            "ticker,day,known,x,y\nAA,2024-01-02,2024-01-05,1,2\n",
            ("unknown symbol", "'AA', the first of 1", "did you mean A?"),
        ),
        (OF_SYMBOLS, "ticker,day,known,x,y\n,2024-01-02,2024-01-05,1,2\n", ("unknown symbol",)),
        (
            OF_SYMBOLS,
            "ticker,day,known,x,y\nA,2024-01-02,2024-01-05,1,2\nA,2024-01-02,2024-01-05,1,3\n",
            ("two values", "y of 'A' on 2024-01-02", "2.0 and 3.0"),
        ),
        (LONG, "day,series,v\n2024-01-02,XX,1\n", ("no row of a field", "'YY'")),
        (LAG, "", ("cannot be used", "an empty file")),
        (LAG, "day,x\n2024-01-02\n", ("cannot be read",)),
    ],
)
def test_refused_tables(tmp_path: Path, rule: str, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, rule, text)
    message = str(caught.value)
    for word in (str(tmp_path / "t.csv"), *words):
        assert word in message, message


def test_a_missing_file(tmp_path: Path) -> None:
    read(tmp_path, LAG, "day,x\n2024-01-02,1\n")
    market = parse_description(_as_lines(HEADER + f"none.csv, columns: {LAG}"), tmp_path / "m.yaml")
    with pytest.raises(SourceError, match="file is missing"):
        read_table(market.tables[0], market, tmp_path)
