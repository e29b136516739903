"""One step of training: the loss of a batch of days, AdamW, and reproducible arithmetic.

This module loads torch, so it is imported inside functions only.

The loss is the squared error on ranked labels plus a listwise term, which is one minus the
correlation of a day's scores with its ranked labels. This correlation is differentiable, unlike
Spearman's, by which forecasts are scored. For listwise losses see Cao et al., "Learning to Rank:
From Pairwise Approach to Listwise Approach" (ICML 2007).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from quant_assets.core.typing import AnyArray

_FLAT = 1e-4
"""Added to the variance of scores, which limits the loss's slope where scores are nearly equal."""
_DECAY, _SQUARE_DECAY, _EPSILON, _LONGEST_GRADIENT = 0.9, 0.999, 1e-8, 1.0


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Run torch with one thread, deterministic kernels and its own random numbers.

    The previous state is restored afterwards. One thread is used because sums over several threads
    round differently.

    Args:
        seed: seed of torch's random numbers.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    lenient = torch.is_deterministic_algorithms_warn_only_enabled()
    # Only a GPU in use has random numbers to restore; asking for others would initialise a GPU.
    cards = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    if cards:
        # cuBLAS is deterministic only with this variable.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng(devices=cards):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict, warn_only=lenient)


def training_loss(scores: Tensor, labels: Tensor, rank_weight: float) -> Tensor:
    """Compute the mean over days of squared error + ``rank_weight`` x (1 - correlation).

    Args:
        scores: (days, m) scores.
        labels: (days, m) ranked labels; NaN, which does not count, where unknown. Each day has at
            least one label.
        rank_weight: weight of the listwise term.
    """
    known = (~torch.isnan(labels)).to(scores.dtype)
    share = known / known.sum(dim=1, keepdim=True)
    labels = torch.nan_to_num(labels)
    squared = ((scores - labels) ** 2 * share).sum(dim=1)
    a, b = (x - (x * share).sum(dim=1, keepdim=True) for x in (scores, labels))
    both, of_a, of_b = ((x * share).sum(dim=1) for x in (a * b, a * a, b * b))
    correlation = both / torch.sqrt((of_a + _FLAT) * (of_b + _FLAT))
    return (squared + rank_weight * (1.0 - correlation)).mean()


class AdamW:
    """The AdamW optimiser on one vector of all parameters.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019). Torch's
    AdamW loads its compiler, which takes two seconds, and keeps its state in nested dictionaries.
    The state of this one is three vectors and a count, which a checkpoint stores as they are.
    Gradients longer than 1 are scaled to length 1.

    Args:
        network: network whose parameters are optimised.
        learning_rate: step size.
        weight_decay: decay of the parameters per unit of the step size.
    """

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        self.network, self.rate, self.decay = network, learning_rate, weight_decay
        self.vector = torch.cat([p.detach().flatten() for p in network.parameters()])
        self.mean, self.square = (torch.zeros_like(self.vector) for _ in range(2))
        self.steps = 0

    def step(self, value: Tensor) -> None:
        """Take one step down the gradient of a loss."""
        self.network.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        slopes = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters()]
        gradient = torch.cat([slope.flatten() for slope in slopes])
        gradient = gradient / torch.clamp(gradient.norm() / _LONGEST_GRADIENT, min=1.0)
        self.steps += 1
        self.mean = _DECAY * self.mean + (1 - _DECAY) * gradient
        self.square = _SQUARE_DECAY * self.square + (1 - _SQUARE_DECAY) * gradient**2
        mean = self.mean / (1 - _DECAY**self.steps)
        root = torch.sqrt(self.square / (1 - _SQUARE_DECAY**self.steps))
        change = self.rate * mean / (root + _EPSILON)
        self.vector = self.vector * (1 - self.rate * self.decay) - change
        assign_weights(self.network, self.vector)

    def state(self) -> dict[str, AnyArray]:
        """Return the state, from which :meth:`restore` continues."""
        vectors = {"vector": self.vector, "mean": self.mean, "square": self.square}
        arrays = {name: vector.cpu().numpy() for name, vector in vectors.items()}
        return {**arrays, "steps": torch.tensor(self.steps).numpy()}

    def restore(self, state: Mapping[str, AnyArray]) -> None:
        """Continue from a state of :meth:`state`, and assign its parameters to the network."""
        device = self.vector.device
        self.vector, self.mean, self.square = (
            torch.tensor(state[name], device=device) for name in ("vector", "mean", "square")
        )
        self.steps = int(state["steps"])
        assign_weights(self.network, self.vector)

    def _parameters(self) -> Iterator[nn.Parameter]:
        return self.network.parameters()


def assign_weights(network: nn.Module, vector: Tensor) -> None:
    """Copy a vector of all parameters, in the network's order, into the network."""
    sizes = [parameter.numel() for parameter in network.parameters()]
    with torch.no_grad():
        for parameter, part in zip(network.parameters(), torch.split(vector, sizes), strict=True):
            parameter.copy_(part.view_as(parameter))
