"""A small autoencoder: how far a day's returns and volumes are from their usual joint movement.

The inputs of all instruments of a day are reduced to ``HIDDEN_UNITS`` numbers and rebuilt from them
(Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science
2006). PyTorch trains the network; its weights are kept as arrays and applied without PyTorch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import AnyArray, FloatArray

HIDDEN_UNITS = 8
"""Units of the hidden layer."""
_STEPS, _LEARNING_RATE, _WEIGHT_DECAY = 300, 0.02, 0.003


@dataclass(frozen=True)
class Autoencoder:
    """A trained network of one hidden layer, for k inputs.

    Attributes:
        inward: (k, HIDDEN_UNITS) weights from the inputs to the hidden layer.
        inward_bias: (HIDDEN_UNITS,) biases of the hidden layer.
        outward: (HIDDEN_UNITS, k) weights from the hidden layer to the outputs.
        outward_bias: (k,) biases of the outputs.
    """

    inward: FloatArray
    inward_bias: FloatArray
    outward: FloatArray
    outward_bias: FloatArray

    def errors(self, inputs: FloatArray) -> FloatArray:
        """Compute the squared error of each rebuilt input.

        The errors of a day are the same to the bit whichever other days are given with it.

        Args:
            inputs: (n, k) of n days; NaN where unknown, which the network sees as 0.

        Returns:
            (n, k) squared errors; NaN where the input is unknown.
        """
        known = np.nan_to_num(inputs)
        outputs = np.empty(inputs.shape)
        # The product of a matrix and the product of one of its rows are summed in another order.
        for row, day in enumerate(known):
            outputs[row] = np.tanh(day @ self.inward + self.inward_bias) @ self.outward
        return (outputs + self.outward_bias - inputs) ** 2

    def arrays(self) -> dict[str, AnyArray]:
        """Return the weights and biases by name, to be stored."""
        return dict(vars(self))


def unpack_autoencoder(arrays: Mapping[str, AnyArray]) -> Autoencoder:
    """Rebuild a network from what :meth:`Autoencoder.arrays` returned."""
    names = ("inward", "inward_bias", "outward", "outward_bias")
    return Autoencoder(*(arrays[name] for name in names))


def train_autoencoder(inputs: FloatArray, seed: int) -> Autoencoder:
    """Train a network to rebuild the inputs of some days.

    AdamW takes all days at once, on one thread, so that the same inputs give the same bits.

    Args:
        inputs: (n, k) of n days; NaN where unknown, which does not count as an error.
        seed: of the initial weights.
    """
    import torch

    from quant_assets.models.neural.optimisation import reproducible

    with reproducible(seed):
        known = torch.tensor(np.nan_to_num(inputs), dtype=torch.float32)
        weight = torch.tensor(np.isfinite(inputs), dtype=torch.float32)
        k = inputs.shape[1]
        network = torch.nn.Sequential(
            torch.nn.Linear(k, HIDDEN_UNITS), torch.nn.Tanh(), torch.nn.Linear(HIDDEN_UNITS, k)
        )
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
        )
        for _ in range(_STEPS):
            optimiser.zero_grad()
            error = (((network(known) - known) ** 2) * weight).sum() / weight.sum()
            error.backward()
            optimiser.step()
        weights = [p.detach().numpy().astype(np.float64) for p in network.parameters()]
    inward, inward_bias, outward, outward_bias = weights
    return Autoencoder(
        np.ascontiguousarray(inward.T), inward_bias, np.ascontiguousarray(outward.T), outward_bias
    )
