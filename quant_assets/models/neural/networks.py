"""The networks. ``neural.training`` trains them, and the families build their inputs.

This module loads torch, so it is imported inside functions only. Every network computes (days, m)
scores from (days, steps, ..., p) inputs.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from quant_assets.core.typing import IntArray


class PooledMlp(nn.Module):
    """A linear score plus the score of a small perceptron, with the same weights for all targets.

    Args:
        features: number of target features.
        hidden: widths of the hidden layers.
        dropout: dropout after each hidden layer.
    """

    def __init__(self, features: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        widths = (features, *hidden)
        layers = ((nn.Linear(a, b), nn.SiLU(), nn.Dropout(dropout)) for a, b in pairwise(widths))
        self.body = nn.Sequential(*(layer for triple in layers for layer in triple))
        self.head = nn.Linear(widths[-1], 1)
        self.direct = nn.Linear(features, 1, bias=False)
        _score_zero(self.head, self.direct)

    def forward(self, target: Tensor) -> Tensor:
        """Compute scores from (days, steps, m, p) target features; only the last step counts."""
        x = target[:, -1]
        scores: Tensor = (self.head(self.body(x)) + self.direct(x)).squeeze(-1)
        return scores


class PooledRnn(nn.Module):
    """Elman's recurrent network over a target's last days, with the same weights for all targets.

    Source: Elman, "Finding Structure in Time" (1990).

    Args:
        features: number of target features.
        hidden: width of the state.
        dropout: dropout on the last state.
    """

    def __init__(self, features: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.recurrent = nn.RNN(features, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, 1)
        _score_zero(self.head)

    def forward(self, target: Tensor) -> Tensor:
        """Compute scores from (days, steps, m, p) target features."""
        days, steps, m, p = target.shape
        states, _ = self.recurrent(target.transpose(1, 2).reshape(days * m, steps, p))
        scores: Tensor = self.head(self.dropout(states[:, -1])).reshape(days, m)
        return scores


class RegimeLstm(nn.Module):
    """A linear score whose weights depend on the market's last days.

    An LSTM (Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997) reads the market's last
    days. Its final state h changes the weights w of the target features x to w + G h, so the score
    is x . (w + G h).

    Args:
        features: number of target features.
        market: number of market inputs, the regime probability included.
        hidden: width of the state.
        dropout: dropout on the last state.
    """

    def __init__(self, features: int, market: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.memory = nn.LSTM(market, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.gate = nn.Linear(hidden, features, bias=False)
        self.weight = nn.Parameter(torch.zeros(features))
        _score_zero(self.gate)

    def forward(self, target: Tensor, market: Tensor, regime: Tensor) -> Tensor:
        """Compute the scores.

        Args:
            target: (days, 1, m, p) target features.
            market: (days, steps, f) market features.
            regime: (days, 1, steps, 1) standardised regime probabilities.
        """
        states, _ = self.memory(torch.cat([market, regime[:, -1]], dim=-1))
        weight = self.weight + self.gate(self.dropout(states[:, -1]))
        return torch.matmul(target[:, -1], weight[:, :, None]).squeeze(-1)


class PairTransformer(nn.Module):
    """A transformer over instruments that scores a target as leg A's score less leg B's.

    Encoder blocks are those of Vaswani et al., "Attention Is All You Need" (2017), with the
    normalisation first. There is one token per instrument: a projection of the instrument's
    features plus a learnt vector of the instrument.

    Args:
        legs: (m, 2) positions of both legs; -1, which has the score 0, for no second leg.
        periods: (m,) index of the head's output for each target's holding period.
        instruments: number of instruments.
        features: number of features of an instrument.
        width: width of a token.
        heads: number of attention heads.
        layers: number of blocks.
        dropout: dropout on tokens and in blocks.
    """

    def __init__(
        self,
        legs: IntArray,
        periods: IntArray,
        *,
        instruments: int,
        features: int,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("legs", torch.tensor(legs), persistent=False)
        self.register_buffer("periods", torch.tensor(periods), persistent=False)
        self.project = nn.Linear(features, width)
        self.own = nn.Parameter(0.02 * torch.randn(instruments, width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(_Block(width, heads, dropout) for _ in range(layers)))
        self.head = nn.Linear(width, int(periods.max()) + 1)
        _score_zero(self.head)

    def forward(self, instrument: Tensor) -> Tensor:
        """Compute scores from (days, 1, k, q) instrument features."""
        tokens = self.dropout(self.project(instrument[:, -1]) + self.own)
        legs: Tensor = self.head(self.blocks(tokens))
        legs = torch.cat([legs, torch.zeros_like(legs[:, :1])], dim=1)
        periods, ends = self.get_buffer("periods"), self.get_buffer("legs")
        return legs[:, ends[:, 0], periods] - legs[:, ends[:, 1], periods]


class _Block(nn.Module):
    """An encoder block: attention and a perceptron, each added to its input."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_body = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.body = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute (days, k, width) tokens from tokens of the same shape."""
        tokens = tokens + self.dropout(self._attend(self.before_attention(tokens)))
        out: Tensor = tokens + self.dropout(self.body(self.before_body(tokens)))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        """Compute scaled dot-product attention by plain products.

        Their gradients are deterministic, unlike those of fused kernels.
        """
        days, k, width = x.shape
        parts = self.queries_keys_values(x).reshape(days, k, 3, self.heads, -1)
        q, keys, values = parts.permute(2, 0, 3, 1, 4)
        affinity = torch.softmax(q @ keys.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        mixed: Tensor = self.mix((affinity @ values).transpose(1, 2).reshape(days, k, width))
        return mixed


def _score_zero(*last: nn.Linear) -> None:
    """Set the last layers to zero, so that no target's score begins with a random advantage."""
    for layer in last:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
