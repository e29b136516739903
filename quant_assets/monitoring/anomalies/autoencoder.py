"""A small autoencoder: how badly a day's returns and volumes fit what these have in common.

A day's standardised figures of all instruments go through ``WIDTH`` numbers and back (Hinton and
Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 2006). PyTorch
trains it; what is kept of it is arrays, which are applied without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray

WIDTH = 8
_STEPS, _RATE, _DECAY = 300, 0.02, 0.003


@dataclass(frozen=True)
class Autoencoder:
    """A trained network of one hidden layer.

    Attributes:
        inward: (k, WIDTH) weights.
        inward_bias: (WIDTH,).
        outward: (WIDTH, k) weights.
        outward_bias: (k,).
    """

    inward: FloatArray
    inward_bias: FloatArray
    outward: FloatArray
    outward_bias: FloatArray

    def errors(self, figures: FloatArray) -> FloatArray:
        """(n, k) squared errors of (n, k) figures; NaN where there is none.

        A day's do not depend, to the bit, on which others are asked for with it.
        """
        known = np.nan_to_num(figures)
        found = np.empty(figures.shape)
        # A product of many rows is summed in another order than that of one.
        for row, day in enumerate(known):
            found[row] = np.tanh(day @ self.inward + self.inward_bias) @ self.outward
        return (found + self.outward_bias - figures) ** 2

    def arrays(self) -> dict[str, AnyArray]:
        """All of it, by name, to be stored."""
        return dict(vars(self))


def unpack_autoencoder(arrays: Mapping[str, AnyArray]) -> Autoencoder:
    """What :meth:`Autoencoder.arrays` gave, as a network again."""
    names = ("inward", "inward_bias", "outward", "outward_bias")
    return Autoencoder(*(arrays[name] for name in names))


def train_autoencoder(figures: FloatArray, seed: int) -> Autoencoder:
    """The network that errs least on (n, k) figures; NaN, where unknown, is no error.

    Whole days at once by AdamW, on one thread, so the same figures give the same bits.
    """
    import torch

    from quant_assets.models.neural.optimisation import reproducible

    with reproducible(seed):
        known = torch.tensor(np.nan_to_num(figures), dtype=torch.float32)
        there = torch.tensor(np.isfinite(figures), dtype=torch.float32)
        k = figures.shape[1]
        network = torch.nn.Sequential(
            torch.nn.Linear(k, WIDTH), torch.nn.Tanh(), torch.nn.Linear(WIDTH, k)
        )
        descent = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        for _ in range(_STEPS):
            descent.zero_grad()
            error = (((network(known) - known) ** 2) * there).sum() / there.sum()
            error.backward()
            descent.step()
        weights = [p.detach().numpy().astype(np.float64) for p in network.parameters()]
    inward, inward_bias, outward, outward_bias = weights
    return Autoencoder(
        np.ascontiguousarray(inward.T), inward_bias, np.ascontiguousarray(outward.T), outward_bias
    )
