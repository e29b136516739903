"""Malformed files are refused, and the message names the place."""

from pathlib import Path

import pytest

from quant_assets.core.errors import SourceError
from quant_assets_tests.support.competition_market import (
    Fault,
    change_bytes,
    change_lines,
    check_refused,
    edit,
    make_folder,
    read_everything,
    with_calendar,
    words_in_column,
)

FAULTS: dict[str, Fault] = {
    "missing train": (
        lambda folder: (folder / "train.csv").unlink(),
        "train.csv",
        ("missing", "expected: the competition's train.csv", "found: nothing", "hint:"),
    ),
    "missing pairs": (
        lambda folder: (folder / "target_pairs.csv").unlink(),
        "target_pairs.csv",
        ("missing", "found: nothing"),
    ),
    "empty": (
        change_bytes("train.csv", lambda _: b""),
        "train.csv",
        ("empty", "a header and rows"),
    ),
    "header only": (
        change_lines("train.csv", lambda lines: lines[:1]),
        "train.csv",
        ("no rows", "a header only"),
    ),
    "parquet": (
        change_bytes("train.csv", lambda _: b"PAR1\x15\x04\x15\x10"),
        "train.csv",
        ("not CSV", "comma-separated text", "PAR1"),
    ),
    "html": (
        change_bytes("train.csv", lambda _: b"<!DOCTYPE html><html><body>Not found</body></html>"),
        "train.csv",
        ("not CSV", "<!DOCTYPE"),
    ),
    "binary": (
        change_bytes("test.csv", lambda _: bytes(range(256))),
        "test.csv",
        ("not CSV", "UTF-8"),
    ),
    "binary inside": (
        change_bytes("train.csv", lambda raw: raw[:300] + b"\xff\xfe\x00\x81" * 9 + raw[300:]),
        "train.csv",
        ("expected:", "found:"),
    ),
    "wrong delimiter": (
        change_bytes("train.csv", lambda raw: raw.replace(b",", b";")),
        "train.csv",
        ("wrong delimiter", "line 1", "separated by commas", "';'"),
    ),
    "no date_id": (
        edit("train.csv", "date_id", "dateid"),
        "train.csv",
        ("date_id column is missing", "'date_id'", "dateid, LME_CA_Close", "did you mean dateid"),
    ),
    "duplicate date_id": (
        edit("train.csv", "\n7,", "\n6,"),
        "train.csv",
        ("occurs twice", "line 9", "'date_id'", "more than 6", "found: 6"),
    ),
    "unsorted date_id": (
        change_lines("train.csv", lambda x: [*x[:9], x[10], x[9], *x[11:]]),
        "train.csv",
        ("not in ascending order", "line 11", "more than 9", "found: 8"),
    ),
    "gap in date_id": (
        change_lines("train.csv", lambda x: [*x[:9], *x[10:]]),
        "train.csv",
        ("left out", "line 10", "expected: 8", "found: 9", "calendar.csv"),
    ),
    "text in date_id": (
        edit("train.csv", "\n7,", "\nseven,"),
        "train.csv",
        ("date_id is not a whole number", "line 9", "'date_id'", "'seven'"),
    ),
    "empty date_id": (
        edit("train.csv", "\n7,", "\n,"),
        "train.csv",
        ("date_id is not a whole number", "line 9", "''"),
    ),
    "negative date_id": (
        edit("train.csv", "\n0,", "\n-1,"),
        "train.csv",
        ("date_id is not a whole number", "line 2", "'-1'"),
    ),
    "unknown column": (
        edit("train.csv", "US_Stock_CVX_adj_close", "US_Stock_CVX_adj_clsoe"),
        "train.csv",
        (
            "unknown column",
            "line 1",
            "US_Stock_<ticker>_adj_<field>",
            "found: 'US_Stock_CVX_adj_clsoe'",
            "did you mean US_Stock_CVX_adj_close",
        ),
    ),
    "unknown market": (
        edit("train.csv", "FX_USDJPY", "Unnamed: 0"),
        "train.csv",
        ("unknown column", "'Unnamed: 0'", "FX_<pair>"),
    ),
    "unknown currency": (
        edit("train.csv", "FX_USDJPY", "FX_USDJPY_Close"),
        "train.csv",
        ("unknown column", "'FX_USDJPY_Close'"),
    ),
    "duplicate column": (
        edit("train.csv", "JPX_Gold_Rolling-Spot_Futures_Open", "FX_USDJPY"),
        "train.csv",
        ("occurs twice", "line 1", "every column once", "'FX_USDJPY' 2 times"),
    ),
    "cut short in a line": (
        change_bytes("train.csv", lambda raw: raw[:-25] + b"\n"),
        "train.csv",
        ("another number of fields", "line 41", "8 fields", "found: 4 fields"),
    ),
    "cut short in the pairs": (
        change_bytes("target_pairs.csv", lambda raw: raw[: raw.rindex(b" - ")]),
        "target_pairs.csv",
        ("last line has no end", "line 5", "add a line end"),
    ),
    "cut short at a row": (
        change_lines("train.csv", lambda x: x[:-4]),
        "train.csv",
        ("ends before train_labels.csv", "39 in the last row", "found: 35"),
    ),
    "row too short": (
        change_lines("train.csv", lambda x: [*x[:11], x[11].rsplit(",", 1)[0], *x[12:]]),
        "train.csv",
        ("another number of fields", "line 12", "8 fields", "7 fields"),
    ),
    "row too long": (
        change_lines("train.csv", lambda x: [*x[:11], x[11] + ",1.5", *x[12:]]),
        "train.csv",
        ("another number of fields", "line 12", "8 fields", "9 fields, the last '1.5'"),
    ),
    "stray quote": (
        change_lines("train.csv", lambda x: [*x[:11], x[11].replace(",", ',"', 1), *x[12:]]),
        "train.csv",
        ("expected:", "found:"),
    ),
    "far outside the calendar": (
        change_lines("train.csv", lambda x: [x[0], "99999999" + x[1][1:]]),
        "train.csv",
        ("outside the trading calendar", "2018-01-02", "99999999"),
    ),
    "calendar lacks an id": (
        with_calendar(lambda x: [*x[:12], *x[13:]]),
        "calendar.csv",
        ("date_id of train.csv has no date", "a row for 12", "39 rows"),
    ),
    "calendar on a Sunday": (
        with_calendar(lambda x: ["0,2017-12-31", *x[1:]]),
        "calendar.csv",
        ("no trading day", "line 2", "'date'", "2017-12-31"),
    ),
    "calendar of 1990": (
        with_calendar(lambda x: ["0,1990-01-02", *x[1:]]),
        "calendar.csv",
        ("outside the trading calendar", "2000-01-04", "1990-01-02"),
    ),
    "calendar without dates": (
        with_calendar(lambda x: ["0,yesterday", *x[1:]]),
        "calendar.csv",
        ("not a date", "line 2", "'date'", "'yesterday'"),
    ),
    "calendar out of order": (
        with_calendar(lambda x: [x[1], x[0], *x[2:]]),
        "calendar.csv",
        ("not in ascending order", "line 3", "more than 1,2018-01-03", "0,2018-01-02"),
    ),
    "too much text": (
        words_in_column("train.csv", 7, 12),
        "train.csv",
        ("too many cells", "line 2", "'FX_USDJPY'", "1%", "12 cells, the first 'n/a'"),
    ),
    "a column of text": (
        words_in_column("train.csv", 6, 7),
        "train.csv",
        ("holds no numbers", "'US_Stock_GOLD_adj_close'", "'n/a' and 6 more"),
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "market")


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_folder_is_refused_with_the_place(folder: Path, name: str) -> None:
    check_refused(folder, FAULTS[name])


def test_test_rows_with_other_series_are_refused(folder: Path) -> None:
    change_lines("train.csv", lambda x: x[:-5])(folder)
    change_lines("train_labels.csv", lambda x: x[:-5])(folder)
    edit("test.csv", "FX_USDJPY", "FX_EURUSD")(folder)
    with pytest.raises(SourceError, match=r"test\.csv.*'FX_USDJPY'[\s\S]*with FX_EURUSD"):
        read_everything(folder)
