"""What surrounds a flagged close: its past, the closes around it, and its group."""

import numpy as np
import pytest

from quant_assets.review.move_context import MoveContext, describe_moves

GROUPS = ("metals", "metals", "metals", "stocks")
WINDOW = 60
ROW = 80


def describe(closes: np.ndarray, *cells: tuple[int, int]) -> MoveContext:
    rows, columns = np.array(cells).T
    return describe_moves(closes, closes, GROUPS, (rows, columns), WINDOW)


@pytest.fixture
def closes() -> np.ndarray:
    moves = np.random.default_rng(1).normal(0, 0.01, (100, 4))
    moves[ROW] = np.log([1.5, 1.3, 0.9, 1.4])
    return 100 * np.exp(np.cumsum(moves, axis=0))


def test_a_move_is_compared_with_its_past_and_its_group(closes: np.ndarray) -> None:
    context = describe(closes, (ROW, 0), (ROW, 3))
    np.testing.assert_allclose(context.move, [0.5, 0.4])
    np.testing.assert_allclose(context.previous, closes[ROW - 1, [0, 3]])
    np.testing.assert_allclose(context.following, closes[ROW + 1, [0, 3]])
    assert context.group_move[0] == pytest.approx((0.3 - 0.1) / 2)
    assert np.isnan(context.group_move[1])
    assert context.others.tolist() == [2, 0]
    assert context.alike.tolist() == [1, 0]


def test_deviations_are_those_of_the_rule_that_flags(closes: np.ndarray) -> None:
    (deviations,) = describe(closes, (ROW, 0)).deviations
    past = np.diff(np.log(closes[:, 0]))[ROW - 1 - WINDOW : ROW - 1]
    middle = np.median(past)
    deviation = 1.4826 * np.median(np.abs(past - middle))
    assert deviations == pytest.approx((np.log(1.5) - middle) / deviation)


def test_a_series_that_never_moved_has_infinitely_many_deviations(closes: np.ndarray) -> None:
    closes[:ROW, 0] = 100.0
    assert describe(closes, (ROW, 0)).deviations == np.inf


def test_only_the_next_close_depends_on_later_days(closes: np.ndarray) -> None:
    before = describe(closes, (ROW, 0))
    closes[ROW + 1 :] *= 2
    after = describe(closes, (ROW, 0))
    assert after.following == 2 * before.following
    for name in ("move", "deviations", "previous", "group_move", "others", "alike"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_missing_closes_are_left_out(closes: np.ndarray) -> None:
    closes[ROW + 1 : ROW + 3, 0] = np.nan
    closes[ROW, 1] = np.nan
    context = describe(closes, (ROW, 0), (99, 0))
    assert context.following[0] == closes[ROW + 3, 0]
    assert np.isnan(context.following[1])
    assert context.others.tolist() == [1, 2]
