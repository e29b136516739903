"""Factors of matrices over all targets equal the matrices themselves."""

import numpy as np
import pytest

from quant_assets.models import label_transforms
from quant_assets.models.families import ridge
from quant_assets.models.label_transforms import decorrelation_matrix
from quant_assets.models.low_rank import (
    LowRankInverse,
    Product,
    find_matrix,
    invert_shrunk,
    name_arrays,
)
from quant_assets.models.protocol import Observations, Resources

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 1.0])
def test_decorrelation_of_many_targets_equals_the_whole_inverse(
    shrinkage: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = RNG.normal(size=(30, 50))
    ranks[3] = np.nan
    ranks[4, 7] = np.nan
    whole = decorrelation_matrix(ranks, shrinkage)
    monkeypatch.setattr(label_transforms, "WHOLE_MATRIX", 40)
    factors = decorrelation_matrix(ranks, shrinkage)
    assert isinstance(factors, LowRankInverse)
    np.testing.assert_allclose(np.eye(50) @ factors, whole, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ranks[0] @ factors, ranks[0] @ whole, rtol=1e-9, atol=1e-12)


def test_factors_survive_storage() -> None:
    x = RNG.normal(size=9)
    for matrix in (
        RNG.normal(size=(9, 9)),
        invert_shrunk(RNG.normal(size=(3, 9)), 0.5, 0.5),
        Product(RNG.normal(size=(9, 2)), RNG.normal(size=(2, 9))),
    ):
        restored = find_matrix("name", {"other": x, **name_arrays("name", matrix)})
        np.testing.assert_array_equal(x @ restored, x @ matrix)


def test_a_product_multiplies_as_its_array_does() -> None:
    product = Product(RNG.normal(size=(6, 2)), RNG.normal(size=(2, 4)))
    whole, other = product.left @ product.right, RNG.normal(size=(4, 5))
    np.testing.assert_allclose(np.eye(6) @ (product @ other), whole @ other)
    np.testing.assert_allclose(product.absolute_row_sums(), np.abs(whole).sum(axis=1))


@pytest.mark.parametrize("rank", [None, 3])
def test_ridge_with_factors_forecasts_as_with_whole_matrices(
    rank: int | None, observations: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {**ridge.defaults, "rank": rank}
    early = observations.rows(0, 90)
    whole = ridge.fit(early, parameters, Resources())
    monkeypatch.setattr(label_transforms, "WHOLE_MATRIX", 0)
    factors = ridge.fit(early, parameters, Resources())
    assert isinstance(whole.coefficients, np.ndarray)
    assert isinstance(factors.coefficients, Product)
    again = ridge.load(factors.to_bytes())
    expected = whole.forecast(early, 5)
    np.testing.assert_allclose(again.forecast(early, 5), expected, rtol=1e-7, atol=1e-9)
    assert again.importance() == pytest.approx(whole.importance())
