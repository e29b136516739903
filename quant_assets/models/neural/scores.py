"""Scores of trained networks, and what they depend on.

Imported inside functions only, since it loads torch.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import torch
from torch import nn

from quant_assets.core.typing import AnyArray, FloatArray, IntArray
from quant_assets.models.neural.optimisation import reproducible
from quant_assets.models.neural.training import NetworkSpec
from quant_assets.models.protocol import PRIOR, Groups

_STEPS = 16
"""Points of the quadrature by which slopes are integrated."""


def forecast_scores(
    members: Sequence[NetworkSpec], weights: Sequence[Mapping[str, AnyArray]], rows: int
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


def contributions(
    members: Sequence[NetworkSpec],
    weights: Sequence[Mapping[str, AnyArray]],
    rows: int,
    groups: Groups,
) -> dict[str, FloatArray]:
    """(rows, m) part of each group of inputs in the scores of the last rows, and the prior.

    Integrated gradients from the mean of all inputs (Sundararajan, Taly and Yan, "Axiomatic
    Attribution for Deep Networks", 2017): a group's part is the integral, over the straight way
    from there to the day's inputs, of the scores' slope in the direction of the group alone.
    By quadrature (Gauss-Legendre); what the parts miss of a forecast is below a thousandth of its
    deviation. In double precision, in which every layer can be derived twice; one day at a time.
    """
    n = len(members[0].inputs[0].values)
    total: dict[str, FloatArray] = {}
    with reproducible(0):
        for member, kept in zip(members, weights, strict=True):
            network = _loaded(member, kept).double()
            days = [_of_day(network, member, row, groups) for row in range(n - rows, n)]
            for group in days[0]:
                part = np.stack([day[group] for day in days]) / len(members)
                total[group] = total[group] + part if group in total else part
    return total


def _of_day(
    network: nn.Module, member: NetworkSpec, row: int, groups: Groups
) -> dict[str, FloatArray]:
    """(m,) part of each group in one network's scores of one day."""
    inputs = [series.batch(np.array([row])).double() for series in member.inputs]
    of_input = [[groups.get(name, name) for name in series.names] for series in member.inputs]
    nodes, shares = np.polynomial.legendre.leggauss(_STEPS)
    way = torch.from_numpy((nodes + 1.0) / 2.0)
    points = [(way.view(-1, *[1] * (x.ndim - 1)) * x).requires_grad_() for x in inputs]
    scores = network(*points)
    # A product with slopes is linear in its weights: deriving it by them gives the scores' slopes
    # in one direction, for all targets at once.
    weights = torch.zeros_like(scores, requires_grad=True)
    slopes = torch.autograd.grad(scores, points, weights, create_graph=True)
    found = {}
    for name in dict.fromkeys(chain(*of_input)):
        along = [
            x * torch.tensor([group == name for group in of_series])
            for x, of_series in zip(inputs, of_input, strict=True)
        ]
        moved = [(slope * d).sum() for slope, d in zip(slopes, along, strict=True)]
        (by_target,) = torch.autograd.grad(moved, weights, retain_graph=True)
        found[name] = shares / 2.0 @ by_target.numpy()
    prior = network(*map(torch.zeros_like, inputs)).detach()
    return {**found, PRIOR: prior[0].numpy()}


def saliency(
    members: Sequence[NetworkSpec], weights: Sequence[Mapping[str, AnyArray]], rows: IntArray
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


def _loaded(member: NetworkSpec, weights: Mapping[str, AnyArray]) -> nn.Module:
    network = member.build()
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return network.eval()
