"""What the neural families share: inputs, training with early stopping, checkpoints.

Imported inside functions only, since it loads torch. What a network computes is in ``networks``,
one step of training in ``descent``, forecasts in ``scoring``; what a network is fed, in its family.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from quant_assets.core.errors import FitError
from quant_assets.core.typing import AnyArray, FloatArray, IntArray
from quant_assets.models.neural.checkpoint import Checkpoint, digest
from quant_assets.models.neural.optimisation import AdamW, assign_weights, loss, reproducible
from quant_assets.models.protocol import Parameters

_VALIDATION_DAYS = 90


@dataclass(frozen=True)
class TrainingOptions:
    """How networks are trained.

    Attributes:
        epochs: at most.
        patience: epochs without a better validation loss before training ends.
        days_per_epoch: drawn anew for every epoch.
        batch_days: days a step.
        learning_rate: of AdamW.
        weight_decay: likewise.
        rank_weight: of the loss's listwise term.
    """

    epochs: int
    patience: int
    days_per_epoch: int
    batch_days: int
    learning_rate: float
    weight_decay: float
    rank_weight: float


def read_options(parameters: Parameters) -> TrainingOptions:
    """A family's parameters as far as they are about training."""
    return TrainingOptions(
        **{field.name: parameters[field.name] for field in fields(TrainingOptions)}
    )


@dataclass(frozen=True)
class NetworkInput:
    """One input of a network.

    Attributes:
        values: (n, ..., p) float32, standardised.
        names: of the p inputs.
        days: how many a forecast sees, its own the last.
    """

    values: AnyArray
    names: tuple[str, ...]
    days: int = 1

    def batch(self, rows: IntArray) -> Tensor:
        """(rows, days, ..., p) in memory of torch's own; days before the first are 0.

        Kernels may round otherwise where memory is aligned otherwise, hence never views.
        """
        steps = rows[:, None] + np.arange(1 - self.days, 1)
        picked = torch.tensor(self.values[np.maximum(steps, 0)])
        picked[torch.from_numpy(steps < 0)] = 0.0
        return picked


@dataclass(frozen=True)
class NetworkSpec:
    """One network: how it is built, and its inputs."""

    build: Callable[[], nn.Module]
    inputs: tuple[NetworkInput, ...]


@dataclass(frozen=True)
class TrainedNetwork:
    """Weights by name, those of the epoch with the least validation loss, and all losses."""

    weights: Mapping[str, AnyArray]
    curve: FloatArray


def split_days(labels: FloatArray, longest: int) -> tuple[IntArray, IntArray]:
    """Rows to train on, and the last labelled rows to stop by, at most a fifth of all.

    Every label trained on is released by the first day of validation: with the longest holding
    period, ``longest`` + 1 days between are left out.
    """
    rows = np.flatnonzero((~np.isnan(labels)).any(axis=1))
    later = rows[-min(_VALIDATION_DAYS, len(rows) // 5) :]
    return rows[rows + longest + 1 <= later[0]], later


def train_networks(
    members: Sequence[NetworkSpec],
    labels: FloatArray,
    longest: int,
    options: TrainingOptions,
    seed: int,
    file: Path | None = None,
) -> list[TrainedNetwork]:
    """Train one network after the other, on a GPU if there is one.

    Args:
        members: the networks.
        labels: (n, m) ranked labels by the day they are forecast on; NaN where unknown.
        longest: the longest holding period, in days.
        options: how.
        seed: of first weights, order of days and dropout.
        file: where the state is kept after every epoch, and from where it goes on if it is this
            fit's; the result is the same to the bit.

    Raises:
        FitError: a loss is not finite.
    """
    device = _device()
    made_for = _made_for(members, labels, options, seed, device) if file else ""
    checkpoint = Checkpoint(file, made_for)
    kept = checkpoint.read()
    done = {name: array for name, array in kept.items() if name.startswith("done.")}
    current = {name: array for name, array in kept.items() if name not in done}
    split, trained = split_days(labels, longest), []
    for i, member in enumerate(members):
        with reproducible(seed * 1000 + i):
            run = _Run(member, labels, split, options, seed * 1000 + i, device)
            if f"done.{i}.best" in done:
                run.best, run.curve = done[f"done.{i}.best"], done[f"done.{i}.curve"].tolist()
            else:
                run.resume(current)
                while not run.finished():
                    run.epoch()
                    checkpoint.write({**done, **run.state()})
                current = {}
                done |= {f"done.{i}.best": run.best, f"done.{i}.curve": np.array(run.curve)}
            trained.append(run.result())
    return trained


class _Run:
    """One network in training."""

    def __init__(
        self,
        member: NetworkSpec,
        labels: FloatArray,
        split: tuple[IntArray, IntArray],
        options: TrainingOptions,
        seed: int,
        device: torch.device,
    ) -> None:
        self.device = device
        self.network = member.build().to(device)
        self.inputs, self.labels, self.options, self.seed = member.inputs, labels, options, seed
        self.fitting, self.validation = split
        self.optimiser = AdamW(self.network, options.learning_rate, options.weight_decay)
        self.best = self.optimiser.vector.cpu().numpy()
        self.curve: list[float] = []

    def finished(self) -> bool:
        """Whether the best epoch lies ``patience`` back, or all are over."""
        epochs = len(self.curve)
        stale = epochs - 1 - int(np.argmin(self.curve)) if epochs else 0
        return epochs >= self.options.epochs or stale >= self.options.patience

    def epoch(self) -> None:
        """Steps over days drawn for this epoch, then the validation loss."""
        random = np.random.default_rng([self.seed, len(self.curve)])
        torch.manual_seed(int(random.integers(2**31)))
        days = random.permutation(self.fitting)[: self.options.days_per_epoch]
        self.network.train()
        for rows in self._batches(days):
            self.optimiser.step(self._loss(rows))
        self.network.eval()
        with torch.no_grad():
            parts = [self._loss(rows).item() * len(rows) for rows in self._batches(self.validation)]
        value = sum(parts) / len(self.validation)
        if not np.isfinite(value):
            raise FitError(
                "a network's loss is not finite",
                where=f"epoch {len(self.curve) + 1}",
                expected="a finite number",
                found=value,
                hint="lower learning_rate",
            )
        if value < min(self.curve, default=np.inf):
            self.best = self.optimiser.vector.cpu().numpy()
        self.curve.append(value)

    def state(self) -> dict[str, AnyArray]:
        """All that the epochs to come depend on."""
        return {**self.optimiser.state(), "best": self.best, "curve": np.array(self.curve)}

    def resume(self, state: Mapping[str, AnyArray]) -> None:
        """Go on from :meth:`state`, if there is any."""
        if state:
            self.optimiser.restore(state)
            self.best, self.curve = state["best"], state["curve"].tolist()

    def result(self) -> TrainedNetwork:
        """The best epoch's weights."""
        assign_weights(self.network, torch.from_numpy(self.best))
        weights = {name: p.detach().cpu().numpy() for name, p in self.network.named_parameters()}
        return TrainedNetwork(weights, np.array(self.curve))

    def _batches(self, days: IntArray) -> Iterator[IntArray]:
        for start in range(0, len(days), self.options.batch_days):
            yield days[start : start + self.options.batch_days]

    def _loss(self, rows: IntArray) -> Tensor:
        scores = self.network(*(series.batch(rows).to(self.device) for series in self.inputs))
        labels = torch.tensor(self.labels[rows], dtype=torch.float32, device=self.device)
        return loss(scores, labels, self.options.rank_weight)


def _device() -> torch.device:
    """A GPU if there is one, in use from now on: ``reproducible`` keeps its random numbers."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def _made_for(
    members: Sequence[NetworkSpec],
    labels: FloatArray,
    options: TrainingOptions,
    seed: int,
    device: torch.device,
) -> str:
    """Digest of everything a training run depends on: a GPU rounds otherwise than a processor."""
    made_on = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    described = [f"{seed} {options} {made_on}"]
    values = {id(s.values): s.values for member in members for s in member.inputs}
    for member in members:
        with reproducible(0):
            described.append(f"{member.build()} {[(s.names, s.days) for s in member.inputs]}")
    return digest(*described, np.asarray(labels), *values.values())
