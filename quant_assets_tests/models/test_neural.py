"""Training of networks: loss, steps, early stopping, checkpoints, forecasts."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from quant_assets.core.errors import FitError
from quant_assets.core.typing import AnyArray
from quant_assets.models.families import rank_mlp, regime_lstm, transformer_mat
from quant_assets.models.neural.checkpoint import Checkpoint
from quant_assets.models.neural.networks import PooledMlp
from quant_assets.models.neural.optimisation import AdamW, reproducible, training_loss
from quant_assets.models.neural.scores import forecast_scores, input_saliency
from quant_assets.models.neural.training import (
    NetworkInput,
    NetworkSpec,
    TrainedNetwork,
    split_days,
    train_networks,
)
from quant_assets.models.protocol import Family, Observations, Resources
from quant_assets_tests.support.planted_signal import DAYS, OPTIONS, planted_signal

FAMILIES: tuple[Family, ...] = (rank_mlp, regime_lstm, transformer_mat)


class CrashError(Exception):
    """An exception that simulates a crash."""


def interrupt_after(writes: int, patch: pytest.MonkeyPatch) -> None:
    """Raise ``Crash`` after the given number of checkpoints."""
    write, count = Checkpoint.write, iter(range(1, 1000))

    def crashing(self: Checkpoint, arrays: dict[str, AnyArray]) -> None:
        write(self, arrays)
        if next(count) == writes:
            raise CrashError

    patch.setattr(Checkpoint, "write", crashing)


def perceptrons(x: AnyArray, count: int = 2) -> list[NetworkSpec]:
    build = partial(PooledMlp, x.shape[-1], (4,), 0.2)
    return [NetworkSpec(build, (NetworkInput(x, ("a", "b", "c")),))] * count


def same(ours: list[TrainedNetwork], theirs: list[TrainedNetwork]) -> bool:
    return all(
        np.array_equal(a.curve, b.curve)
        and a.weights.keys() == b.weights.keys()
        and all(np.array_equal(a.weights[name], b.weights[name]) for name in a.weights)
        for a, b in zip(ours, theirs, strict=True)
    )


def test_the_loss_is_squared_error_and_correlation() -> None:
    random = np.random.default_rng(2)
    scores, labels = random.normal(size=(2, 4, 30))
    labels[0, :7] = np.nan
    expected = []
    for s, y in zip(scores, labels, strict=True):
        known = np.array([s, y])[:, ~np.isnan(y)]
        squared = np.mean(np.diff(known, axis=0) ** 2)
        expected.append(squared + 0.3 * (1 - np.corrcoef(known)[0, 1]))
    result = training_loss(torch.tensor(scores), torch.tensor(labels), 0.3)
    assert float(result) == pytest.approx(np.mean(expected), abs=1e-4)


def test_equal_scores_have_a_finite_slope() -> None:
    scores = torch.zeros(2, 5, requires_grad=True)
    labels = torch.linspace(-1, 1, 10).reshape(2, 5)
    (slope,) = torch.autograd.grad(training_loss(scores, labels, 1.0), scores)
    assert torch.isfinite(slope).all()
    assert (slope[:, 0] > slope[:, -1]).all()


def test_steps_are_torchs_adamw() -> None:
    torch.manual_seed(3)
    ours, theirs = (torch.nn.Linear(4, 2).double() for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(20, 4).double()
    mine = AdamW(ours, 0.01, 0.5)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.5)
    for _ in range(25):
        mine.step(ours(x).square().mean())
        reference.zero_grad()
        value = theirs(x).square().mean()
        value.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-4)


@pytest.mark.parametrize(("days", "longest"), [(60, 4), (300, 4), (1000, 1)])
def test_what_is_trained_on_is_known_before_validation(days: int, longest: int) -> None:
    labels = np.zeros((days + 10, 3))
    labels[:5], labels[-5:] = np.nan, np.nan
    fitting, validation = split_days(labels, longest)
    assert fitting[-1] + longest + 1 == validation[0]
    assert (fitting[0], validation[-1]) == (5, days + 4)
    assert len(validation) == min(90, days // 5)


def test_a_planted_signal_is_learnt_and_named() -> None:
    x, labels = planted_signal()
    specs = perceptrons(x)
    trained = train_networks(specs, labels, 1, OPTIONS, 7)
    weights = [network.weights for network in trained]
    scores = forecast_scores(specs, weights, 40)
    ic = [np.corrcoef(s, x[DAYS - 40 + i, :, 1])[0, 1] for i, s in enumerate(scores)]
    assert np.mean(ic) > 0.95
    share = input_saliency(specs, weights, np.arange(DAYS - 40, DAYS))
    assert share["b"] > 0.8
    assert sum(share.values()) == pytest.approx(1.0)


def test_the_best_epoch_is_kept() -> None:
    """Labels change their sign, so what is learnt on the early days is wrong on the last days."""
    x, labels = planted_signal()
    labels[-65:] *= -1
    specs = perceptrons(x)
    stopped = train_networks(specs, labels, 1, OPTIONS, 7)
    assert [len(network.curve) - 1 - int(np.argmin(network.curve)) for network in stopped] == [3, 3]
    epochs = int(np.argmin(stopped[0].curve)) + 1
    exact = train_networks(specs[:1], labels, 1, replace(OPTIONS, epochs=epochs), 7)
    np.testing.assert_array_equal(exact[0].curve, stopped[0].curve[:epochs])
    assert all(np.array_equal(exact[0].weights[k], v) for k, v in stopped[0].weights.items())


@pytest.mark.parametrize("writes", [1, 3, 8, 11])
def test_an_interrupted_training_goes_on(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = planted_signal()
    specs, file = perceptrons(x), tmp_path / "deep" / "state"
    options = replace(OPTIONS, patience=99)
    whole = train_networks(specs, labels, 1, options, 7)
    with monkeypatch.context() as patch:
        interrupt_after(writes, patch)
        with pytest.raises(CrashError):
            train_networks(specs, labels, 1, options, 7, file)
    assert [path.name for path in file.parent.iterdir()] == ["state"]
    with monkeypatch.context() as patch:
        interrupt_after(2 * options.epochs - writes + 1, patch)
        resumed = train_networks(specs, labels, 1, options, 7, file)
    assert same(resumed, whole)


def test_another_fits_state_is_not_used(tmp_path: Path) -> None:
    x, labels = planted_signal()
    specs, file = perceptrons(x, 1), tmp_path / "state"
    changed = x.copy()
    changed[3, 4, 0] += 1
    others = (
        (specs, labels, OPTIONS, 8),
        (specs, -labels, OPTIONS, 7),
        (specs, labels, replace(OPTIONS, weight_decay=0.2), 7),
        (perceptrons(changed, 1), labels, OPTIONS, 7),
        ([NetworkSpec(partial(PooledMlp, 3, (5,), 0.2), specs[0].inputs)], labels, OPTIONS, 7),
    )
    for network, y, options, seed in others:
        train_networks(specs, labels, 1, OPTIONS, 7, file)
        alone = train_networks(network, y, 1, options, seed)
        assert same(train_networks(network, y, 1, options, seed, file), alone)


def test_a_damaged_state_is_as_none(tmp_path: Path) -> None:
    x, labels = planted_signal()
    file = tmp_path / "state"
    whole = train_networks(perceptrons(x), labels, 1, OPTIONS, 7, file)
    for content in (b"", b"no archive", file.read_bytes()[:500]):
        file.write_bytes(content)
        assert same(train_networks(perceptrons(x), labels, 1, OPTIONS, 7, file), whole)


@pytest.mark.parametrize("chosen", FAMILIES, ids=lambda chosen: str(chosen.name))
def test_an_interrupted_fit_gives_the_same_bytes(
    chosen: Family, observations: Observations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past, file = observations.rows(0, 200), tmp_path / "state"
    with monkeypatch.context() as patch:
        interrupt_after(5, patch)
        with pytest.raises(CrashError):
            chosen.fit(past, chosen.defaults, Resources(7, 1, file))
    resumed = chosen.fit(past, chosen.defaults, Resources(7, 1, file))
    assert resumed.to_bytes() == chosen.fit(past, chosen.defaults, Resources(7, 2)).to_bytes()


def test_a_loss_without_bounds_is_an_error() -> None:
    x, labels = planted_signal()
    with pytest.raises(FitError, match="lower learning_rate"):
        train_networks(perceptrons(x), labels, 1, replace(OPTIONS, learning_rate=np.inf), 7)


def crash_inside() -> None:
    with reproducible(5):
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        torch.rand(3)
        raise CrashError


def test_torch_is_left_as_it_was() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        before = torch.get_rng_state()
        with pytest.raises(CrashError):
            crash_inside()
        assert torch.get_num_threads() == 2
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.equal(torch.get_rng_state(), before)
    finally:
        torch.set_num_threads(threads)


def test_days_before_the_first_are_zero() -> None:
    series = NetworkInput(np.arange(1, 9, dtype=np.float32).reshape(4, 2), ("a", "b"), days=3)
    batch = series.batch(np.array([0, 3]))
    expected = [[[0, 0], [0, 0], [1, 2]], [[3, 4], [5, 6], [7, 8]]]
    np.testing.assert_array_equal(batch.numpy(), expected)
