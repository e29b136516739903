"""Days of price files: how they are written, which are trading days, and which have come."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from quant_assets.core.errors import MarketError, SourceError
from quant_assets_tests.support.described_folder import (
    LISTED,
    market_rows,
    open_folder,
    read_all,
    write_csv,
    write_layout,
    write_parquet,
)

HEADER = ("date", "symbol", "close", "volume")
DAYS = ("2020-01-02", "2020-01-03", "2020-01-06")
LONDON = LISTED.replace("days: data", "exchanges: [XLON]")


def rows_of(days: tuple[object, ...]) -> list[tuple[object, ...]]:
    return [(day, name, i, 1) for i, day in enumerate(days, start=1) for name in "AB"]


@pytest.mark.parametrize(
    "days",
    [
        ("20200102", "20200103", "20200106"),
        ("2020-01-02 00:00:00", "2020-01-03 00:00", "2020-01-06T00:00:00.000000"),
        ("2020-01-02T00:00:00Z", "2020-01-03 00:00:00+00:00", "2020-01-06 00:00:00 +0000"),
        ("2020-01-02 00:00:00-05:00", "2020-01-03 00:00:00-05:00", "2020-01-06 00:00:00-04:00"),
        ("2020-01-02", " 2020-01-03", "20200106 "),
    ],
)
def test_days_are_read_from_text(days: tuple[str, ...], tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [HEADER, *rows_of(days)])
    write_parquet(tmp_path / "q" / "p.parquet", [HEADER, *rows_of(days)])
    for folder in (tmp_path, tmp_path / "q"):
        table = read_all(open_folder(folder))
        np.testing.assert_array_equal(table.days, np.array(DAYS, dtype="datetime64[D]"))
        np.testing.assert_array_equal(table.values[:, 0], [1, 2, 3])


@pytest.mark.parametrize(
    "kind",
    [
        pa.date32(),
        pa.date64(),
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.timestamp("us", "UTC"),
        pa.int64(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    ids=str,
)
def test_days_are_read_from_every_type(kind: pa.DataType, tmp_path: Path) -> None:
    given: list[object] = [date.fromisoformat(day) for day in DAYS]
    if kind == pa.int64():
        given = [int(day.replace("-", "")) for day in DAYS]
    if pa.types.is_dictionary(kind):
        given = list(DAYS)
    write_parquet(tmp_path / "p.parquet", [HEADER, *rows_of(tuple(given))], kind)
    source = open_folder(tmp_path)
    table = read_all(source)
    np.testing.assert_array_equal(table.days, np.array(DAYS, dtype="datetime64[D]"))
    day = date(2020, 1, 3)
    np.testing.assert_array_equal(source.prices(day, day).values, [[2, 1, 2, 1]])


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (("2020-01-02", "02.01.2020"), ("a date cannot be read", "'02.01.2020'", "p.csv")),
        (("2020-01-02", "2020-02-30"), ("a date cannot be read", "'2020-02-30'")),
        (("2020-01-02", None), ("a row has no date", "p.csv", "2 rows")),
        (("2020-01-02 16:00:00", "2020-01-03 16:00:00"), ("not midnight", "16:00:00", "p.csv")),
        (
            ("2020-01-02 00:00:00+00:00", "2020-01-03 00:00:00-05:00"),
            ("different time zones", "-05:00", "without a time"),
        ),
        (("2020-01-02 00:00:00", "2020-01-03 00:00:00Z"), ("different time zones",)),
    ],
)
def test_days_that_cannot_be_read_are_refused(
    days: tuple[object, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    write_csv(tmp_path / "p.csv", [HEADER, *rows_of(days)])
    source = open_folder(tmp_path)
    for read in (source.waiting, lambda: source.first_day, lambda: read_all(source)):
        with pytest.raises(SourceError) as caught:
            read()
        for word in words:
            assert word in str(caught.value)


def test_a_time_in_a_zone_is_no_day(tmp_path: Path) -> None:
    days = (pa.scalar(0, pa.timestamp("s")).as_py(),)
    write_parquet(tmp_path / "p.parquet", [HEADER, *rows_of(days)], pa.timestamp("us", "UTC"))
    assert open_folder(tmp_path).first_day == date(1970, 1, 1)
    days = (pa.scalar(5 * 3600, pa.timestamp("s")).as_py(),)
    write_parquet(tmp_path / "p.parquet", [HEADER, *rows_of(days)], pa.timestamp("us", "UTC"))
    with pytest.raises(SourceError, match="not midnight"):
        assert open_folder(tmp_path).first_day


def test_days_that_are_numbered_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [("date_id", *HEADER[1:]), *rows_of((1, 2))])
    with pytest.raises(SourceError, match=r"numbers in place of dates(.|\n)*'date_id'"):
        assert open_folder(tmp_path).first_day


def test_rows_of_other_days_are_refused_or_left_out(tmp_path: Path) -> None:
    # The 4th was a Saturday.
    write_layout(tmp_path, "file", ".csv", market_rows("AB", (*DAYS, "2020-01-04")))
    source = open_folder(tmp_path, LONDON)
    with pytest.raises(SourceError) as caught:
        assert source.last_day
    for word in ("2020-01-04", "A.csv", "XLON", "other_days: skip", "days: data"):
        assert word in str(caught.value)
    table = read_all(open_folder(tmp_path, LONDON, "other_days: skip"))
    np.testing.assert_array_equal(table.days, np.array(DAYS, dtype="datetime64[D]"))
    np.testing.assert_array_equal(table.date_ids, range(3))
    assert len(read_all(open_folder(tmp_path)).days) == 4


def test_days_that_the_calendar_does_not_know_are_refused(tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ".csv", market_rows("AB", ("1890-01-02", *DAYS)))
    with pytest.raises(SourceError, match=r"does not know(.|\n)*1890-01-02(.|\n)*first_day"):
        assert open_folder(tmp_path, LONDON).last_day
    since = LONDON.replace("[XLON]", "[XLON], first_day: 2020-01-01")
    assert open_folder(tmp_path, since).first_day == date(2020, 1, 2)


def test_the_history_has_the_days_that_the_description_gives(tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ".csv", market_rows("AB", DAYS))
    of_data = LISTED.replace("days: data", "days: data, first_day: 2020-01-03")
    source = open_folder(tmp_path, of_data.replace("-03", "-03, last_day: 2020-01-05"))
    assert (source.first_day, source.last_day) == (date(2020, 1, 3), date(2020, 1, 3))
    np.testing.assert_array_equal(read_all(source).date_ids, [0])
    later = open_folder(tmp_path, of_data.replace("2020-01-03", "2021-01-03"))
    with pytest.raises(SourceError, match="no day of prices has come"):
        assert later.first_day


@pytest.mark.parametrize("layout", ["long", "file", "wide"])
def test_the_newest_day_waits_for_half_of_the_closes(layout: str, tmp_path: Path) -> None:
    description = LISTED.replace("[A, B]", "[A, B, C, D]")
    rows = market_rows("ABCD", DAYS)
    full = [row for row in rows if row[0] != DAYS[2]]
    newest = [row for row in rows if row[0] == DAYS[2]]
    empty = [(day, symbol, None, volume) for day, symbol, _, volume in newest[1:]]
    write_layout(tmp_path, layout, ".csv", [*full, newest[0], *empty])
    source = open_folder(tmp_path, description)
    assert source.last_day == date(2020, 1, 3)
    assert source.waiting() == (
        "2020-01-06 has 1 closes of the 4 on 2020-01-03, and half are needed"
    )
    assert len(read_all(source).days) == 2
    write_layout(tmp_path, layout, ".csv", [*full, *newest[:2], *empty[1:]])
    assert source.last_day == date(2020, 1, 6)
    assert source.waiting() == ""
    assert len(read_all(source).days) == 3


def test_a_thin_day_in_the_midst_is_a_day(tmp_path: Path) -> None:
    rows = [row for row in market_rows("AB", DAYS) if row[:2] != (DAYS[1], "A")]
    rows = [(d, s, None if d == DAYS[1] else c, v) for d, s, c, v in rows]
    write_layout(tmp_path, "long", ".csv", rows)
    assert len(read_all(open_folder(tmp_path)).days) == 3
    write_layout(tmp_path, "long", ".csv", [*rows, ("2020-01-07", "A", None, 1)])
    source = open_folder(tmp_path)
    assert source.last_day == date(2020, 1, 6)
    assert source.waiting().startswith("2020-01-07 has 0 closes")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_folder_that_gains_a_day(ending: str, tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ending, market_rows("AB", DAYS[:2]))
    source = open_folder(tmp_path)
    before = read_all(source)
    states = [(source.look(), source.fingerprint())]
    assert (source.look(), source.fingerprint()) == states[0]
    rows = [row for row in market_rows("AB", DAYS) if row[0] == DAYS[2]]
    write_layout(tmp_path / "new", "long", ending, rows)
    (tmp_path / "new" / f"p{ending}").rename(tmp_path / f"q{ending}")
    after = read_all(source)
    assert source.last_day == date(2020, 1, 6)
    assert after.series == before.series
    np.testing.assert_array_equal(after.values[:2], before.values)
    states.append((source.look(), source.fingerprint()))
    # Touched files have another look, but the same content.
    os.utime(tmp_path / f"q{ending}", ns=(1, 1))
    states.append((source.look(), source.fingerprint()))
    assert len({look for look, _ in states}) == 3
    assert states[0][1] != states[1][1] == states[2][1]


def test_a_look_needs_no_files(tmp_path: Path) -> None:
    source = open_folder(tmp_path, LISTED, "folder: prices")
    look = source.look()
    with pytest.raises(SourceError, match=r"cannot be read(.|\n)*No such file"):
        source.waiting()
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "lake.sqlite").touch()
    assert source.look() == look
    with pytest.raises(SourceError, match="no price files"):
        source.fingerprint()
    write_layout(tmp_path / "prices", "long", ".csv", market_rows("AB", DAYS))
    assert source.look() != look
    assert source.last_day == date(2020, 1, 6)


def test_options_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ".csv", market_rows("AB", DAYS))
    options = ("", "other_days: skip", "columns: {close: volume}", "other_days: refuse")
    digests = [open_folder(tmp_path, LISTED, text).fingerprint() for text in options]
    assert len(set(digests)) == 3
    assert digests[0] == digests[3]


def test_an_unknown_leg_is_refused(tmp_path: Path) -> None:
    write_layout(tmp_path, "long", ".csv", market_rows("AB", DAYS))
    write_csv(tmp_path / "pairs.csv", [("target", "lag", "pair"), ("t", 1, "A - Q")])
    description = LISTED.replace("{returns: {horizons: [1]}}", "{pairs: pairs.csv}")
    with pytest.raises(MarketError, match="'Q'"):
        open_folder(tmp_path, description).pairs()
