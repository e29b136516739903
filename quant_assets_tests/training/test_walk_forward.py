"""The as-of rows of walk-forward fits, and the fit in force on a row."""

import numpy as np
import pytest

from quant_assets.training.walk_forward import find_fit_in_force, fit_rows


@pytest.mark.parametrize(
    ("rows", "first", "every", "fits"),
    [(2038, 504, 60, 26), (504, 504, 60, 0), (505, 504, 60, 1), (564, 504, 60, 1), (10, 3, 1, 7)],
)
def test_grid_of_fits(rows: int, first: int, every: int, fits: int) -> None:
    grid = fit_rows(rows, first, every)
    assert len(grid) == fits
    assert grid[:1].tolist() == [first][:fits]
    assert set(np.diff(grid)) <= {every}
    assert not len(grid) or rows - every <= grid[-1] < rows


def test_later_days_add_fits_and_move_none() -> None:
    longer = fit_rows(2038, 504, 60)
    for rows in range(500, 2038, 77):
        shorter = fit_rows(rows, 504, 60)
        np.testing.assert_array_equal(shorter, longer[: len(shorter)])


def test_fit_in_force_is_the_newest_as_of_the_row_or_before() -> None:
    fits = np.array([5, 8, 20])
    rows = np.arange(25)
    expected = [max((i for i, fit in enumerate(fits) if fit <= row), default=-1) for row in rows]
    np.testing.assert_array_equal(find_fit_in_force(rows, fits), expected)
    assert find_fit_in_force(rows, fits[:0]).tolist() == [-1] * 25
    assert len(find_fit_in_force(rows[:0], fits)) == 0
