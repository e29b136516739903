"""Costs of fits: each family; a pooled booster and a single solve against one for each target.

All fits use features and labels of a real or simulated history, up to a year before its end. That
last year judges the forecasts.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightgbm
import numpy as np

from benchmarks.features import load, whole_catalogue
from benchmarks.figures import Figure, extra_memory, medians
from quant_assets.core.settings import load_settings
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.features.catalogue import features_of, list_market_inputs
from quant_assets.market.instruments import closing_orders
from quant_assets.market.targets import delay_of
from quant_assets.models.families import lightgbm as lightgbm_family
from quant_assets.models.families import ridge
from quant_assets.models.label_transforms import ranked_labels, standardised_labels
from quant_assets.models.protocol import FeatureBlock, Forecaster, Observations, Resources
from quant_assets.models.registry import FAMILIES, load_family
from quant_assets.scoring.metric import daily_ic, score_of_ic

JUDGED_DAYS = 250
REPEATS, SLOW_SECONDS = 3, 15.0
BOOSTED_EACH, SOLVED_EACH = 53, 8
"""Numbers of targets in the samples that are fitted one by one."""


@dataclass(frozen=True)
class Exercise:
    """A history whose last days judge a fit on the days before."""

    whole: Observations

    @property
    def observations(self) -> Observations:
        """The observations before the judged days."""
        return self.whole.rows(0, len(self.whole.days) - JUDGED_DAYS)

    def sample(self, size: int) -> IntArray:
        """Return (size,) evenly spread targets."""
        return np.linspace(0, len(self.whole.targets) - 1, size).astype(np.int64)

    def score(self, forecast: FloatArray, targets: IntArray) -> float:
        """Return the score over the judged days whose labels are all known on the last day."""
        judged = slice(-JUDGED_DAYS, -delay_of(self.whole.lags))
        truth = self.whole.labels()[judged, targets]
        ic = daily_ic(forecast[: len(truth)], truth)
        return score_of_ic(ic[~np.isnan(ic)])


def history(folder: Path | None) -> Exercise:
    """Load a folder's history, or a simulated history, with the features of the catalogue."""
    market = load(folder)
    arrays = whole_catalogue(market)

    def block(names: tuple[str, ...]) -> FeatureBlock:
        return FeatureBlock(
            names, np.stack([arrays[name] for name in names], axis=-1, dtype=np.float32)
        )

    groups = market.panel.all_groups
    shared = tuple(name for name, *_ in list_market_inputs(groups))

    return Exercise(
        Observations(
            market.panel.days,
            market.pairs.targets,
            market.pairs.lags,
            market.panel.instruments,
            market.panel.groups,
            closing_orders(market.panel.groups, groups),
            np.stack(market.pairs.legs(market.panel.instruments), axis=1),
            market.known_labels,
            block(features_of("target")),
            block(features_of("instrument")),
            block(shared),
        )
    )


def families(exercise: Exercise, resources: Resources) -> list[Figure]:
    """Measure a fit of each family: seconds, memory besides its observations, and later score.

    The observations are in memory; reading them belongs to the lake's figures. A first run
    measures memory. A family that takes longer than SLOW_SECONDS is timed by this run, other
    families by further runs in turns.
    """
    observations, fitted = exercise.observations, dict[str, Forecaster]()

    def fit(name: str) -> None:
        chosen = load_family(name)
        fitted[name] = chosen.fit(observations, chosen.defaults, resources)

    memory, taken = dict[str, float](), dict[str, float]()
    for name in FAMILIES:
        started = time.perf_counter()
        memory[name] = extra_memory(partial(fit, name))
        taken[name] = time.perf_counter() - started
    quick = {name: partial(fit, name) for name in FAMILIES if taken[name] < SLOW_SECONDS}
    taken |= medians(quick, REPEATS, warm_ups=0)
    everything = exercise.sample(len(observations.targets))
    blocks = (observations.target, observations.instrument, observations.market)
    held = sum(block.values.nbytes for block in blocks) + observations.known_labels.nbytes
    figures = [
        Figure(f"observations of {len(observations.days)} days, in memory", held / 1e9, "GB")
    ]
    figures += [
        Figure(
            "one fit of each family, one after the other", sum(taken.values()), "s", at_most=300
        ),
        Figure(
            "the newest day by all families, models in memory", newest_day(exercise, fitted), "s"
        ),
    ]
    for name, model in fitted.items():
        score = exercise.score(model.forecast(exercise.whole, JUDGED_DAYS), everything)
        figures += [
            Figure(f"{name}: one fit on {len(observations.days)} days", taken[name], "s"),
            Figure(f"{name}: memory on top", memory[name], "GB"),
            Figure(f"{name}: score over the next {JUDGED_DAYS} days", score),
        ]
    return figures


def newest_day(exercise: Exercise, fitted: Mapping[str, Forecaster]) -> float:
    """Return the seconds of the forecasts of a day; a first round without timing does imports."""
    longest = max(load_family(name).lookback for name in fitted)
    n = len(exercise.whole.days)
    recent = exercise.whole.rows(n - 1 - longest, n)

    def forecast() -> None:
        for model in fitted.values():
            model.forecast(recent, 1)

    return medians({"day": forecast}, REPEATS)["day"]


def boosters(exercise: Exercise, resources: Resources) -> list[Figure]:
    """Compare a pooled booster with a booster for each target, on a sample of the targets.

    Features, labels, rounds and learning parameters are equal, with one seed and without weights by
    the labels' covariance. Only the rows of a leaf differ: they are LightGBM's default where a
    target has a four-hundredth of the rows. Boosters of single targets get rows and labels
    ready-made. Both are scored over the targets of the sample.
    """
    observations, sample = exercise.observations, exercise.sample(BOOSTED_EACH)
    plain = {**lightgbm_family.defaults, "seeds": 1, "shrinkage": 1.0}
    options = {key: x for key, x in plain.items() if key not in ("seeds", "shrinkage")}
    labels = standardised_labels(observations, options.pop("label_clip"))
    rounds = options.pop("num_boost_round")
    options |= {
        "min_data_in_leaf": 20,
        "seed": resources.seed,
        "num_threads": resources.threads,
        "verbosity": -1,
    }
    alone: dict[int, lightgbm.Booster] = {}
    pooled: list[lightgbm_family.Boosters] = []

    def one_each() -> None:
        for target in sample:
            known = ~np.isnan(labels[:, target])
            x, y = observations.target.values[known, target], labels[known, target]
            alone[target] = lightgbm.train(options, lightgbm.Dataset(x, y), rounds)

    def together() -> None:
        pooled[:] = [lightgbm_family.fit(observations, plain, resources)]

    taken = medians({"pooled": together, "each": one_each}, REPEATS, warm_ups=0)
    every = taken["each"] * len(observations.targets) / len(sample)
    late = exercise.whole.target.values[-JUDGED_DAYS:]
    by_each = np.stack([alone[target].predict(late[:, target]) for target in sample], axis=1)
    by_pooled = pooled[0].forecast(exercise.whole, JUDGED_DAYS)[:, sample]
    of_sample = f"score of {len(sample)} targets over the next {JUDGED_DAYS} days"
    return [
        Figure(f"one pooled booster for {len(observations.targets)} targets", taken["pooled"], "s"),
        Figure(f"{len(observations.targets)} boosters, from {len(sample)} of them", every, "s"),
        Figure("one booster per target / one pooled", every / taken["pooled"], "x"),
        Figure(f"{of_sample}, pooled", exercise.score(by_pooled, sample)),
        Figure(f"{of_sample}, one per target", exercise.score(by_each, sample)),
    ]


def solves(exercise: Exercise, resources: Resources) -> list[Figure]:
    """Compare ridge in one decomposition with a regression for each target, on a sample of them.

    A single regression does what scikit-learn's RidgeCV does: a singular value decomposition of the
    inputs and the leave-one-out error of each penalty. It gets inputs and ranks ready-made.
    Coefficients of the single decomposition are compared with the normal equations.
    """
    observations, sample = exercise.observations, exercise.sample(SOLVED_EACH)
    plain = {**ridge.defaults, "shrinkage": 1.0}
    fitted = ridge.fit(observations, plain, resources)
    ranks = ranked_labels(observations)
    known = (~np.isnan(ranks)).any(axis=1)
    moves = [observations.instrument.column(name) for name in fitted.returns]
    x = np.concatenate([observations.market.values, *moves], axis=1)[known].astype(np.float64)
    x = np.nan_to_num(np.clip((x - fitted.mean) / fitted.scale, -fitted.clip, fitted.clip))
    y = np.nan_to_num(ranks[known])

    def one_each() -> None:
        for target in sample:
            leave_one_out(x, y[:, target], ridge.defaults["penalties"])

    taken = medians(
        {"once": lambda: ridge.fit(observations, plain, resources), "each": one_each}, REPEATS
    )
    every = taken["each"] * len(observations.targets) / len(sample)
    normal = x.T @ x + fitted.penalty * np.eye(x.shape[1])
    direct = np.linalg.solve(normal, x.T @ (y - y.mean(axis=0)))
    difference = np.abs(direct - fitted.coefficients).max() / np.abs(direct).max()
    return [
        Figure(f"ridge, one solve for {len(observations.targets)} targets", taken["once"], "s"),
        Figure(
            f"ridge, {len(observations.targets)} regressions, from {len(sample)} of them",
            every,
            "s",
        ),
        Figure("one regression per target / one solve", every / taken["once"], "x"),
        Figure("ridge, difference to the normal equations", float(difference), at_most=1e-9),
    ]


def leave_one_out(x: FloatArray, y: FloatArray, penalties: tuple[float, ...]) -> FloatArray:
    """Return the (p,) coefficients of a target at the penalty with least leave-one-out error.

    Args:
        x: (n, p) inputs without NaN.
        y: (n,) labels of the target without NaN.
        penalties: penalties to try.
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    centred = y - y.mean()
    projected = u.T @ centred

    def error(penalty: float) -> float:
        shrink = s**2 / (s**2 + penalty)
        residual = centred - u @ (shrink * projected)
        return float(np.sum((residual / (1.0 - np.square(u) @ shrink)) ** 2))

    best = min(penalties, key=error)
    return np.asarray(vt.T @ (s / (s**2 + best) * projected))


def run(market: Path | None) -> list[Figure]:
    """Measure fits as of a day, with the threads of the settings."""
    exercise, settings = history(market), load_settings()
    resources = Resources(settings.seed, settings.threads)
    return [
        figure
        for measure in (families, boosters, solves)
        for figure in measure(exercise, resources)
    ]
