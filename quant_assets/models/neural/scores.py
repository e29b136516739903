"""Scores of trained networks, and how much each input adds to them.

This module loads torch, so it is imported inside functions only.
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
"""Number of points of the quadrature that integrates slopes."""


def forecast_scores(
    specs: Sequence[NetworkSpec], weights: Sequence[Mapping[str, AnyArray]], rows: int
) -> FloatArray:
    """Compute the (rows, m) mean scores of the networks for the last rows of their inputs.

    Days are computed one at a time on the processor, because a product over many days may round
    differently.

    Args:
        specs: the networks and their inputs.
        weights: weights of each network, by name.
        rows: number of last rows.
    """
    n = len(specs[0].inputs[0].values)
    with reproducible(0), torch.inference_mode():
        networks = [_load_network(*pair) for pair in zip(specs, weights, strict=True)]
        days = [np.array([row]) for row in range(n - rows, n)]
        scores = [
            sum(
                network(*(series.batch(day) for series in spec.inputs)).numpy()[0]
                for network, spec in zip(networks, specs, strict=True)
            )
            for day in days
        ]
    return np.stack(scores).astype(np.float64) / len(specs)


def contributions(
    specs: Sequence[NetworkSpec],
    weights: Sequence[Mapping[str, AnyArray]],
    rows: int,
    groups: Groups,
) -> dict[str, FloatArray]:
    """Compute what each group of inputs, and the prior, add to the scores of the last rows.

    Returns (rows, m) arrays by group. These are integrated gradients from the mean of all inputs
    (Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017): a group's part is
    the integral of the scores' slope in the direction of the group's inputs, along the straight
    line from the mean to the day's inputs. By Gauss-Legendre quadrature, the parts sum to the
    scores with an error below a thousandth of their deviation. Days are computed one at a time, in
    double precision, in which every layer has second derivatives.

    Args:
        specs: the networks and their inputs.
        weights: weights of each network, by name.
        rows: number of last rows.
        groups: group of each input.
    """
    n = len(specs[0].inputs[0].values)
    total: dict[str, FloatArray] = {}
    with reproducible(0):
        for spec, arrays in zip(specs, weights, strict=True):
            network = _load_network(spec, arrays).double()
            days = [_compute_day_parts(network, spec, row, groups) for row in range(n - rows, n)]
            for group in days[0]:
                part = np.stack([day[group] for day in days]) / len(specs)
                total[group] = total[group] + part if group in total else part
    return total


def _compute_day_parts(
    network: nn.Module, spec: NetworkSpec, row: int, groups: Groups
) -> dict[str, FloatArray]:
    """Compute the (m,) part of each group in one network's scores of one day."""
    inputs = [series.batch(np.array([row])).double() for series in spec.inputs]
    of_input = [[groups.get(name, name) for name in series.names] for series in spec.inputs]
    nodes, shares = np.polynomial.legendre.leggauss(_STEPS)
    fractions = torch.from_numpy((nodes + 1.0) / 2.0)
    points = [(fractions.view(-1, *[1] * (x.ndim - 1)) * x).requires_grad_() for x in inputs]
    scores = network(*points)
    # The products of slopes and a direction are linear in ``weights``. Their derivative by weights
    # is the scores' slope in this direction, for all targets at once.
    weights = torch.zeros_like(scores, requires_grad=True)
    slopes = torch.autograd.grad(scores, points, weights, create_graph=True)
    parts = {}
    for name in dict.fromkeys(chain(*of_input)):
        directions = [
            x * torch.tensor([group == name for group in of_series])
            for x, of_series in zip(inputs, of_input, strict=True)
        ]
        products = [(slope * d).sum() for slope, d in zip(slopes, directions, strict=True)]
        (by_target,) = torch.autograd.grad(products, weights, retain_graph=True)
        parts[name] = shares / 2.0 @ by_target.numpy()
    prior = network(*map(torch.zeros_like, inputs)).detach()
    return {**parts, PRIOR: prior[0].numpy()}


def input_saliency(
    specs: Sequence[NetworkSpec], weights: Sequence[Mapping[str, AnyArray]], rows: IntArray
) -> dict[str, float]:
    """Compute each input's share in the mean absolute slope of the spread of a day's scores.

    The slope is the gradient of the scores' sum of squares about their mean with respect to
    standardised inputs (Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks",
    2013).

    Args:
        specs: the networks and their inputs.
        weights: weights of each network, by name.
        rows: (r,) rows of the inputs over which slopes are averaged.
    """
    share: dict[str, float] = {}
    with reproducible(0):
        for spec, arrays in zip(specs, weights, strict=True):
            inputs = [series.batch(rows).requires_grad_() for series in spec.inputs]
            scores = _load_network(spec, arrays)(*inputs)
            spread = (scores - scores.mean(dim=1, keepdim=True)).square().sum()
            slopes = torch.autograd.grad(spread, inputs)
            for series, slope in zip(spec.inputs, slopes, strict=True):
                size = slope.abs().flatten(0, -2).mean(dim=0).tolist()
                for name, value in zip(series.names, size, strict=True):
                    share[name] = share.get(name, 0.0) + value
    total = max(sum(share.values()), float(np.finfo(float).tiny))
    return {name: value / total for name, value in share.items()}


def _load_network(spec: NetworkSpec, weights: Mapping[str, AnyArray]) -> nn.Module:
    network = spec.build()
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return network.eval()
