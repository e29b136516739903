"""Scores of trained networks, and what they depend on.

Imported inside functions only, since it loads torch.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from quant_assets.models.descent import reproducible
from quant_assets.models.neural import Member
from quant_assets.typing import AnyArray, FloatArray, IntArray


def forecast(
    members: Sequence[Member], weights: Sequence[Mapping[str, AnyArray]], rows: int
) -> FloatArray:
    """(rows, m) mean scores of the networks for the last rows of their inputs.

    One day at a time, on the processor: a product over many days may round differently.
    """
    n = len(members[0].inputs[0].values)
    with reproducible(0), torch.inference_mode():
        networks = [_loaded(*pair) for pair in zip(members, weights, strict=True)]
        days = [np.array([row]) for row in range(n - rows, n)]
        scores = [
            sum(
                network(*(series.batch(day) for series in member.inputs)).numpy()[0]
                for network, member in zip(networks, members, strict=True)
            )
            for day in days
        ]
    return np.stack(scores).astype(np.float64) / len(members)


def saliency(
    members: Sequence[Member], weights: Sequence[Mapping[str, AnyArray]], rows: IntArray
) -> dict[str, float]:
    """Share of each input in the mean absolute slope of the spread of a day's scores.

    The slope is the gradient with respect to standardised inputs (Simonyan, Vedaldi and Zisserman,
    "Deep Inside Convolutional Networks", 2013) of the scores' sum of squares about their mean.
    """
    share: dict[str, float] = {}
    with reproducible(0):
        for member, kept in zip(members, weights, strict=True):
            inputs = [series.batch(rows).requires_grad_() for series in member.inputs]
            scores = _loaded(member, kept)(*inputs)
            spread = (scores - scores.mean(dim=1, keepdim=True)).square().sum()
            slopes = torch.autograd.grad(spread, inputs)
            for series, slope in zip(member.inputs, slopes, strict=True):
                size = slope.abs().flatten(0, -2).mean(dim=0).tolist()
                for name, value in zip(series.names, size, strict=True):
                    share[name] = share.get(name, 0.0) + value
    total = max(sum(share.values()), float(np.finfo(float).tiny))
    return {name: value / total for name, value in share.items()}


def _loaded(member: Member, weights: Mapping[str, AnyArray]) -> nn.Module:
    network = member.build()
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return network.eval()
