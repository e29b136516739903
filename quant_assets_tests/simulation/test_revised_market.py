"""The market of a rehearsal whose vendor changes what it has delivered."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from quant_assets.market.instruments import InstrumentSeries, column_name
from quant_assets.simulation.growing_market import REVISED_SERIES, GrowingMarket
from quant_assets.simulation.scenario import (
    BAD_DAY,
    CORRECTED,
    DELETED,
    DIVIDEND,
    EMPTY,
    HALF_WRITTEN,
    LEFT_OUT,
    LINK_MOVED,
    SPLIT,
    WITHDRAWN,
    PlannedIncident,
    build_scenario,
)
from quant_assets_tests.support.rehearsed_market import (
    DAYS,
    create_market,
    plan_market,
    read_folder,
    read_lines,
    read_source,
)


def column_of(market: GrowingMarket, kind: str) -> int:
    return market.columns.index(column_name(InstrumentSeries(REVISED_SERIES[kind][0], "close")))


def test_a_split_halves_the_past_and_what_follows(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(SPLIT, 5, 5))
    before, after = read_source(market, market.due_at(4)), read_source(market, market.due_at(7))
    column = column_of(market, SPLIT)
    whole = plan_market(tmp_path / "without").table_at(market.due_at(7)).values
    rows = len(before.days)
    assert np.array_equal(
        after.values[:, column], np.round(whole[:, column] / 2, 4), equal_nan=True
    )
    volume = market.columns.index("US_Stock_COP_adj_volume")
    assert np.array_equal(after.values[:, volume], 2 * whole[:, volume], equal_nan=True)
    others = np.setdiff1d(np.arange(len(market.columns)), [column, volume])
    assert np.array_equal(after.values[:rows, others], before.values[:, others], equal_nan=True)


def test_a_dividend_lowers_the_past_only(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(DIVIDEND, 5, 5))
    row, column = market.history + 5, column_of(market, DIVIDEND)
    before, after = read_source(market, market.due_at(4)), read_source(market, market.due_at(7))
    adjusted = np.round(0.996 * before.values[:, column], 4)
    assert np.array_equal(after.values[:row, column], adjusted, equal_nan=True)
    whole = plan_market(tmp_path / "without").table_at(market.due_at(7)).values
    assert np.array_equal(after.values[row:, column], whole[row:, column], equal_nan=True)


def test_a_correction_changes_one_cell_of_three_weeks_before(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(CORRECTED, 5, 5))
    before, after = read_source(market, market.due_at(4)), read_source(market, market.due_at(5))
    rows, columns = np.nonzero(before.values != after.values[: len(before.days)])
    present = ~np.isnan(before.values[rows, columns])
    (row,), (column,) = rows[present], columns[present]
    assert (row, column) == (market.history + 5 - 15, column_of(market, CORRECTED))


def test_a_withdrawn_day_comes_back_under_another_number(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(WITHDRAWN, 3, 4))
    morning = market.due_at(3) + timedelta(hours=9)
    newest = market.day(3)
    first, gone = read_source(market, market.due_at(3)), read_source(market, morning)
    back = read_source(market, market.due_at(4))
    assert first.days[-1] == newest
    assert gone.days[-1] == market.day(2)
    assert back.days[-2:].tolist() == [newest, market.day(4)]
    assert first.date_ids[-1] + 1 == back.date_ids[-2] == back.date_ids[-1] - 1
    assert np.array_equal(first.values[-1], back.values[-2], equal_nan=True)


def test_a_deleted_day_never_comes_back(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(DELETED, 3, 3))
    assert read_source(market, market.due_at(3)).days[-1] == market.day(3)
    days = read_source(market, market.due_at(9)).days
    assert market.day(3) not in days.tolist()
    market.write_final(tmp_path / "final")
    final = read_folder(market, tmp_path / "final")
    assert final.days[: len(days)].tolist() == days.tolist()


def test_a_day_that_was_left_out_renumbers_the_later_ones(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(LEFT_OUT, 3, 5))
    without, with_it = read_source(market, market.due_at(4)), read_source(market, market.due_at(5))
    assert without.days[-2:].tolist() == [market.day(2), market.day(4)]
    assert with_it.days[-3:].tolist() == [market.day(3), market.day(4), market.day(5)]
    assert with_it.date_ids[-2] == without.date_ids[-1] + 1
    assert np.array_equal(with_it.date_ids, np.arange(len(with_it.days)))


def test_a_half_written_file_ends_inside_its_last_number(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(HALF_WRITTEN, 3, 3))
    half = read_lines(market, market.due_at(3) + timedelta(minutes=30))
    text = (market.folder / "train.csv").read_text()
    whole = read_lines(market, market.due_at(3) + timedelta(hours=1))
    assert half[:-1] == whole[:-1]
    assert whole[-1].startswith(half[-1])
    assert text[-1].isdigit()
    assert half[-1].count(",") == whole[-1].count(",")


def test_an_empty_row_is_filled_an_hour_later(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(EMPTY, 3, 3))
    table, later = (market.table_at(market.due_at(3) + timedelta(hours=x)) for x in (0, 1))
    assert table.days[-1] == later.days[-1] == np.datetime64(market.day(3))
    assert np.isnan(table.values[-1]).all()
    assert np.isfinite(later.values[-1]).mean() > 0.5


def test_a_bad_day_is_repaired_with_a_later_delivery(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(BAD_DAY, 3, 6))
    row = market.history + 3
    bad, repaired = read_source(market, market.due_at(5)), read_source(market, market.due_at(6))
    assert (bad.values[row] == 0).mean() > 0.7
    assert not (repaired.values[row] == 0).any()
    other_rows = np.delete(repaired.values, row, 0)[:-1]
    assert np.array_equal(np.delete(bad.values, row, 0), other_rows, equal_nan=True)


def test_the_link_moves_to_a_second_version(tmp_path: Path) -> None:
    market = create_market(tmp_path, PlannedIncident(LINK_MOVED, 3, 3))
    before = read_source(market, market.due_at(2))
    assert market.source.resolve().name == "v1"
    after = read_source(market, market.due_at(3))
    assert market.source.resolve().name == "v2"
    assert np.array_equal(after.values[:-1], before.values, equal_nan=True)
    assert len(read_folder(market, market.folder / "v1").days) == len(before.days)


def test_the_final_files_are_those_after_all_repairs(tmp_path: Path) -> None:
    market = plan_market(tmp_path, *build_scenario(DAYS, revised=True))
    at_end = read_source(market, market.due_at(DAYS - 1) + timedelta(hours=1))
    market.write_final(tmp_path / "final")
    final = read_folder(market, tmp_path / "final")
    assert np.array_equal(final.values, at_end.values, equal_nan=True)
    assert final.date_ids.tolist() == at_end.date_ids.tolist()
    assert final.days.tolist() == at_end.days.tolist()
