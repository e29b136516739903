"""Which folders in the competition's format are refused, and that the message names the place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from quant_assets.errors import SourceError
from quant_assets_tests.sources.competition_market import (
    LAG_1,
    change_bytes,
    change_lines,
    edit,
    make_folder,
    read_everything,
    with_calendar,
    words_in_column,
)

# name: (what is done to the folder, file, what the message must say)
FAULTS: dict[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
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
        change_bytes("train.csv", lambda raw: raw[:3000] + b"\xff\xfe\x00\x81" * 9 + raw[3000:]),
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
    "too few pairs": (
        change_lines("target_pairs.csv", lambda x: x[:-1]),
        "target_pairs.csv",
        ("wrong number of targets", "4 rows", "3 rows"),
    ),
    "too many pairs": (
        change_lines("target_pairs.csv", lambda x: [*x, "target_4,1,FX_USDJPY"]),
        "target_pairs.csv",
        ("wrong number of targets", "4 rows", "5 rows"),
    ),
    "pairs without header": (
        change_lines("target_pairs.csv", lambda x: x[1:]),
        "target_pairs.csv",
        ("wrong columns", "line 1", "target,lag,pair", "target_0,1"),
    ),
    "unknown series in pair": (
        edit("target_pairs.csv", "LME_CA_Close", "LME_CU_Close"),
        "target_pairs.csv",
        ("unknown series", "line 2", "'pair'", "'LME_CU_Close'", "did you mean LME_CA_Close"),
    ),
    "leg not a close": (
        edit("target_pairs.csv", "Spot_Futures_Close", "Spot_Futures_Open"),
        "target_pairs.csv",
        ("not a close", "line 4", "'pair'", "'JPX_Gold_Rolling-Spot_Futures_Open'"),
    ),
    "three legs": (
        edit("target_pairs.csv", ",FX_USDJPY\n", ",FX_USDJPY - FX_USDJPY - FX_USDJPY\n"),
        "target_pairs.csv",
        ("more than two legs", "line 3", "' - '"),
    ),
    "lag 0": (
        edit("target_pairs.csv", "target_0,1", "target_0,0"),
        "target_pairs.csv",
        ("lag", "line 2", "1 to 4", "'0'"),
    ),
    "lag 5": (
        edit("target_pairs.csv", "target_3,4", "target_3,5"),
        "target_pairs.csv",
        ("lag", "line 5", "1 to 4", "'5'"),
    ),
    "lag no integer": (
        edit("target_pairs.csv", "target_1,2", "target_1,2.0"),
        "target_pairs.csv",
        ("lag", "line 3", "1 to 4", "'2.0'"),
    ),
    "duplicate target": (
        edit("target_pairs.csv", "target_1", "target_0"),
        "target_pairs.csv",
        ("occurs twice", "line 3", "'target'", "expected: target_1", "'target_0'"),
    ),
    "targets out of order": (
        change_lines("target_pairs.csv", lambda x: [*x[:2], x[3], x[2], x[4]]),
        "target_pairs.csv",
        ("out of order", "line 3", "expected: target_1", "'target_2'"),
    ),
    "labels too short": (
        change_lines("train_labels.csv", lambda x: x[:-3]),
        "train_labels.csv",
        ("rows are not those", "line 39", "40 rows, 37 here", "37 rows"),
    ),
    "labels too long": (
        change_lines("train_labels.csv", lambda x: [*x, "40,,,,"]),
        "train.csv",
        ("ends before train_labels.csv", "line 41", "40 in the last row", "found: 39"),
    ),
    "labels of other days": (
        change_lines("train_labels.csv", lambda x: [*x[:9], *x[10:]]),
        "train_labels.csv",
        ("rows are not those", "line 10", "40 rows, 8 here", "39 rows, 9 here"),
    ),
    "labels of other targets": (
        edit("train_labels.csv", "target_2", "target_9"),
        "train_labels.csv",
        ("targets are not those", "line 1", "'target_2' here", "'target_9' here"),
    ),
    "labels lack a target": (
        change_lines("train_labels.csv", lambda x: [line.rsplit(",", 1)[0] for line in x]),
        "train_labels.csv",
        ("targets are not those", "4 columns, 'target_3' here", "3 columns"),
    ),
    "text in labels": (
        change_lines("train_labels.csv", lambda x: [*x[:4], "3,0.1,none,0.1,0.1", *x[5:]]),
        "train_labels.csv",
        ("not a number", "line 5", "'target_1'", "'none'"),
    ),
    "lagged label of another day": (
        change_lines(LAG_1, lambda x: [*x[:3], x[3].rsplit(",", 1)[0] + ",33", *x[4:]]),
        LAG_1,
        ("another day", "line 4", "'label_date_id'", "expected: 32", "found: 33"),
    ),
    "lagged labels of another lag": (
        edit(LAG_1, "target_0", "target_1"),
        LAG_1,
        ("targets are not those", "'target_0' here", "'target_1' here"),
    ),
    "cut short": (
        change_bytes("train.csv", lambda raw: raw[:-25]),
        "train.csv",
        ("cut short", "line 41", "8 fields", "found: 4 fields"),
    ),
    "cut short in the id": (
        change_bytes("train.csv", lambda raw: raw[: raw.rindex(b"\n", 0, -1) + 2]),
        "train.csv",
        ("cut short", "line 41", "8 fields", "found: 1 fields"),
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
    break_it, file, words = FAULTS[name]
    read_everything(folder)
    break_it(folder)
    with pytest.raises(SourceError) as caught:
        read_everything(folder)
    message = str(caught.value)
    for word in (str(folder / file), "expected: ", "found: ", "hint: ", *words):
        assert word in message, message


def test_test_rows_with_other_series_are_refused(folder: Path) -> None:
    change_lines("train.csv", lambda x: x[:-5])(folder)
    change_lines("train_labels.csv", lambda x: x[:-5])(folder)
    edit("test.csv", "FX_USDJPY", "FX_EURUSD")(folder)
    with pytest.raises(SourceError, match=r"test\.csv.*'FX_USDJPY'[\s\S]*with 'FX_EURUSD'"):
        read_everything(folder)
