"""The competition's folder: what it delivers, which cells it passes on, which files it refuses."""

import shutil
from collections.abc import Callable
from datetime import date
from math import log
from pathlib import Path

import numpy as np
import pytest

from quant_assets.errors import SourceError
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import parse_column
from quant_assets.market.targets import align_to_label_day, released_labels
from quant_assets.sources.base import Source, UnreadCell
from quant_assets.sources.competition import CompetitionFolder

ALWAYS = (date(2000, 1, 4), date(2030, 12, 31))
DAYS = 40
SERIES = (
    "LME_CA_Close",
    "JPX_Gold_Rolling-Spot_Futures_Open",
    "JPX_Gold_Rolling-Spot_Futures_Close",
    "US_Stock_CVX_adj_close",
    "US_Stock_CVX_adj_volume",
    "US_Stock_GOLD_adj_close",
    "FX_USDJPY",
)
PAIRS = (
    "US_Stock_CVX_adj_close - LME_CA_Close",
    "FX_USDJPY",
    "JPX_Gold_Rolling-Spot_Futures_Close - FX_USDJPY",
    "LME_CA_Close - JPX_Gold_Rolling-Spot_Futures_Close",
)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    lines = [",".join(header)] + [",".join(map(_text, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def _prices() -> list[dict[str, float | None]]:
    random = np.random.default_rng(7)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.01, (DAYS, len(SERIES))), axis=0))
    rows: list[dict[str, float | None]] = [
        dict(zip(SERIES, [round(float(x), 4) for x in row], strict=True)) for row in closes
    ]
    for i, row in enumerate(rows):
        row["US_Stock_GOLD_adj_close"] = None
        if i in (5, 20):
            row["LME_CA_Close"] = None
    return rows


def _label(prices: list[dict[str, float | None]], row: int, lag: int, pair: str) -> float | None:
    """The competition's formula, read aloud."""
    if row + lag + 1 >= len(prices):
        return None
    result, sign = 0.0, 1
    for leg in pair.split(" - "):
        before, after = prices[row + 1][leg], prices[row + lag + 1][leg]
        if before is None or after is None:
            return None
        result += sign * log(after / before)
        sign = -1
    return result


def _price_rows(prices: list[dict[str, float | None]], first: int, stop: int) -> list[list[object]]:
    return [[i, *prices[i].values()] for i in range(first, stop)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty days of seven series in the competition's format, with four targets."""
    prices = _prices()
    targets = [f"target_{i}" for i in range(len(PAIRS))]
    root = tmp_path / "market"
    _write(root / "train.csv", ["date_id", *SERIES], _price_rows(prices, 0, DAYS))
    scored = [[*row, "True"] for row in _price_rows(prices, DAYS - 10, DAYS)]
    _write(root / "test.csv", ["date_id", *SERIES, "is_scored"], scored)
    pairs = [[name, i + 1, PAIRS[i]] for i, name in enumerate(targets)]
    _write(root / "target_pairs.csv", ["target", "lag", "pair"], pairs)
    labels: list[list[object]] = [
        [day, *(_label(prices, day, i + 1, pair) for i, pair in enumerate(PAIRS))]
        for day in range(DAYS)
    ]
    _write(root / "train_labels.csv", ["date_id", *targets], labels)
    for lag, (target, pair) in enumerate(zip(targets, PAIRS, strict=True), start=1):
        _write(
            root / "lagged_test_labels" / f"test_labels_lag_{lag}.csv",
            ["date_id", target, "label_date_id"],
            [[d + lag + 1, _label(prices, d, lag, pair), d] for d in range(30, DAYS - lag - 1)],
        )
    return root


def _source(folder: Path) -> CompetitionFolder:
    return CompetitionFolder(folder, expected_targets=len(PAIRS))


def _read_everything(folder: Path) -> None:
    source = _source(folder)
    source.prices(*ALWAYS)
    source.pairs()
    source.published_labels(*ALWAYS)


def _edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def _lines(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(change(lines)) + "\n")

    return apply


def _bytes(name: str, content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(content((folder / name).read_bytes()))

    return apply


def _calendar(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        days = trading_days(date(2018, 1, 2), date(2018, 6, 1))[:DAYS]
        lines = [f"{i},{day}" for i, day in enumerate(days)]
        (folder / "calendar.csv").write_text("\n".join(["date_id,date", *change(lines)]) + "\n")

    return apply


def _words_in_column(name: str, column: int, count: int) -> Callable[[Path], None]:
    def change(lines: list[str]) -> list[str]:
        for i in range(1, count + 1):
            fields = lines[i].split(",")
            fields[column] = "n/a"
            lines[i] = ",".join(fields)
        return lines

    return _lines(name, change)


LAG_1 = "lagged_test_labels/test_labels_lag_1.csv"
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
    "empty": (_bytes("train.csv", lambda _: b""), "train.csv", ("empty", "a header and rows")),
    "header only": (
        _lines("train.csv", lambda lines: lines[:1]),
        "train.csv",
        ("no rows", "a header only"),
    ),
    "parquet": (
        _bytes("train.csv", lambda _: b"PAR1\x15\x04\x15\x10"),
        "train.csv",
        ("not CSV", "comma-separated text", "PAR1"),
    ),
    "html": (
        _bytes("train.csv", lambda _: b"<!DOCTYPE html><html><body>Not found</body></html>"),
        "train.csv",
        ("not CSV", "<!DOCTYPE"),
    ),
    "binary": (
        _bytes("test.csv", lambda _: bytes(range(256))),
        "test.csv",
        ("not CSV", "UTF-8"),
    ),
    "binary inside": (
        _bytes("train.csv", lambda raw: raw[:3000] + b"\xff\xfe\x00\x81" * 9 + raw[3000:]),
        "train.csv",
        ("expected:", "found:"),
    ),
    "wrong delimiter": (
        _bytes("train.csv", lambda raw: raw.replace(b",", b";")),
        "train.csv",
        ("wrong delimiter", "line 1", "separated by commas", "';'"),
    ),
    "no date_id": (
        _edit("train.csv", "date_id", "dateid"),
        "train.csv",
        ("date_id column is missing", "'date_id'", "dateid, LME_CA_Close", "did you mean dateid"),
    ),
    "duplicate date_id": (
        _edit("train.csv", "\n7,", "\n6,"),
        "train.csv",
        ("occurs twice", "line 9", "'date_id'", "more than 6", "found: 6"),
    ),
    "unsorted date_id": (
        _lines("train.csv", lambda x: [*x[:9], x[10], x[9], *x[11:]]),
        "train.csv",
        ("not in ascending order", "line 11", "more than 9", "found: 8"),
    ),
    "gap in date_id": (
        _lines("train.csv", lambda x: [*x[:9], *x[10:]]),
        "train.csv",
        ("left out", "line 10", "expected: 8", "found: 9", "calendar.csv"),
    ),
    "text in date_id": (
        _edit("train.csv", "\n7,", "\nseven,"),
        "train.csv",
        ("date_id is not a whole number", "line 9", "'date_id'", "'seven'"),
    ),
    "empty date_id": (
        _edit("train.csv", "\n7,", "\n,"),
        "train.csv",
        ("date_id is not a whole number", "line 9", "''"),
    ),
    "negative date_id": (
        _edit("train.csv", "\n0,", "\n-1,"),
        "train.csv",
        ("date_id is not a whole number", "line 2", "'-1'"),
    ),
    "unknown column": (
        _edit("train.csv", "US_Stock_CVX_adj_close", "US_Stock_CVX_adj_clsoe"),
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
        _edit("train.csv", "FX_USDJPY", "Unnamed: 0"),
        "train.csv",
        ("unknown column", "'Unnamed: 0'", "FX_<pair>"),
    ),
    "unknown currency": (
        _edit("train.csv", "FX_USDJPY", "FX_USDJPY_Close"),
        "train.csv",
        ("unknown column", "'FX_USDJPY_Close'"),
    ),
    "duplicate column": (
        _edit("train.csv", "JPX_Gold_Rolling-Spot_Futures_Open", "FX_USDJPY"),
        "train.csv",
        ("occurs twice", "line 1", "every column once", "'FX_USDJPY' 2 times"),
    ),
    "too few pairs": (
        _lines("target_pairs.csv", lambda x: x[:-1]),
        "target_pairs.csv",
        ("wrong number of targets", "4 rows", "3 rows"),
    ),
    "too many pairs": (
        _lines("target_pairs.csv", lambda x: [*x, "target_4,1,FX_USDJPY"]),
        "target_pairs.csv",
        ("wrong number of targets", "4 rows", "5 rows"),
    ),
    "pairs without header": (
        _lines("target_pairs.csv", lambda x: x[1:]),
        "target_pairs.csv",
        ("wrong columns", "line 1", "target,lag,pair", "target_0,1"),
    ),
    "unknown series in pair": (
        _edit("target_pairs.csv", "LME_CA_Close", "LME_CU_Close"),
        "target_pairs.csv",
        ("unknown series", "line 2", "'pair'", "'LME_CU_Close'", "did you mean LME_CA_Close"),
    ),
    "leg not a close": (
        _edit("target_pairs.csv", "Spot_Futures_Close", "Spot_Futures_Open"),
        "target_pairs.csv",
        ("not a close", "line 4", "'pair'", "'JPX_Gold_Rolling-Spot_Futures_Open'"),
    ),
    "three legs": (
        _edit("target_pairs.csv", ",FX_USDJPY\n", ",FX_USDJPY - FX_USDJPY - FX_USDJPY\n"),
        "target_pairs.csv",
        ("more than two legs", "line 3", "' - '"),
    ),
    "lag 0": (
        _edit("target_pairs.csv", "target_0,1", "target_0,0"),
        "target_pairs.csv",
        ("lag", "line 2", "1 to 4", "'0'"),
    ),
    "lag 5": (
        _edit("target_pairs.csv", "target_3,4", "target_3,5"),
        "target_pairs.csv",
        ("lag", "line 5", "1 to 4", "'5'"),
    ),
    "lag no integer": (
        _edit("target_pairs.csv", "target_1,2", "target_1,2.0"),
        "target_pairs.csv",
        ("lag", "line 3", "1 to 4", "'2.0'"),
    ),
    "duplicate target": (
        _edit("target_pairs.csv", "target_1", "target_0"),
        "target_pairs.csv",
        ("occurs twice", "line 3", "'target'", "expected: target_1", "'target_0'"),
    ),
    "targets out of order": (
        _lines("target_pairs.csv", lambda x: [*x[:2], x[3], x[2], x[4]]),
        "target_pairs.csv",
        ("out of order", "line 3", "expected: target_1", "'target_2'"),
    ),
    "labels too short": (
        _lines("train_labels.csv", lambda x: x[:-3]),
        "train_labels.csv",
        ("rows are not those", "line 39", "40 rows, 37 here", "37 rows"),
    ),
    "labels too long": (
        _lines("train_labels.csv", lambda x: [*x, "40,,,,"]),
        "train.csv",
        ("ends before train_labels.csv", "line 41", "40 in the last row", "found: 39"),
    ),
    "labels of other days": (
        _lines("train_labels.csv", lambda x: [*x[:9], *x[10:]]),
        "train_labels.csv",
        ("rows are not those", "line 10", "40 rows, 8 here", "39 rows, 9 here"),
    ),
    "labels of other targets": (
        _edit("train_labels.csv", "target_2", "target_9"),
        "train_labels.csv",
        ("targets are not those", "line 1", "'target_2' here", "'target_9' here"),
    ),
    "labels lack a target": (
        _lines("train_labels.csv", lambda x: [line.rsplit(",", 1)[0] for line in x]),
        "train_labels.csv",
        ("targets are not those", "4 columns, 'target_3' here", "3 columns"),
    ),
    "text in labels": (
        _lines("train_labels.csv", lambda x: [*x[:4], "3,0.1,none,0.1,0.1", *x[5:]]),
        "train_labels.csv",
        ("not a number", "line 5", "'target_1'", "'none'"),
    ),
    "lagged label of another day": (
        _lines(LAG_1, lambda x: [*x[:3], x[3].rsplit(",", 1)[0] + ",33", *x[4:]]),
        LAG_1,
        ("another day", "line 4", "'label_date_id'", "expected: 32", "found: 33"),
    ),
    "lagged labels of another lag": (
        _edit(LAG_1, "target_0", "target_1"),
        LAG_1,
        ("targets are not those", "'target_0' here", "'target_1' here"),
    ),
    "cut short": (
        _bytes("train.csv", lambda raw: raw[:-25]),
        "train.csv",
        ("cut short", "line 41", "8 fields", "found: 4 fields"),
    ),
    "cut short in the id": (
        _bytes("train.csv", lambda raw: raw[: raw.rindex(b"\n", 0, -1) + 2]),
        "train.csv",
        ("cut short", "line 41", "8 fields", "found: 1 fields"),
    ),
    "cut short at a row": (
        _lines("train.csv", lambda x: x[:-4]),
        "train.csv",
        ("ends before train_labels.csv", "39 in the last row", "found: 35"),
    ),
    "row too short": (
        _lines("train.csv", lambda x: [*x[:11], x[11].rsplit(",", 1)[0], *x[12:]]),
        "train.csv",
        ("another number of fields", "line 12", "8 fields", "7 fields"),
    ),
    "row too long": (
        _lines("train.csv", lambda x: [*x[:11], x[11] + ",1.5", *x[12:]]),
        "train.csv",
        ("another number of fields", "line 12", "8 fields", "9 fields, the last '1.5'"),
    ),
    "stray quote": (
        _lines("train.csv", lambda x: [*x[:11], x[11].replace(",", ',"', 1), *x[12:]]),
        "train.csv",
        ("expected:", "found:"),
    ),
    "far outside the calendar": (
        _lines("train.csv", lambda x: [x[0], "99999999" + x[1][1:]]),
        "train.csv",
        ("outside the trading calendar", "2018-01-02", "99999999"),
    ),
    "calendar lacks an id": (
        _calendar(lambda x: [*x[:12], *x[13:]]),
        "calendar.csv",
        ("date_id of train.csv has no date", "a row for 12", "39 rows"),
    ),
    "calendar on a Sunday": (
        _calendar(lambda x: ["0,2017-12-31", *x[1:]]),
        "calendar.csv",
        ("no trading day", "line 2", "'date'", "2017-12-31"),
    ),
    "calendar of 1990": (
        _calendar(lambda x: ["0,1990-01-02", *x[1:]]),
        "calendar.csv",
        ("outside the trading calendar", "2000-01-04", "1990-01-02"),
    ),
    "calendar without dates": (
        _calendar(lambda x: ["0,yesterday", *x[1:]]),
        "calendar.csv",
        ("not a date", "line 2", "'date'", "'yesterday'"),
    ),
    "calendar out of order": (
        _calendar(lambda x: [x[1], x[0], *x[2:]]),
        "calendar.csv",
        ("not in ascending order", "line 3", "more than 1,2018-01-03", "0,2018-01-02"),
    ),
    "too much text": (
        _words_in_column("train.csv", 7, 12),
        "train.csv",
        ("too many cells", "line 2", "'FX_USDJPY'", "1%", "12 cells, the first 'n/a'"),
    ),
    "a column of text": (
        _words_in_column("train.csv", 6, 7),
        "train.csv",
        ("holds no numbers", "'US_Stock_GOLD_adj_close'", "'n/a' and 6 more"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_folder_is_refused_with_the_place(folder: Path, name: str) -> None:
    break_it, file, words = FAULTS[name]
    _read_everything(folder)
    break_it(folder)
    with pytest.raises(SourceError) as caught:
        _read_everything(folder)
    message = str(caught.value)
    for word in (str(folder / file), "expected: ", "found: ", "hint: ", *words):
        assert word in message, message


def test_test_rows_with_other_series_are_refused(folder: Path) -> None:
    _lines("train.csv", lambda x: x[:-5])(folder)
    _lines("train_labels.csv", lambda x: x[:-5])(folder)
    _edit("test.csv", "FX_USDJPY", "FX_EURUSD")(folder)
    with pytest.raises(SourceError, match=r"test\.csv.*'FX_USDJPY'[\s\S]*with 'FX_EURUSD'"):
        _read_everything(folder)


def test_prices_are_delivered_as_given(folder: Path) -> None:
    table = _source(folder).prices(*ALWAYS)
    given = [[np.nan if x is None else x for x in row.values()] for row in _prices()]
    np.testing.assert_array_equal(table.values, given)
    assert table.columns == SERIES
    assert table.date_ids.tolist() == list(range(DAYS))
    assert table.unread == []
    np.testing.assert_array_equal(table.days, trading_days(date(2018, 1, 2), date(2018, 2, 26)))


def test_it_is_a_source_and_knows_its_days_without_reading_prices(folder: Path) -> None:
    source: Source = _source(folder)
    (folder / "target_pairs.csv").unlink()
    _edit("train.csv", "\n7,", "\nx,")(folder)
    assert (source.first_day, source.last_day) == (date(2018, 1, 2), date(2018, 2, 26))
    assert source.best_forecast(*ALWAYS) is None


def test_a_range_of_days(folder: Path) -> None:
    _edit("train.csv", "\n7,", "\n7,broken")(folder)
    table = _source(folder).prices(date(2018, 1, 10), date(2018, 1, 13))
    assert table.date_ids.tolist() == [6, 7, 8]
    assert [(cell.row, cell.column) for cell in table.unread] == [(1, "LME_CA_Close")]
    assert len(_source(folder).prices(date(2020, 1, 1), date(2020, 2, 1)).days) == 0


def test_bad_cells_are_passed_on(folder: Path) -> None:
    def spoil(lines: list[str]) -> list[str]:
        lines[3] = "2,1_000,inf,-5,0,-1,,NaN"
        return lines

    _lines("train.csv", spoil)(folder)
    table = _source(folder).prices(*ALWAYS)
    assert list(table.unread) == [UnreadCell(2, "LME_CA_Close", "1_000")]
    np.testing.assert_array_equal(table.values[2], [np.nan, np.inf, -5, 0, -1, np.nan, np.nan])


def test_one_bad_cell_does_not_refuse_a_file_of_one_day(folder: Path) -> None:
    (folder / "train_labels.csv").unlink()
    _lines("test.csv", lambda x: [x[0], f"{DAYS},1,2,3,4,five,,6,True"])(folder)
    table = _source(folder).prices(*ALWAYS)
    assert list(table.unread) == [UnreadCell(DAYS, "US_Stock_CVX_adj_volume", "five")]


@pytest.mark.parametrize("first", [DAYS - 10, DAYS - 5])
def test_later_rows_of_test_csv_are_loaded_once(folder: Path, first: int) -> None:
    whole = _source(folder).prices(*ALWAYS)
    _lines("train.csv", lambda x: x[: first + 1])(folder)
    _lines("train_labels.csv", lambda x: x[: first + 1])(folder)
    source = _source(folder)
    joined = source.prices(*ALWAYS)
    np.testing.assert_array_equal(joined.values, whole.values)
    np.testing.assert_array_equal(joined.days, whole.days)
    assert source.last_day == date(2018, 2, 26)


def test_lagged_labels_continue_the_training_labels(folder: Path) -> None:
    whole = _source(folder).published_labels(*ALWAYS)
    _lines("train.csv", lambda x: x[: DAYS - 9])(folder)
    _lines("train_labels.csv", lambda x: x[: DAYS - 9])(folder)
    assert whole is not None
    np.testing.assert_array_equal(_source(folder).published_labels(*ALWAYS), whole)


def test_without_label_files_there_are_no_labels(folder: Path) -> None:
    (folder / "train_labels.csv").unlink()
    shutil.rmtree(folder / "lagged_test_labels")
    assert _source(folder).published_labels(*ALWAYS) is None


def test_closes_alone_and_columns_in_any_order_will_do(folder: Path) -> None:
    closes = ["FX_USDJPY", *(c for c in SERIES if parse_column(c).field == "close")][:-1]
    rows: list[list[object]] = [[*(row[c] for c in closes), i] for i, row in enumerate(_prices())]
    _write(folder / "train.csv", [*closes, "date_id"], rows)
    source = _source(folder)
    assert source.prices(*ALWAYS).columns == tuple(closes)
    assert source.first_day == date(2018, 1, 2)
    assert len(source.pairs()) == len(PAIRS)


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_windows_and_excel_text_is_read(folder: Path, ending: bytes) -> None:
    whole = _source(folder).prices(*ALWAYS)
    path = folder / "train.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", ending).rstrip())
    np.testing.assert_array_equal(_source(folder).prices(*ALWAYS).values, whole.values)
    assert _source(folder).last_day == date(2018, 2, 26)


def test_calendar_dates_the_rows_and_allows_gaps(folder: Path) -> None:
    _calendar(lambda x: x[10:])(folder)
    for name in ("train.csv", "train_labels.csv"):
        _lines(name, lambda x: [x[0], *x[11:15], *x[16:]])(folder)
    source = _source(folder)
    table = source.prices(*ALWAYS)
    assert table.date_ids.tolist() == [10, 11, 12, 13, *range(15, DAYS)]
    assert (source.first_day, source.last_day) == (date(2018, 1, 16), date(2018, 2, 26))
    assert date(2018, 1, 22) not in table.days.tolist()


def test_start_must_be_a_trading_day(folder: Path) -> None:
    with pytest.raises(SourceError, match="2018-01-06, a trading day"):
        CompetitionFolder(folder, start=date(2018, 1, 6)).prices(*ALWAYS)


def test_fingerprint_changes_with_every_file_and_with_nothing_else(folder: Path) -> None:
    seen = {_source(folder).fingerprint()}
    assert _source(folder).fingerprint() in seen
    (folder / "notes.txt").write_text("not used")
    assert _source(folder).fingerprint() in seen
    for name in ("train.csv", "test.csv", "train_labels.csv", "target_pairs.csv", LAG_1):
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
        seen.add(_source(folder).fingerprint())
    _calendar(lambda x: x)(folder)
    seen.add(_source(folder).fingerprint())
    assert len(seen) == 7


def test_the_real_folder_loads_and_its_labels_follow_the_formula(real_market: Path) -> None:
    source = CompetitionFolder(real_market)
    table, pairs = source.prices(*ALWAYS), source.pairs()
    published = source.published_labels(*ALWAYS)
    assert table.values.shape == (2038, 557)
    assert published is not None and published.shape == (2038, 424)
    closes = [i for i, name in enumerate(table.columns) if parse_column(name).field == "close"]
    instruments = [parse_column(table.columns[i]).instrument for i in closes]
    released = released_labels(table.values[:, closes], pairs, instruments)
    computed = align_to_label_day(released, pairs.lags)
    np.testing.assert_allclose(computed, published, rtol=0, atol=2e-6, equal_nan=True)
    assert (source.first_day, source.last_day) == (date(2010, 1, 4), date(2017, 11, 10))
