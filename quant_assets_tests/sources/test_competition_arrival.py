"""Which of the newest rows are read: whole lines, in which enough markets have delivered."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.core.settings import Settings
from quant_assets.sources.competition.arrival import Delivery
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.competition_market import (
    ALWAYS,
    DAYS,
    LAG_1,
    PAIRS,
    change_bytes,
    change_lines,
    make_folder,
    source_of,
    write,
)

LAST, BEFORE = date(2018, 2, 26), date(2018, 2, 23)
# Positions in a row: LME 1, JPX 3 (its open is 2), US 4 (its volume is 5), GOLD 6, FX 7.
NOTHING = (1, 2, 3, 4, 5, 6, 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "market")


def empty_cells(name: str, row: int, columns: tuple[int, ...]) -> Callable[[Path], None]:
    """Empty cells of a row, counted from 0 or, if negative, from the end."""

    def change(lines: list[str]) -> list[str]:
        line = row + 1 if row >= 0 else len(lines) + row
        fields = lines[line].split(",")
        lines[line] = ",".join("" if i in columns else cell for i, cell in enumerate(fields))
        return lines

    return change_lines(name, change)


def move_last_rows_to_test(folder: Path, count: int = 5) -> None:
    for name in ("train.csv", "train_labels.csv"):
        change_lines(name, lambda x: x[:-count])(folder)


def test_a_line_without_an_end_is_no_row_wherever_it_is_cut(folder: Path) -> None:
    path = folder / "train.csv"
    (folder / "test.csv").unlink()
    whole, content = source_of(folder).prices(*ALWAYS), path.read_bytes()
    begin = content.rindex(b"\n", 0, -1) + 1
    for end in range(begin + 1, len(content)):
        path.write_bytes(content[:end])
        source = source_of(folder)
        table = source.prices(*ALWAYS)
        np.testing.assert_array_equal(table.values, whole.values[:-1])
        assert source.last_day == BEFORE
        assert source.waiting() == (
            "train.csv, line 41: the line has no end: it is still being written"
        )
    path.write_bytes(content)
    assert (source_of(folder).last_day, source_of(folder).waiting()) == (LAST, "")


def test_a_line_of_test_csv_without_an_end_is_no_row(folder: Path) -> None:
    move_last_rows_to_test(folder)
    change_bytes("test.csv", lambda raw: raw[:-9])(folder)
    source = source_of(folder)
    assert source.last_day == source.prices(*ALWAYS).days[-1].item() == BEFORE
    assert source.waiting() == "test.csv, line 11: the line has no end: it is still being written"


def test_test_csv_delivers_the_row_that_train_csv_still_writes(folder: Path) -> None:
    whole = source_of(folder).prices(*ALWAYS)
    change_bytes("train.csv", lambda raw: raw[:-2])(folder)
    np.testing.assert_array_equal(source_of(folder).prices(*ALWAYS).values[-2], whole.values[-2])
    assert source_of(folder).last_day == LAST


@pytest.mark.parametrize("name", ["train_labels.csv", LAG_1])
def test_labels_of_a_line_without_an_end_are_not_read(folder: Path, name: str) -> None:
    change_bytes("train_labels.csv", lambda raw: raw.replace(b"\n39,,,,", b"\n39,1,2,3,4"))(folder)
    whole = source_of(folder).published_labels(*ALWAYS)
    change_bytes(name, lambda raw: raw[:-2])(folder)
    labels = source_of(folder).published_labels(*ALWAYS)
    assert whole is not None
    assert labels is not None
    np.testing.assert_array_equal(labels[:-1], whole[:-1])
    assert np.isnan(labels[-1]).all() == (name == "train_labels.csv")


def test_labels_of_a_row_that_has_not_come_are_not_read(folder: Path) -> None:
    whole = source_of(folder).published_labels(*ALWAYS)
    change_bytes("train.csv", lambda raw: raw[:-2])(folder)
    (folder / "test.csv").unlink()
    labels = source_of(folder).published_labels(*ALWAYS)
    assert whole is not None
    assert labels is not None
    assert len(labels) == DAYS - 1
    np.testing.assert_array_equal(labels, whole[:-1])


@pytest.mark.parametrize(
    ("empty", "reason"),
    [
        (NOTHING, "no market has delivered: 0 of 7 cells are filled"),
        ((1, 3, 4, 7), "no market has delivered: 2 of 7 cells are filled"),
        ((1, 4, 7), "only JPX has delivered, and FX or US has on every day: 3 of 7 cells"),
        ((1, 3, 4), "only FX has delivered, and 2 have on every day: 3 of 7 cells"),
        ((4, 7), "only LME and JPX have delivered, and FX or US has on every day: 4 of 7 cells"),
    ],
)
def test_newest_rows_in_which_too_few_markets_delivered_have_not_come(
    folder: Path, empty: tuple[int, ...], reason: str
) -> None:
    (folder / "test.csv").unlink()
    for row in (-1, -2):
        empty_cells("train.csv", row, empty)(folder)
    source = source_of(folder)
    assert source.last_day == source.prices(*ALWAYS).days[-1].item() == date(2018, 2, 22)
    assert source.waiting().startswith(f"train.csv, line 40: {reason}")


@pytest.mark.parametrize("closed", [(1,), (2, 3), (4, 5), (1, 4, 5), (2, 3, 4, 5), (7,)])
def test_a_day_on_which_markets_are_closed_has_come(folder: Path, closed: tuple[int, ...]) -> None:
    empty_cells("train.csv", -1, closed)(folder)
    source = source_of(folder)
    assert source.last_day == source.prices(*ALWAYS).days[-1].item() == LAST
    assert source.waiting() == ""


def test_an_empty_row_with_a_later_full_row_is_a_day(folder: Path) -> None:
    move_last_rows_to_test(folder)
    empty_cells("train.csv", -1, NOTHING)(folder)
    table = source_of(folder).prices(*ALWAYS)
    assert len(table.days) == DAYS
    assert np.isnan(table.values[-6]).all()
    assert source_of(folder).waiting() == ""


def test_newest_rows_of_test_csv_have_not_come_either(folder: Path) -> None:
    move_last_rows_to_test(folder)
    empty_cells("test.csv", -1, NOTHING)(folder)
    source = source_of(folder)
    assert source.last_day == source.prices(*ALWAYS).days[-1].item() == BEFORE
    assert source.waiting().startswith("test.csv, line 11: no market has delivered")


def test_an_empty_newest_row_of_the_second_delivery_is_not_compared(folder: Path) -> None:
    empty_cells("test.csv", -1, NOTHING)(folder)
    second = source_of(folder).second_prices(*ALWAYS)
    assert second is not None
    assert second.days[-1].item() == BEFORE


def test_a_folder_in_which_no_day_has_come_is_refused(folder: Path) -> None:
    (folder / "test.csv").unlink()
    (folder / "train_labels.csv").unlink()
    change_lines("train.csv", lambda x: [x[0], "0,,,,,,,"])(folder)
    source = source_of(folder)
    for read in (lambda: source.first_day, lambda: source.last_day, lambda: source.prices(*ALWAYS)):
        with pytest.raises(SourceError, match=r"no day has come yet[\s\S]*line 2: no market"):
            read()


@pytest.mark.parametrize("series", ["FX_USDJPY", "LME_CA_Close"])
def test_a_folder_with_one_market_needs_that_market(folder: Path, series: str) -> None:
    (folder / "test.csv").unlink()
    rows: list[list[object]] = [[i, i + 1.0] for i in range(DAYS)]
    write(folder / "train.csv", ["date_id", series], [*rows[:-1], [DAYS - 1, None]])
    assert source_of(folder).last_day == BEFORE
    write(folder / "train.csv", ["date_id", series], rows)
    assert source_of(folder).last_day == LAST


def test_the_share_of_closes_that_a_market_must_fill_is_a_setting(folder: Path) -> None:
    (folder / "test.csv").unlink()
    change_lines("train.csv", lambda x: [x[0], x[1][:-1].replace(",,", ",7,"), *x[2:]])(folder)
    # Only half of the closes of New York are filled, and only one of the other markets.
    empty_cells("train.csv", -1, (1, 7))(folder)
    for share, last in ((0.5, LAST), (0.51, BEFORE)):
        source = open_source(Settings(source=str(folder), day_filled=share))
        assert (source.last_day, source.waiting() == "") == (last, share == 0.5)


@pytest.mark.parametrize("market", ["", "b-2010-2017", "c-2010-2017", "d-2004-2010"])
def test_no_real_day_is_held_back(real_market: Path, market: str) -> None:
    folder = real_market.parent / "markets-more" / market if market else real_market
    if not folder.exists():
        pytest.skip("this market is not beside the one that QUANT_TEST_MARKET names")
    source = CompetitionFolder(folder)
    table = source.prices(*ALWAYS)
    assert source.last_day == table.days[-1].item()
    delivery = Delivery.of(table.columns, table.values, source.day_filled)
    assert delivery.needed == 2
    assert all(delivery.has_come(row) for row in ~np.isnan(table.values))


def test_a_look_changes_with_the_files_and_with_nothing_else(folder: Path) -> None:
    source, path = source_of(folder), folder / "train.csv"
    looks = [source.look()]
    (folder / "notes.txt").write_text("not used")
    assert source.look() == looks[0]
    path.write_bytes(path.read_bytes() + b"\n")
    looks.append(source.look())
    # A copy with the same size and time that takes the place of the file.
    before = path.stat()
    copy = folder / "copy"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.replace(path)
    looks.append(source.look())
    (folder / "test.csv").unlink()
    looks.append(source.look())
    (folder / "test.csv").symlink_to(folder / "nowhere")
    assert source.look() == looks[-1]
    path.unlink()
    looks.append(source.look())
    assert len(set(looks)) == len(looks)


def test_a_link_that_moves_is_the_same_source_with_new_data(tmp_path: Path) -> None:
    first, second = make_folder(tmp_path / "v1"), make_folder(tmp_path / "v2")
    latest = tmp_path / "latest"
    latest.symlink_to(first)
    # Both files have the same size and time: only their place differs.
    change_bytes("train.csv", lambda raw: raw.replace(b"99.", b"98."))(second)
    times = (first / "train.csv").stat().st_mtime_ns
    for version in (first, second):
        os.utime(version / "train.csv", ns=(times, times))
    settings = Settings(source=str(latest))
    source = open_source(settings)
    assert settings.source == str(latest)
    seen = (source.look(), source.prices(*ALWAYS).values)
    latest.unlink()
    latest.symlink_to(second)
    assert source.look() != seen[0]
    assert not np.array_equal(source.prices(*ALWAYS).values, seen[1], equal_nan=True)
    assert len(PAIRS) == len(source_of(latest).pairs())


def test_a_path_through_a_parent_is_that_of_the_parent(tmp_path: Path) -> None:
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "inner")
    given = tmp_path / "link" / ".." / "market"
    assert Settings(source=str(given)).source == str(tmp_path / "far" / "market")


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    latest = tmp_path / "latest"
    latest.symlink_to(tmp_path / "gone")
    with pytest.raises(SourceError, match=f"the link {latest} leads nowhere"):
        _ = CompetitionFolder(latest).last_day
