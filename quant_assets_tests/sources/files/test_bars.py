"""Bars in files: how they are written, to which day they belong, and which are refused."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from quant_assets.core.errors import MarketError, SourceError
from quant_assets.core.settings import Settings
from quant_assets.sources.deliveries import BarTable
from quant_assets.sources.protocol import DeliversBars
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.described_folder import (
    LISTED,
    open_folder,
    write_csv,
    write_rows,
)

HEADER = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
NEW_YORK = LISTED.replace("days: data", "exchanges: [XNYS]")
TOKYO = LISTED.replace("days: data", "exchanges: [XTKS]")
OPTIONS = "{folder: prices, bars: {folder: bars, zone: America/New_York}}"
# The clock changes on Sunday 10 March and Sunday 3 November 2024; 29 November closes at 13:00.
MARCH = ("2024-03-08", "2024-03-11")
NOVEMBER = ("2024-11-01", "2024-11-04")
PAGE = Path(__file__).parents[3] / "docs" / "market.md"
PRICES = [
    ("date", "symbol", *("open", "high", "low", "close", "volume")),
    *(("2024-03-08", symbol, 1, 1, 1, 1, 1) for symbol in ("XOM", "CVX")),
]
Row = tuple[object, ...]


def bar(symbol: str, time: str, base: float = 10.0) -> Row:
    return (symbol, time, base, base + 1, base - 1, base + 0.5, 100)


def write_market(
    root: Path, rows: Sequence[Row], days: Sequence[str] = MARCH, name: str = "b.csv"
) -> None:
    prices = [(day, symbol, 10, 1) for day in days for symbol in "AB"]
    write_csv(root / "prices" / "p.csv", [("date", "symbol", "close", "volume"), *prices])
    write_rows(root / "bars" / name, [HEADER, *rows])


def read(
    root: Path,
    days: Sequence[str] = MARCH,
    *,
    description: str = NEW_YORK,
    options: str = OPTIONS,
) -> BarTable:
    source = open_folder(root, description, options)
    assert isinstance(source, DeliversBars)
    return source.bars(date.fromisoformat(days[0]), date.fromisoformat(days[-1]))


def with_options(text: str) -> str:
    return OPTIONS.replace("York}", f"York, {text}}}")


def starts_of(table: BarTable) -> list[str]:
    return [str(start) for start in table.starts]


@pytest.mark.parametrize(
    ("days", "hours"), [(MARCH, ("14:30", "13:30")), (NOVEMBER, ("13:30", "14:30"))]
)
@pytest.mark.parametrize("form", ["{} 09:30", "{}T09:30:00", "{} 09:30:00.000"])
def test_local_times_follow_the_clock(
    days: tuple[str, str], hours: tuple[str, str], form: str, tmp_path: Path
) -> None:
    write_market(tmp_path, [bar("A", form.format(day)) for day in days], days)
    table = read(tmp_path, days)
    assert starts_of(table) == [f"{d}T{h}:00" for d, h in zip(days, hours, strict=True)]
    assert table.days.astype(str).tolist() == list(days)


@pytest.mark.parametrize(
    "texts",
    [
        ("2024-03-08T09:30:00-05:00", "2024-03-11T09:30:00-04:00"),
        ("2024-03-08 14:30:00Z", "2024-03-11 13:30:00Z"),
        ("2024-03-08 14:30 UTC", "2024-03-11 13:30 UTC"),
        ("2024-03-08 14:30:00+0000", "2024-03-11 13:30+00"),
    ],
)
def test_offsets_say_the_moment(texts: tuple[str, str], tmp_path: Path) -> None:
    write_market(tmp_path, [bar("A", text) for text in texts])
    assert starts_of(read(tmp_path)) == ["2024-03-08T14:30:00", "2024-03-11T13:30:00"]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_parquet_holds_times(zone: str | None, tmp_path: Path) -> None:
    write_market(tmp_path, [])
    local, utc = ["2024-03-08T09:30", "2024-03-11T15:45"], ["2024-03-08T14:30", "2024-03-11T19:45"]
    times = pa.array(np.array(utc if zone else local, dtype="datetime64[us]"))
    columns = {
        "symbol": pa.array(["A", "B"]).dictionary_encode(),
        "timestamp": times.cast(pa.timestamp("us", tz=zone)) if zone else times,
        **{name: pa.array([2.0, 4.0]) for name in HEADER[2:]},
    }
    (tmp_path / "bars" / "b.csv").unlink()
    parquet.write_table(pa.table(columns), tmp_path / "bars" / "b.parquet")
    table = read(tmp_path)
    assert starts_of(table) == ["2024-03-08T14:30:00", "2024-03-11T19:45:00"]
    assert table.instrument.tolist() == [0, 1]
    assert table.fields["volume"].tolist() == [2.0, 4.0]


@pytest.mark.parametrize("name", ["b.csv", "b.csv.gz", "b.parquet"])
def test_each_kind_of_file_gives_equal_bars(name: str, tmp_path: Path) -> None:
    rows = [bar(s, f"2024-03-08 {t}", i) for i, t in enumerate(("09:30", "15:45"), 2) for s in "AB"]
    write_market(tmp_path, rows, name=name)
    table = read(tmp_path)
    assert table.instruments == ("A", "B")
    assert table.instrument.tolist() == [0, 0, 1, 1]
    assert table.fields["close"].tolist() == [2.5, 3.5, 2.5, 3.5]
    assert table.fields["high"].tolist() == [3, 4, 3, 4]


def test_names_of_columns_may_be_said(tmp_path: Path) -> None:
    write_market(tmp_path, [])
    header = ("T", "When", "open", "high", "low", "Last", "volume")
    write_csv(tmp_path / "bars" / "b.csv", [header, bar("A", "2024-03-08 09:30")])
    options = with_options("columns: {symbol: T, timestamp: When, close: Last}")
    assert read(tmp_path, options=options).fields["close"].tolist() == [10.5]
    with pytest.raises(MarketError, match="lacks a column"):
        read(tmp_path, options=options.replace("Last", "Lost"))
    with pytest.raises(SourceError, match="a bar file lacks a column"):
        read(tmp_path)


def test_volume_may_be_absent_and_cells_empty(tmp_path: Path) -> None:
    write_market(tmp_path, [])
    rows = [HEADER[:-1], ("A", "2024-03-08 09:30", 1, "", 3, 4)]
    write_csv(tmp_path / "bars" / "b.csv", rows)
    fields = read(tmp_path).fields
    assert np.isnan([fields["high"][0], fields["volume"][0]]).all()
    assert fields["low"].tolist() == [3]


def test_a_timestamp_may_be_the_end_of_its_bar(tmp_path: Path) -> None:
    write_market(tmp_path, [bar("A", "2024-03-08 09:45"), bar("A", "2024-03-08 16:00")])
    table = read(tmp_path, options=with_options("stamped: end"))
    assert starts_of(table) == ["2024-03-08T14:30:00", "2024-03-08T20:45:00"]
    with pytest.raises(SourceError, match="outside of every session"):
        read(tmp_path)


def test_a_bar_that_ends_at_midnight_belongs_to_the_day_before(tmp_path: Path) -> None:
    write_market(tmp_path, [bar("A", "2024-03-09 00:00")])
    options = with_options("stamped: end")
    table = read(tmp_path, MARCH[:1], description=LISTED, options=options)
    assert table.days.astype(str).tolist() == ["2024-03-08"]


def test_days_are_those_of_the_zone(tmp_path: Path) -> None:
    days = ("2024-03-07", "2024-03-08")
    rows = [bar("A", "2024-03-08T00:00:00Z"), bar("A", "2024-03-08T03:30:00Z")]
    write_market(tmp_path, rows, days)
    options = OPTIONS.replace("America/New_York", "Asia/Tokyo")
    table = read(tmp_path, days, description=TOKYO, options=options)
    assert table.days.astype(str).tolist() == ["2024-03-08"] * 2
    write_market(tmp_path, [bar("A", "2024-03-08T02:45:00Z")], days)
    with pytest.raises(SourceError, match="outside of every session"):
        read(tmp_path, days, description=TOKYO, options=options)


def test_one_day_at_a_time_gives_the_bars_of_all_days(tmp_path: Path) -> None:
    times = ("09:30", "11:15", "15:45")
    write_market(tmp_path, [bar("A", f"{day} {time}") for day in MARCH for time in times])
    together = read(tmp_path)
    apart = [read(tmp_path, (day, day)) for day in MARCH]
    assert starts_of(together) == [start for table in apart for start in starts_of(table)]
    assert len(read(tmp_path, ("2024-03-09", "2024-03-10")).starts) == 0


def test_equal_bars_count_once(tmp_path: Path) -> None:
    rows = [bar("A", "2024-03-08 09:30"), bar("A", "2024-03-08T09:30:00")]
    write_market(tmp_path, rows)
    write_rows(tmp_path / "bars" / "c.csv", [HEADER, *rows])
    assert len(read(tmp_path).starts) == 1


REFUSED: dict[str, tuple[list[Row], tuple[str, ...]]] = {
    "before the session": ([bar("A", "2024-03-08 09:15")], ("outside of every session", "row 2")),
    "after the session": ([bar("B", "2024-03-11 16:00")], ("outside of every session", "'B'")),
    "off the grid": ([bar("A", "2024-03-08 09:37")], ("grid of minutes", "every 15 minutes")),
    "seconds": ([bar("A", "2024-03-08 09:30:01")], ("grid of minutes", "09:30:01")),
    "holiday": ([bar("A", "2024-03-09 09:30")], ("no trading day", "2024-03-09")),
    "no symbol": ([bar("", "2024-03-08 10:00")], ("not described", "no symbol", "row 2")),
    "symbol": ([bar("C", "2024-03-08 09:30")], ("symbol of a bar is not described", "'C'")),
    "zones": ([bar("A", "2024-03-08 14:45Z")], ("different time zones", "14:45Z")),
    "text": ([bar("A", "08/03/2024 09:30")], ("cannot be read", "08/03/2024 09:30", "row 2")),
    "hour": ([bar("A", "2024-03-08 25:30")], ("cannot be read", "25:30")),
    "no time": ([bar("A", "")], ("cannot be read", "an empty cell")),
    "differs": (
        [bar("A", "2024-03-08 10:00", 11)],
        ("two bars of one symbol and time differ", "open 10.0 and 11.0", "row 1", "row 2"),
    ),
    "differs as text": (
        [bar("A", "2024-03-08T10:00:00", 11)],
        ("two bars of one symbol and time differ", "row 1 after", "row 2 after"),
    ),
    "number": (
        [("A", "2024-03-08 11:00", 1, 1, "n/a", 1, 1)],
        ("a cell of a bar is no number", "'n/a'", "low"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bars_that_do_not_fit_are_refused(case: str, tmp_path: Path) -> None:
    rows, words = REFUSED[case]
    write_market(tmp_path, [bar("A", "2024-03-08 10:00"), *rows])
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    message = str(caught.value)
    for word in (*words, "b.csv", "row", "expected", "found"):
        assert word in message, message


@pytest.mark.parametrize("case", ["before the session", "after the session", "holiday", "symbol"])
def test_bars_that_fit_nowhere_may_be_left_out(case: str, tmp_path: Path) -> None:
    write_market(tmp_path, [bar("A", "2024-03-08 10:00"), *REFUSED[case][0]])
    table = read(tmp_path, options=with_options("other_bars: skip"))
    assert starts_of(table) == ["2024-03-08T15:00:00"]


@pytest.mark.parametrize("case", ["off the grid", "zones", "text", "differs", "number"])
def test_bars_that_are_wrong_are_refused_even_then(case: str, tmp_path: Path) -> None:
    write_market(tmp_path, [bar("A", "2024-03-08 10:00"), *REFUSED[case][0]])
    with pytest.raises(SourceError):
        read(tmp_path, options=with_options("other_bars: skip"))


def test_nothing_is_traded_after_an_early_close(tmp_path: Path) -> None:
    days = ("2024-11-29",)
    write_market(tmp_path, [bar("A", "2024-11-29 12:45")], days)
    assert len(read(tmp_path, days).starts) == 1
    write_market(tmp_path, [bar("A", "2024-11-29 13:00")], days)
    with pytest.raises(SourceError, match="outside of every session"):
        read(tmp_path, days)


@pytest.mark.parametrize(
    ("time", "problem"),
    [("2024-11-03 01:30", "occurs twice"), ("2024-03-10 02:30", "does not exist")],
)
def test_a_time_that_is_no_single_moment_is_refused(
    time: str, problem: str, tmp_path: Path
) -> None:
    day = time[:10]
    write_market(tmp_path, [bar("A", time)], (day,))
    with pytest.raises(SourceError, match=problem):
        read(tmp_path, (day,), description=LISTED)
    write_market(tmp_path, [bar("A", f"{time}-04:00")], (day,))
    assert len(read(tmp_path, (day,), description=LISTED).starts) == 1


def test_days_of_the_data_have_a_grid_too(tmp_path: Path) -> None:
    write_market(tmp_path, [bar("A", "2024-03-08 23:45")])
    assert len(read(tmp_path, description=LISTED).starts) == 1
    write_market(tmp_path, [bar("A", "2024-03-08 23:50")])
    with pytest.raises(SourceError, match="grid of minutes"):
        read(tmp_path, description=LISTED)
    write_market(tmp_path, [bar("A", "2024-03-10 10:00")])
    with pytest.raises(SourceError, match="no trading day"):
        read(tmp_path, description=LISTED)


@pytest.mark.parametrize("minutes", [5, 30])
def test_bars_may_have_other_lengths(minutes: int, tmp_path: Path) -> None:
    first, last = np.datetime64("2024-03-08T09:30"), np.datetime64("2024-03-08T16:00")
    times = np.arange(first, last, np.timedelta64(minutes, "m"))
    write_market(tmp_path, [bar("A", str(time)) for time in times])
    table = read(tmp_path, options=with_options(f"minutes: {minutes}"))
    assert len(table.starts) == len(times)


def test_new_bars_are_noticed(tmp_path: Path) -> None:
    write_market(tmp_path, [bar("A", "2024-03-08 10:00")])
    source = open_folder(tmp_path, NEW_YORK, OPTIONS)
    states = {(source.look(), source.fingerprint())}
    write_rows(tmp_path / "bars" / "c.csv", [HEADER, bar("A", "2024-03-08 10:15")])
    states.add((source.look(), source.fingerprint()))
    (tmp_path / "bars" / "c.csv").unlink()
    states.add((source.look(), source.fingerprint()))
    assert len({look for look, _ in states}) == len({print_ for _, print_ in states}) == 2
    others = ("stamped: end", "minutes: 5", "other_bars: skip")
    prints = {open_folder(tmp_path, NEW_YORK, with_options(o)).fingerprint() for o in others}
    assert len(prints | {source.fingerprint()}) == 4


def test_the_example_of_the_page_is_read(tmp_path: Path) -> None:
    page = PAGE.read_text()
    match = re.search(r"```yaml\n(name: bars\n.*?)```.*?```text\n(.*?)```", page, re.DOTALL)
    assert match
    description, rows = match.groups()
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "bars.csv").write_text(rows)
    write_csv(tmp_path / "prices" / "p.csv", PRICES)
    (tmp_path / "market.yaml").write_text(description)
    source = open_source(Settings(data_dir=tmp_path, source=str(tmp_path / "market.yaml")))
    assert isinstance(source, DeliversBars)
    table = source.bars(date(2024, 3, 8), date(2024, 3, 8))
    assert starts_of(table) == ["2024-03-08T14:30:00", "2024-03-08T14:45:00"]
    assert table.fields["close"].tolist() == [108.3, 108.4]


def test_without_bars_the_source_delivers_none(tmp_path: Path) -> None:
    write_market(tmp_path, [])
    assert not isinstance(open_folder(tmp_path, NEW_YORK, "{folder: prices}"), DeliversBars)


def test_a_folder_without_bars_is_refused_by_the_read_only(tmp_path: Path) -> None:
    write_market(tmp_path, [])
    (tmp_path / "bars" / "b.csv").unlink()
    source = open_folder(tmp_path, NEW_YORK, OPTIONS)
    assert source.look()
    assert str(source.last_day) == MARCH[-1]
    with pytest.raises(SourceError):
        read(tmp_path)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("{folder: prices, bars: {folder: bars}}", "a key is missing"),
        ("{folder: prices, bars: {zone: UTC}}", "a key is missing"),
        (OPTIONS.replace("New_York", "NewYork"), "unknown time zone"),
        (with_options("minutes: 7"), "no multiple"),
        (with_options("stamped: middle"), "place of a timestamp"),
        (with_options("interval: 15"), "unknown key"),
        (with_options("columns: {open: X, close: X}"), "two meanings"),
        (with_options("columns: {date: X}"), "unknown key"),
    ],
)
def test_wrong_options_are_refused(options: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(MarketError, match=problem):
        open_folder(tmp_path, NEW_YORK, options)


def test_bars_follow_the_symbol_of_the_day(tmp_path: Path) -> None:
    first, second = MARCH
    rows = [
        bar(name, f"{day} 09:30", base)
        for day, base in zip(MARCH, (5, 7), strict=True)
        for name in "BC"
    ]
    write_market(tmp_path, [*rows, bar("A", f"{second} 09:30")])
    renamed = f"{{name: A, renamed: {{C: {second}}}}}"
    table = read(tmp_path, description=NEW_YORK.replace("A,", f"{renamed},"))
    assert table.instruments == ("A", "B")
    assert table.instrument.tolist() == [0, 1, 0, 1]
    assert table.fields["open"].tolist() == [5, 5, 10, 7]
    assert table.days.astype(str).tolist() == [first, first, second, second]
