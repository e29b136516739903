"""People's decisions about single prices: what cleaning makes of them, and what it does not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.quality.cleaning import CellFlag, CleanedTable, CleaningRules, clean
from quant_assets.quality.review_decisions import ReviewAction, ReviewDecision, keep_in_force
from quant_assets.quality.rows import flag_text
from quant_assets.sources.deliveries import UnreadCell
from quant_assets_tests.support.cleaning_market import BAR, CLOSE, FX, SERIES, market, table_of

JUMP = 80


def prices() -> FloatArray:
    """Prices of which one close is wrong for a day."""
    values = market(120)
    moves = np.random.default_rng(2).normal(0, 0.001, len(values))
    values[:, FX] = 1.2 * np.exp(np.cumsum(moves))
    values[JUMP, FX] = 1.8
    return values


def decide(
    action: ReviewAction, values: FloatArray, cell: tuple[int, int] = (JUMP, FX), second: int = 0
) -> ReviewDecision:
    row, column = cell
    series = SERIES.series[column]
    return ReviewDecision(
        datetime(2024, 1, 1, 12, 0, second),  # noqa: DTZ001  # as the lake has it, UTC
        table_of(values).days[row].item(),
        series.instrument,
        series.field,
        values[cell],
        action,
        "a digit too many",
        "Ada",
    )


def clean_with(values: FloatArray, *decisions: ReviewDecision) -> CleanedTable:
    return clean(table_of(values), "test", decisions=decisions)


def assert_equal(a: CleanedTable, b: CleanedTable, rows: slice = slice(None)) -> None:
    for name in ("value", "filled", "flags"):
        np.testing.assert_array_equal(getattr(a, name)[rows], getattr(b, name)[rows])


def test_without_a_decision_the_wrong_close_and_the_way_back_are_jumps() -> None:
    flags = clean_with(prices()).flags[:, FX]
    assert np.flatnonzero(flags & CellFlag.JUMP).tolist() == [JUMP, JUMP + 1]


def test_a_rejected_close_is_as_if_it_had_not_been_given_but_for_its_trace() -> None:
    values = prices()
    cleaned = clean_with(values, decide("reject", values))
    empty = values.copy()
    empty[JUMP, FX] = np.nan
    without = clean_with(empty)
    np.testing.assert_array_equal(cleaned.value, without.value)
    np.testing.assert_array_equal(cleaned.filled, without.filled)
    assert not (cleaned.flags & CellFlag.JUMP).any()
    assert flag_text(cleaned.flags[JUMP, FX]) == "filled,rejected,reviewed"
    (row,) = cleaned.quarantine.to_dict("records")
    assert row["reason"] == "rejected by Ada: a digit too many"
    assert (row["column"], row["value"], row["row"]) == ("FX_USDJPY", "1.8", JUMP)


def test_an_accepted_close_keeps_its_value_and_loses_its_flag_alone() -> None:
    values = prices()
    plain, cleaned = clean_with(values), clean_with(values, decide("accept", values))
    np.testing.assert_array_equal(cleaned.value, plain.value)
    np.testing.assert_array_equal(cleaned.filled, plain.filled)
    assert flag_text(cleaned.flags[JUMP, FX]) == "reviewed"
    changed = np.argwhere(cleaned.flags != plain.flags)
    assert changed.tolist() == [[JUMP, FX]]


def test_an_undone_decision_leaves_no_trace() -> None:
    values = prices()
    undone = decide("reject", values), decide("undo", values, second=1)
    cleaned = clean_with(values, *undone)
    assert_equal(cleaned, clean_with(values))
    assert cleaned.quarantine.empty


def test_the_newest_decision_counts() -> None:
    values = prices()
    decisions = [decide("reject", values), decide("accept", values, second=1)]
    assert_equal(clean_with(values, *decisions), clean_with(values, decisions[1]))
    assert list(keep_in_force(decisions).values()) == decisions[1:]


def test_a_decision_is_about_one_value() -> None:
    values = prices()
    decision = decide("reject", values)
    values[JUMP, FX] = np.nextafter(1.8, 2)
    assert_equal(clean_with(values, decision), clean_with(values))


@pytest.mark.parametrize("days", [-4000, 1, 4000])
def test_a_decision_about_a_day_that_is_not_there_changes_nothing(days: int) -> None:
    values = prices()
    decision = decide("reject", values)
    table = table_of(values)
    moved = np.datetime64(decision.trading_day) + np.timedelta64(days, "D")
    elsewhere = replace(decision, trading_day=moved.item())
    assert_equal(clean(table, "test", decisions=[elsewhere]), clean_with(values))
    unknown = replace(decision, instrument="FX_ABCDEF")
    assert_equal(clean(table, "test", decisions=[unknown]), clean_with(values))


@pytest.mark.parametrize("value", [-5.0, 0.0, np.inf])
def test_nobody_accepts_an_impossible_number(value: float) -> None:
    values = prices()
    values[JUMP, FX] = value
    for action in ("accept", "reject"):
        cleaned = clean_with(values, decide(action, values))
        assert_equal(cleaned, clean_with(values))
        assert not cleaned.quarantine["reason"].str.startswith("rejected by").any()


def test_nobody_accepts_text() -> None:
    values = prices()
    decision = decide("accept", values)
    values[JUMP, FX] = np.nan
    table = table_of(values, UnreadCell(JUMP, "FX_USDJPY", "1,8"))
    for value in (decision.value, np.nan):
        cleaned = clean(table, "test", decisions=[replace(decision, value=value)])
        assert cleaned.flags[JUMP, FX] == CellFlag.FILLED | CellFlag.REJECTED


def test_an_accepted_price_stays_in_a_bar_that_contradicts_itself() -> None:
    values = prices()
    values[JUMP, :4] = [10, 9.5, 9, 9.2]
    plain = clean_with(values)
    assert np.isnan(plain.value[JUMP, :3]).all()
    cleaned = clean_with(values, decide("accept", values, (JUMP, 1)))
    assert np.isnan(cleaned.value[JUMP, :3]).tolist() == [True, False, True]
    assert cleaned.quarantine["column"].tolist() == [BAR[0], BAR[2]]


def test_a_rejected_close_no_longer_speaks_against_its_bar() -> None:
    values = prices()
    values[JUMP, :4] = [10, 11, 9, 900]
    cleaned = clean_with(values, decide("reject", values, (JUMP, CLOSE)))
    assert cleaned.quarantine["column"].tolist() == [BAR[3]]


@pytest.mark.parametrize("action", ["accept", "reject"])
def test_a_decision_changes_nothing_before_its_day_nor_long_after_it(action: ReviewAction) -> None:
    values = market(400, seed=5)
    random = np.random.default_rng(8)
    plain, reach = clean_with(values), CleaningRules().history
    for row in random.integers(1, 300, 10).tolist():
        column = int(random.integers(values.shape[1]))
        if np.isnan(values[row, column]):
            continue
        cleaned = clean_with(values, decide(action, values, (row, column)))
        assert_equal(cleaned, plain, slice(row))
        assert_equal(cleaned, plain, slice(row + reach + 1, None))
        others = np.arange(values.shape[1]) != column
        if column not in range(4):
            np.testing.assert_array_equal(cleaned.value[:, others], plain.value[:, others])


def test_days_cleaned_alone_equal_days_cleaned_in_bulk() -> None:
    values = prices()
    decisions = [decide("reject", values), decide("accept", values, (JUMP + 1, FX))]
    bulk, reach = clean_with(values, *decisions), CleaningRules().history
    table = table_of(values)
    for row in range(reach, 120, 7):
        part = _rows(slice(row - reach, row + 1), values)
        alone = clean(part, "test", decisions=decisions)
        np.testing.assert_array_equal(alone.value[-1], bulk.value[row])
        np.testing.assert_array_equal(alone.filled[-1], bulk.filled[row])
        np.testing.assert_array_equal(alone.flags[-1], bulk.flags[row])
    assert len(table.days) == 120


def _rows(part: slice, values: FloatArray):  # type: ignore[no-untyped-def]
    table = table_of(values)
    return replace(table, days=table.days[part], date_ids=table.date_ids[part], values=values[part])


def test_the_order_of_cells_does_not_matter() -> None:
    values = prices()
    decisions: Sequence[ReviewDecision] = [
        decide("reject", values),
        decide("accept", values, (JUMP + 1, FX)),
    ]
    assert_equal(clean_with(values, *decisions), clean_with(values, *decisions[::-1]))
