"""Data that the competition's folder delivers, and its unread cells."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import parse_column
from quant_assets.market.targets import align_to_forecast_day, labels_by_known_day
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets.sources.deliveries import UnreadCell
from quant_assets.sources.protocol import Source
from quant_assets_tests.support.competition_market import (
    ALWAYS,
    DAYS,
    LAG_1,
    PAIRS,
    SERIES,
    change_lines,
    edit,
    given_prices,
    make_folder,
    source_of,
    with_calendar,
    write,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "market")


def test_prices_are_delivered_as_given(folder: Path) -> None:
    table = source_of(folder).prices(*ALWAYS)
    given = [[np.nan if x is None else x for x in row.values()] for row in given_prices()]
    np.testing.assert_array_equal(table.values, given)
    assert table.columns == SERIES
    assert table.date_ids.tolist() == list(range(DAYS))
    assert table.unread == []
    np.testing.assert_array_equal(table.days, trading_days(date(2018, 1, 2), date(2018, 2, 26)))


def test_it_is_a_source_and_knows_its_days_without_reading_prices(folder: Path) -> None:
    source: Source = source_of(folder)
    (folder / "target_pairs.csv").unlink()
    edit("train.csv", "\n7,", "\nx,")(folder)
    assert (source.first_day, source.last_day) == (date(2018, 1, 2), date(2018, 2, 26))
    assert source.best_forecast(*ALWAYS) is None


def test_a_range_of_days(folder: Path) -> None:
    edit("train.csv", "\n7,", "\n7,broken")(folder)
    table = source_of(folder).prices(date(2018, 1, 10), date(2018, 1, 13))
    assert table.date_ids.tolist() == [6, 7, 8]
    assert [(cell.row, cell.column) for cell in table.unread] == [(1, "LME_CA_Close")]
    assert len(source_of(folder).prices(date(2020, 1, 1), date(2020, 2, 1)).days) == 0


def test_bad_cells_are_passed_on(folder: Path) -> None:
    def spoil(lines: list[str]) -> list[str]:
        lines[3] = "2,1_000,inf,-5,0,-1,,NaN"
        return lines

    change_lines("train.csv", spoil)(folder)
    table = source_of(folder).prices(*ALWAYS)
    assert list(table.unread) == [UnreadCell(2, "LME_CA_Close", "1_000")]
    np.testing.assert_array_equal(table.values[2], [np.nan, np.inf, -5, 0, -1, np.nan, np.nan])


def test_one_bad_cell_does_not_refuse_a_file_of_one_day(folder: Path) -> None:
    (folder / "train_labels.csv").unlink()
    change_lines("test.csv", lambda x: [x[0], f"{DAYS},1,2,3,4,five,,6,True"])(folder)
    table = source_of(folder).prices(*ALWAYS)
    assert list(table.unread) == [UnreadCell(DAYS, "US_Stock_CVX_adj_volume", "five")]


@pytest.mark.parametrize("first", [DAYS - 10, DAYS - 5])
def test_later_rows_of_test_csv_are_loaded_once(folder: Path, first: int) -> None:
    whole = source_of(folder).prices(*ALWAYS)
    change_lines("train.csv", lambda x: x[: first + 1])(folder)
    change_lines("train_labels.csv", lambda x: x[: first + 1])(folder)
    source = source_of(folder)
    joined = source.prices(*ALWAYS)
    np.testing.assert_array_equal(joined.values, whole.values)
    np.testing.assert_array_equal(joined.days, whole.days)
    assert source.last_day == date(2018, 2, 26)


def test_rows_of_test_csv_that_train_csv_has_are_a_second_delivery(folder: Path) -> None:
    whole = source_of(folder).prices(*ALWAYS)
    second = source_of(folder).second_prices(*ALWAYS)
    assert second is not None
    assert len(second.days)
    at = np.searchsorted(whole.days, second.days)
    np.testing.assert_array_equal(whole.days[at], second.days)
    np.testing.assert_array_equal(whole.date_ids[at], second.date_ids)
    assert second.columns == whole.columns
    np.testing.assert_array_equal(whole.values[at], second.values)
    day: date = second.days[0].item()
    alone = source_of(folder).second_prices(day, day)
    assert alone is not None
    np.testing.assert_array_equal(alone.values, second.values[:1])


def test_without_common_days_there_is_no_second_delivery(folder: Path) -> None:
    change_lines("test.csv", lambda x: [x[0], f"{DAYS},1,2,3,4,5,,6,True"])(folder)
    assert source_of(folder).second_prices(*ALWAYS) is None
    (folder / "test.csv").unlink()
    assert source_of(folder).second_prices(*ALWAYS) is None


def test_lagged_labels_continue_the_training_labels(folder: Path) -> None:
    whole = source_of(folder).published_labels(*ALWAYS)
    change_lines("train.csv", lambda x: x[: DAYS - 9])(folder)
    change_lines("train_labels.csv", lambda x: x[: DAYS - 9])(folder)
    assert whole is not None
    np.testing.assert_array_equal(source_of(folder).published_labels(*ALWAYS), whole)


def test_without_label_files_there_are_no_labels(folder: Path) -> None:
    (folder / "train_labels.csv").unlink()
    shutil.rmtree(folder / "lagged_test_labels")
    assert source_of(folder).published_labels(*ALWAYS) is None


def test_closes_alone_and_columns_in_any_order_will_do(folder: Path) -> None:
    closes = ["FX_USDJPY", *(c for c in SERIES if parse_column(c).field == "close")][:-1]
    rows: list[list[object]] = [
        [*(row[c] for c in closes), i] for i, row in enumerate(given_prices())
    ]
    write(folder / "train.csv", [*closes, "date_id"], rows)
    (folder / "test.csv").unlink()
    source = source_of(folder)
    assert source.prices(*ALWAYS).columns == tuple(closes)
    assert source.first_day == date(2018, 1, 2)
    assert len(source.pairs()) == len(PAIRS)


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_windows_and_excel_text_is_read(folder: Path, ending: bytes) -> None:
    whole = source_of(folder).prices(*ALWAYS)
    path = folder / "train.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", ending))
    np.testing.assert_array_equal(source_of(folder).prices(*ALWAYS).values, whole.values)
    assert source_of(folder).last_day == date(2018, 2, 26)


def test_calendar_dates_the_rows_and_allows_gaps(folder: Path) -> None:
    with_calendar(lambda x: x[10:])(folder)
    for name in ("train.csv", "train_labels.csv"):
        change_lines(name, lambda x: [x[0], *x[11:15], *x[16:]])(folder)
    source = source_of(folder)
    table = source.prices(*ALWAYS)
    assert table.date_ids.tolist() == [10, 11, 12, 13, *range(15, DAYS)]
    assert (source.first_day, source.last_day) == (date(2018, 1, 16), date(2018, 2, 26))
    assert date(2018, 1, 22) not in table.days.tolist()


def test_start_must_be_a_trading_day(folder: Path) -> None:
    with pytest.raises(SourceError, match="2018-01-06, a trading day"):
        CompetitionFolder(folder, start=date(2018, 1, 6)).prices(*ALWAYS)


def test_fingerprint_changes_with_every_file_and_with_nothing_else(folder: Path) -> None:
    seen = {source_of(folder).fingerprint()}
    assert source_of(folder).fingerprint() in seen
    (folder / "notes.txt").write_text("not used")
    assert source_of(folder).fingerprint() in seen
    for name in ("train.csv", "test.csv", "train_labels.csv", "target_pairs.csv", LAG_1):
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
        seen.add(source_of(folder).fingerprint())
    with_calendar(lambda x: x)(folder)
    seen.add(source_of(folder).fingerprint())
    assert len(seen) == 7


def test_the_real_folder_loads_and_its_labels_follow_the_formula(real_market: Path) -> None:
    source = CompetitionFolder(real_market)
    table, pairs = source.prices(*ALWAYS), source.pairs()
    published = source.published_labels(*ALWAYS)
    assert table.values.shape == (2038, 557)
    assert published is not None
    assert published.shape == (2038, 424)
    closes = [i for i, name in enumerate(table.columns) if parse_column(name).field == "close"]
    instruments = [parse_column(table.columns[i]).instrument for i in closes]
    known_labels = labels_by_known_day(table.values[:, closes], pairs, instruments)
    computed = align_to_forecast_day(known_labels, pairs.lags)
    np.testing.assert_allclose(computed, published, rtol=0, atol=2e-6, equal_nan=True)
    assert (source.first_day, source.last_day) == (date(2010, 1, 4), date(2017, 11, 10))
