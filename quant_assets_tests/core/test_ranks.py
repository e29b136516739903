"""Ranks equal those of scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from quant_assets.core.ranks import average_ranks, standardised_ranks
from quant_assets.core.typing import FloatArray

# Few distinct values, both zeros and both infinities: ties in every row.
COARSE = st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 5e-324, 1.0, 1.0 + 2**-52, np.inf, np.nan])
ANY = st.floats(allow_nan=True, allow_infinity=True)


def by_scipy(values: FloatArray) -> FloatArray:
    ranks = np.full(values.shape, np.nan)
    for row, out in zip(values, ranks, strict=True):
        known = ~np.isnan(row)
        out[known] = rankdata(row[known])
    return ranks


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=40),
        elements=st.one_of(COARSE, ANY),
    )
)
def test_average_ranks_are_scipys(values: FloatArray) -> None:
    before = values.copy()
    np.testing.assert_array_equal(average_ranks(values), by_scipy(values))
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("decimals", [1, 2, 12])
@pytest.mark.parametrize("empty", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("infinite", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_wide_rows(decimals: int, empty: float, infinite: bool, kind: type) -> None:
    random = np.random.default_rng(decimals)
    values = random.normal(size=(150, 424)).round(decimals).astype(kind)
    values[random.random(values.shape) < empty] = np.nan
    if infinite:
        values[::3, ::50], values[1::3, ::60] = np.inf, -np.inf
    ranks = average_ranks(values)
    assert ranks.dtype == np.float64
    np.testing.assert_array_equal(ranks, by_scipy(values))
    np.testing.assert_array_equal(average_ranks(np.asfortranarray(values)), ranks)


def test_rows_do_not_depend_on_each_other() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(30, 50)).round(1)
    values[random.random(values.shape) < 0.2] = np.nan
    values[7], values[8] = np.nan, np.inf
    alone = np.vstack([average_ranks(row[None]) for row in values])
    np.testing.assert_array_equal(average_ranks(values), alone)


def test_one_column_and_no_column() -> None:
    np.testing.assert_array_equal(average_ranks(np.array([[3.0], [np.nan]])), [[1.0], [np.nan]])
    assert average_ranks(np.empty((3, 0))).shape == (3, 0)
    assert average_ranks(np.empty((0, 3))).shape == (0, 3)
    assert standardised_ranks(np.empty((0, 3))).shape == (0, 3)


def test_standardised_ranks() -> None:
    values = np.array([[10.0, np.nan, 30.0, 20.0], [1.0, 1.0, np.nan, 1.0], [np.nan] * 4])
    expected = [[-2 / 3, np.nan, 2 / 3, 0.0], [0.0, 0.0, np.nan, 0.0], [np.nan] * 4]
    np.testing.assert_allclose(standardised_ranks(values), expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(standardised_ranks(np.array([[5.0]])), [[0.0]])
