"""Messages name the file, line and column of a fault, and their hint fits it."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets_tests.support.competition_market import (
    ALWAYS,
    DAYS,
    LAG_1,
    Fault,
    change_bytes,
    change_lines,
    check_refused,
    edit,
    make_folder,
    read_everything,
    source_of,
    with_calendar,
)


def each_row(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    return change_lines(name, lambda lines: [lines[0], *map(change, lines[1:])])


def each_line(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    return change_lines(name, lambda lines: list(map(change, lines)))


def in_turn(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        for change in changes:
            change(folder)

    return apply


def cut_train(count: int = 5) -> Callable[[Path], None]:
    """Cut rows of ``train.csv`` and its labels, which ``test.csv`` then continues."""
    return in_turn(
        *(change_lines(name, lambda x: x[:-count]) for name in ("train.csv", "train_labels.csv"))
    )


def number_by_dates(folder: Path) -> None:
    """Number all rows by dates such as 20180102, and date them in ``calendar.csv``."""
    with_calendar(lambda x: x)(folder)
    calendar = folder / "calendar.csv"
    days = dict(line.split(",") for line in calendar.read_text().splitlines()[1:])
    ids = {number: day.replace("-", "") for number, day in days.items()}
    calendar.write_text("date_id,date\n" + "".join(f"{ids[i]},{days[i]}\n" for i in days))
    for path in (*folder.glob("t*_labels.csv"), folder / "train.csv", folder / "test.csv"):
        each_row(path.name, lambda row: re.sub(r"^\d+", lambda x: ids[x.group()], row))(folder)
    for path in (folder / "lagged_test_labels").iterdir():
        name = f"lagged_test_labels/{path.name}"
        each_row(name, lambda row: re.sub(r"^\d+|\d+$", lambda x: ids[x.group()], row))(folder)


def quoted_column(change: Callable[[str], str]) -> Callable[[Path], None]:
    """Change the cells of the last column, and put them in quotes."""

    def of_row(row: str) -> str:
        before, cell = row.rsplit(",", 1)
        return f'{before},"{change(cell)}"'

    return each_row("train.csv", of_row)


FAULTS: dict[str, Fault] = {
    "float ids": (
        each_row("train.csv", lambda row: row.replace(",", ".0,", 1)),
        "train.csv",
        ("date_id is not a whole number", "line 2", "'0.0'", "without a decimal point"),
    ),
    "dates as ids": (
        each_row("train.csv", lambda row: f"2018-01-{row}"),
        "train.csv",
        ("date_id is not a whole number", "line 2", "'2018-01-0'", "dates belong in calendar.csv"),
    ),
    "dates without separators as ids": (
        in_turn(number_by_dates, lambda folder: (folder / "calendar.csv").unlink()),
        "train.csv",
        (
            "each date_id is a date",
            "line 2",
            "found: 20180102 to 20180226",
            "add a calendar.csv",
            "20180102,2018-01-02",
        ),
    ),
    "an id beyond 64 bits": (
        edit("train.csv", "\n7,", f"\n{2**64},"),
        "train.csv",
        ("date_id is too large", "line 9, column 'date_id'", "18446744073709551616"),
    ),
    "a last id of 5000 digits": (
        edit("train.csv", f"\n{DAYS - 1},", f"\n{'9' * 5000},"),
        "train.csv",
        ("date_id is too large", "line 41", "999' …"),
    ),
    "row numbers without a name": (
        each_line("train.csv", lambda line: ("," if "date" in line else "1,") + line),
        "train.csv",
        ("a column has no name", "line 1", "nothing above column 1 of 9", "index=False"),
    ),
    "row numbers that were named": (
        each_line("train.csv", lambda line: ("Unnamed: 0," if "date" in line else "1,") + line),
        "train.csv",
        ("unknown column", "'Unnamed: 0'", "index=False"),
    ),
    "commas at line ends": (
        each_line("train.csv", lambda line: line + ","),
        "train.csv",
        ("a column has no name", "column 9 of 9", "remove the comma at the end of each line"),
    ),
    "carriage returns only": (
        change_bytes("train.csv", lambda raw: raw.replace(b"\n", b"\r")),
        "train.csv",
        ("the lines end with carriage returns only", "LF", "convert it"),
    ),
    "a letter in Latin-1": (
        change_bytes("train.csv", lambda raw: raw.replace(b"\n7,", b"\n7,\xe9")),
        "train.csv",
        ("the file is not text in UTF-8", "line 9, column 'LME_CA_Close'", "byte 0xe9 at byte 3"),
    ),
    "zero bytes": (
        change_bytes("train.csv", lambda raw: raw[:-9] + b"\0" * 8 + b"\n"),
        "train.csv",
        ("the file is not text in UTF-8", "line 41", "byte 0x00", "copy the file again"),
    ),
    "decimal commas in quotes": (
        quoted_column(lambda cell: cell.replace(".", ",")),
        "train.csv",
        ("a column holds no numbers", "line 2, column 'FX_USDJPY'", "decimal commas", "points"),
    ),
    "decimal commas without quotes": (
        each_row("train.csv", lambda row: row.replace(".", ",")),
        "train.csv",
        ("another number of fields", "line 2", "decimal commas"),
    ),
    "thousands separators": (
        quoted_column(lambda cell: f"1,{cell.rjust(8, '0')}"),
        "train.csv",
        ("a column holds no numbers", "line 2", "without thousands separators"),
    ),
    "words for absent values": (
        quoted_column(lambda _: "NA"),
        "train.csv",
        ("a column holds no numbers", "'NA' and 39 more", "leave a cell without a value empty"),
    ),
    "other words": (
        quoted_column(lambda _: "closed"),
        "train.csv",
        ("a column holds no numbers", "the columns may be shifted"),
    ),
    "a long last line": (
        change_bytes("train.csv", lambda raw: raw[:-1] + b"x" * (1 << 18) + b"\n"),
        "train.csv",
        ("the file is not CSV", "line 41", "field larger than field limit"),
    ),
    "empty lines before a wrong id": (
        in_turn(
            change_bytes("train.csv", lambda raw: raw.replace(b"\n3,", b"\n\n\r\n3,")),
            edit("train.csv", "\n7,", "\nseven,"),
        ),
        "train.csv",
        ("date_id is not a whole number", "line 11"),
    ),
    "empty lines before a repeated id": (
        in_turn(
            change_bytes("train.csv", lambda raw: raw.replace(b"\n3,", b"\n\n\r\n3,")),
            edit("train.csv", "\n7,", "\n6,"),
        ),
        "train.csv",
        ("occurs twice", "line 11"),
    ),
    "empty lines before words": (
        in_turn(
            quoted_column(lambda _: "NA"),
            change_bytes("train.csv", lambda raw: raw.replace(b"\n0,", b"\n\n\n0,")),
        ),
        "train.csv",
        ("a column holds no numbers", "line 4"),
    ),
    "a gap in test.csv": (
        in_turn(cut_train(), change_lines("test.csv", lambda x: [*x[:8], *x[9:]])),
        "test.csv",
        ("a date_id is left out", "line 9", "expected: 37", "found: 38"),
    ),
    "test.csv outside the calendar": (
        in_turn(cut_train(1), edit("test.csv", f"\n{DAYS - 1},", "\n999999,")),
        "test.csv",
        ("a date_id is left out", "line 11", "expected: 39", "found: 999999"),
    ),
    "a row of test.csv without a date": (
        in_turn(cut_train(), with_calendar(lambda x: x[:-1])),
        "calendar.csv",
        ("a date_id of test.csv has no date", "a row for 39, which is on line 11"),
    ),
    "words in test.csv": (
        in_turn(cut_train(), each_row("test.csv", lambda row: re.sub(r"[\d.]+,T", "none,T", row))),
        "test.csv",
        ("a column holds no numbers", "line 2, column 'FX_USDJPY'", "leave a cell"),
    ),
    "a series renamed in test.csv": (
        each_line("test.csv", lambda line: line.replace("CVX", "CVZ")),
        "test.csv",
        (
            "the series are not those of train.csv",
            "with US_Stock_CVX_adj_close, US_Stock_CVX_adj_volume",
            "with US_Stock_CVZ_adj_close, US_Stock_CVZ_adj_volume",
            "rename it in both",
        ),
    ),
    "a number for absent labels": (
        each_row("train_labels.csv", lambda row: row.replace(",,", ",-999999,")),
        "train_labels.csv",
        (
            "labels are no log returns",
            "line 5, column 'target_0'",
            "found: -999999, the first of 10 such labels",
            "leave a cell empty",
        ),
    ),
    "lagged labels that contradict": (
        each_row(LAG_1, lambda row: row.replace("0.0", "0.1", 1)),
        LAG_1,
        (
            "labels contradict train_labels.csv",
            "column 'target_0'",
            "as in train_labels.csv where date_id is 3",
            "the first of",
        ),
    ),
    "words in labels": (
        change_lines("train_labels.csv", lambda x: [*x[:4], "3,NA,NA,NA,NA", *x[5:]]),
        "train_labels.csv",
        ("a label is not a number", "line 5", "'NA', the first of 4", "leave a cell"),
    ),
    "a lagged label without a day": (
        change_lines(LAG_1, lambda x: [*x[:3], x[3].rsplit(",", 1)[0] + ",", *x[4:]]),
        LAG_1,
        ("another day", "line 4", "expected: 32, 2 rows of prices before 34", "found: nothing"),
    ),
    "a day of a lagged label that is a date": (
        in_turn(
            number_by_dates,
            change_lines(LAG_1, lambda x: [*x[:3], x[3].rsplit(",", 1)[0] + ",20180213", *x[4:]]),
        ),
        LAG_1,
        ("another day", "expected: 20180215, 2 rows of prices before 2018", "found: 20180213"),
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "market")


@pytest.mark.parametrize("name", FAULTS)
def test_a_message_names_the_place_and_its_hint_fits(folder: Path, name: str) -> None:
    check_refused(folder, FAULTS[name])


def test_rows_numbered_by_dates_are_read_as_rows(folder: Path) -> None:
    whole, labels = source_of(folder).prices(*ALWAYS), source_of(folder).published_labels(*ALWAYS)
    number_by_dates(folder)
    source = source_of(folder)
    np.testing.assert_array_equal(source.prices(*ALWAYS).values, whole.values)
    np.testing.assert_array_equal(source.prices(*ALWAYS).days, whole.days)
    assert labels is not None
    np.testing.assert_array_equal(source.published_labels(*ALWAYS), labels)


def test_the_newest_day_names_the_same_place_as_the_prices(folder: Path) -> None:
    in_turn(cut_train(), with_calendar(lambda x: x[:-1]))(folder)
    for read in (lambda: source_of(folder).last_day, lambda: source_of(folder).prices(*ALWAYS)):
        with pytest.raises(
            SourceError, match=r"test\.csv has no date[\s\S]*39, which is on line 11"
        ):
            read()


@pytest.mark.parametrize(
    ("has_calendar", "hint"),
    [(False, "unpack the competition's archive again"), (True, "write the file again as a whole")],
)
def test_only_the_own_archive_is_to_be_unpacked_again(
    folder: Path, has_calendar: bool, hint: str
) -> None:
    if has_calendar:
        with_calendar(lambda x: x)(folder)
    (folder / "train.csv").write_text("")
    with pytest.raises(SourceError, match=hint):
        read_everything(folder)
