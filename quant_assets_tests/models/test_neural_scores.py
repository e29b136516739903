"""Integrated gradients against closed forms."""

import numpy as np
import torch
from torch import Tensor, nn

from quant_assets.models.neural.scores import contributions
from quant_assets.models.neural.training import NetworkInput, NetworkSpec
from quant_assets.models.protocol import PRIOR

NAMES = ("a", "b", "c")


class Product(nn.Module):
    """A network whose score is a b + c for the first target and 1 more for the second."""

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = x[:, -1].unbind(dim=-1)
        return a * b + c + torch.tensor([0.0, 1.0])


def drawn(days: int) -> NetworkInput:
    values = np.random.default_rng(3).normal(size=(days, 2, 3)).astype(np.float32)
    return NetworkInput(values, NAMES)


def test_a_product_is_shared_and_a_sum_is_not() -> None:
    """By symmetry each factor has half of the product (Sundararajan et al., section 3)."""
    inputs = drawn(4)
    result = contributions([NetworkSpec(Product, (inputs,))], [{}], 3, {})
    a, b, c = np.moveaxis(inputs.values[-3:].astype(np.float64), -1, 0)
    expected = {"a": a * b / 2, "b": a * b / 2, "c": c, PRIOR: np.tile([0.0, 1.0], (3, 1))}
    assert result.keys() == expected.keys()
    for name, part in expected.items():
        np.testing.assert_allclose(result[name], part, rtol=1e-12, atol=1e-12)


def test_networks_are_averaged_and_inputs_summed_by_group() -> None:
    first, second = drawn(2), NetworkInput(-drawn(2).values, ("d", "b", "c"))
    specs = [NetworkSpec(Product, (series,)) for series in (first, second)]
    result = contributions(specs, [{}, {}], 2, {"b": "both", "c": "both"})
    a, b, c = np.moveaxis(first.values.astype(np.float64), -1, 0)
    expected = {"a": a * b / 4, "both": (a * b / 2 + c + a * b / 2 - c) / 2, "d": a * b / 4}
    for name, part in expected.items():
        np.testing.assert_allclose(result[name], part, rtol=1e-12, atol=1e-12)
