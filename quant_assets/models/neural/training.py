"""Training of networks with early stopping and checkpoints, and their inputs.

This module loads torch, so it is imported inside functions only. ``neural.networks`` has the
networks, ``neural.optimisation`` one step of training, ``neural.scores`` forecasts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from quant_assets.core.errors import FitError
from quant_assets.core.typing import AnyArray, FloatArray, IntArray
from quant_assets.models.neural.checkpoint import Checkpoint, digest_parts
from quant_assets.models.neural.optimisation import (
    AdamW,
    assign_weights,
    reproducible,
    training_loss,
)
from quant_assets.models.protocol import Parameters

_VALIDATION_DAYS = 90


@dataclass(frozen=True)
class TrainingOptions:
    """Options of training.

    Attributes:
        epochs: largest number of epochs.
        patience: epochs without a better validation loss before training ends.
        days_per_epoch: number of days that are drawn for each epoch.
        batch_days: days per step.
        learning_rate: learning rate of AdamW.
        weight_decay: weight decay of AdamW.
        rank_weight: weight of the loss's listwise term.
    """

    epochs: int
    patience: int
    days_per_epoch: int
    batch_days: int
    learning_rate: float
    weight_decay: float
    rank_weight: float


def read_options(parameters: Parameters) -> TrainingOptions:
    """Select the options of training from a family's parameters."""
    return TrainingOptions(
        **{field.name: parameters[field.name] for field in fields(TrainingOptions)}
    )


@dataclass(frozen=True)
class NetworkInput:
    """One input of a network.

    Attributes:
        values: (n, ..., p) float32 standardised inputs.
        names: names of the p inputs.
        days: number of days that a forecast depends on, of which its own day is the last.
    """

    values: AnyArray
    names: tuple[str, ...]
    days: int = 1

    def batch(self, rows: IntArray) -> Tensor:
        """Copy the inputs of the given rows; days before the first row are 0.

        Returns a tensor of shape (rows, days, ..., p) in torch's own memory and never a view,
        because kernels may round differently where memory is aligned differently.
        """
        steps = rows[:, None] + np.arange(1 - self.days, 1)
        picked = torch.tensor(self.values[np.maximum(steps, 0)])
        picked[torch.from_numpy(steps < 0)] = 0.0
        return picked


@dataclass(frozen=True)
class NetworkSpec:
    """One network to train or to forecast with.

    Attributes:
        build: function that builds the untrained network.
        inputs: the network's inputs.
    """

    build: Callable[[], nn.Module]
    inputs: tuple[NetworkInput, ...]


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network.

    Attributes:
        weights: weights by name, from the epoch with the least validation loss.
        curve: (epochs,) validation loss after each epoch.
    """

    weights: Mapping[str, AnyArray]
    curve: FloatArray


def split_days(labels: FloatArray, longest: int) -> tuple[IntArray, IntArray]:
    """Split the labelled rows into rows to train on and later rows for validation.

    Validation has the last labelled rows, at most a fifth of all. The ``longest`` + 1 days before
    them are left out, so that every training label is known on the first day of validation.

    Args:
        labels: (n, m) labels by forecast day; NaN where unknown.
        longest: longest holding period in days.
    """
    rows = np.flatnonzero((~np.isnan(labels)).any(axis=1))
    later = rows[-min(_VALIDATION_DAYS, len(rows) // 5) :]
    return rows[rows + longest + 1 <= later[0]], later


def train_networks(
    specs: Sequence[NetworkSpec],
    labels: FloatArray,
    longest: int,
    options: TrainingOptions,
    seed: int,
    file: Path | None = None,
) -> list[TrainedNetwork]:
    """Train one network after the other, on a GPU if there is one.

    Args:
        specs: the networks and their inputs.
        labels: (n, m) ranked labels by forecast day; NaN where unknown.
        longest: longest holding period in days.
        options: options of training.
        seed: seed of the initial weights, the order of days and dropout.
        file: checkpoint file, written after every epoch. Training continues from it if this fit
            wrote it; the result has the same bits.

    Raises:
        FitError: a loss is not finite.
    """
    device = _choose_device()
    fingerprint = _fingerprint_training(specs, labels, options, seed, device) if file else ""
    checkpoint = Checkpoint(file, fingerprint)
    state = checkpoint.read()
    done = {name: array for name, array in state.items() if name.startswith("done.")}
    current = {name: array for name, array in state.items() if name not in done}
    split, trained = split_days(labels, longest), []
    for i, spec in enumerate(specs):
        with reproducible(seed * 1000 + i):
            run = _Run(spec, labels, split, options, seed * 1000 + i, device)
            if f"done.{i}.best" in done:
                run.best, run.curve = done[f"done.{i}.best"], done[f"done.{i}.curve"].tolist()
            else:
                run.resume(current)
                while not run.is_finished():
                    run.train_epoch()
                    checkpoint.write({**done, **run.state()})
                current = {}
                done |= {f"done.{i}.best": run.best, f"done.{i}.curve": np.array(run.curve)}
            trained.append(run.result())
    return trained


class _Run:
    """The training of one network."""

    def __init__(
        self,
        spec: NetworkSpec,
        labels: FloatArray,
        split: tuple[IntArray, IntArray],
        options: TrainingOptions,
        seed: int,
        device: torch.device,
    ) -> None:
        self.device = device
        self.network = spec.build().to(device)
        self.inputs, self.labels, self.options, self.seed = spec.inputs, labels, options, seed
        self.fitting, self.validation = split
        self.optimiser = AdamW(self.network, options.learning_rate, options.weight_decay)
        self.best = self.optimiser.vector.cpu().numpy()
        self.curve: list[float] = []

    def is_finished(self) -> bool:
        """Return whether all epochs are over or the best epoch was ``patience`` epochs ago."""
        epochs = len(self.curve)
        stale = epochs - 1 - int(np.argmin(self.curve)) if epochs else 0
        return epochs >= self.options.epochs or stale >= self.options.patience

    def train_epoch(self) -> None:
        """Train on days drawn for this epoch, then compute the validation loss."""
        random = np.random.default_rng([self.seed, len(self.curve)])
        torch.manual_seed(int(random.integers(2**31)))
        days = random.permutation(self.fitting)[: self.options.days_per_epoch]
        self.network.train()
        for rows in self._batches(days):
            self.optimiser.step(self._loss(rows))
        self.network.eval()
        with torch.no_grad():
            losses = [
                self._loss(rows).item() * len(rows) for rows in self._batches(self.validation)
            ]
        value = sum(losses) / len(self.validation)
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
        """Return the state that later epochs depend on."""
        return {**self.optimiser.state(), "best": self.best, "curve": np.array(self.curve)}

    def resume(self, state: Mapping[str, AnyArray]) -> None:
        """Continue from a state of :meth:`state`; do nothing if it is empty."""
        if state:
            self.optimiser.restore(state)
            self.best, self.curve = state["best"], state["curve"].tolist()

    def result(self) -> TrainedNetwork:
        """Return the network with the weights of the best epoch."""
        assign_weights(self.network, torch.from_numpy(self.best))
        weights = {name: p.detach().cpu().numpy() for name, p in self.network.named_parameters()}
        return TrainedNetwork(weights, np.array(self.curve))

    def _batches(self, days: IntArray) -> Iterator[IntArray]:
        for start in range(0, len(days), self.options.batch_days):
            yield days[start : start + self.options.batch_days]

    def _loss(self, rows: IntArray) -> Tensor:
        scores = self.network(*(series.batch(rows).to(self.device) for series in self.inputs))
        labels = torch.tensor(self.labels[rows], dtype=torch.float32, device=self.device)
        return training_loss(scores, labels, self.options.rank_weight)


def _choose_device() -> torch.device:
    """Choose a GPU if there is one, and initialise it so that ``reproducible`` includes it."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def _fingerprint_training(
    specs: Sequence[NetworkSpec],
    labels: FloatArray,
    options: TrainingOptions,
    seed: int,
    device: torch.device,
) -> str:
    """Compute the digest of all that training depends on, the device included.

    GPUs round differently from processors.
    """
    device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    described = [f"{seed} {options} {device_name}"]
    values = {id(s.values): s.values for spec in specs for s in spec.inputs}
    for spec in specs:
        with reproducible(0):
            described.append(f"{spec.build()} {[(s.names, s.days) for s in spec.inputs]}")
    return digest_parts(*described, np.asarray(labels), *values.values())
