"""Tuning a family: a broad search over its space, then a narrow one around the best trial.

Making and storing trials belongs in ``tuning.search``, their value in ``tuning.objective``.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quant_assets.core.code_digest import digest_code
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.market.targets import delay_of
from quant_assets.models.parameters import search_space_of
from quant_assets.models.protocol import Observations, Parameters, Resources
from quant_assets.models.registry import load_family
from quant_assets.models.search_space import Space, narrow_space
from quant_assets.training.fitting import digest_days, fingerprint_fit
from quant_assets.tuning.distributions import decode_parameters, encode_parameters, to_distributions
from quant_assets.tuning.folds import Fold, Folds
from quant_assets.tuning.objective import validate_fold
from quant_assets.tuning.search import BROAD, METRICS, NARROW, Search, Stage
from quant_assets.tuning.trial_file import open_trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

NARROWED_TO = 0.4
"""Share of each range that the second stage searches."""
_FEWEST_TO_COMPARE = 10
"""Finished trials that the importance of parameters needs."""
_OUTSIDE = (
    *("quant_assets.training", "quant_assets.models.registry", "quant_assets.models.parameters"),
    "quant_assets.core.code_digest",
)
"""The family's code is covered by a fit's fingerprint, which is part of a study's identity."""


@dataclass(frozen=True)
class Trial:
    """One set of parameters and its value.

    Attributes:
        stage: ``broad`` or ``narrow``.
        parameters: the tuned parameters; the others had their defaults.
        value: value of the objective; None if the trial was given up.
        metrics: the competition's metric on each fold that was judged, oldest first.
        seconds: how long the trial took.
    """

    stage: Stage
    parameters: Parameters
    value: float | None
    metrics: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class TuningResult:
    """The result of a search.

    Attributes:
        family: name of the tuned family.
        parameters: all parameters of the best trial.
        value: value of the objective with them.
        default_value: value with the defaults, which are the first trial; ``value`` is never less.
        trials: the trials in the order in which they were made.
        days: first and last forecast day that trials were judged on.
        folds: the folds that trials were judged on.
        identity: digest of everything that the trials depend on.
        importance: share of each tuned parameter in what distinguishes the best tenth of the
            trials, largest first; empty if there are too few trials.
    """

    family: str
    parameters: Parameters
    value: float
    default_value: float
    trials: tuple[Trial, ...]
    days: tuple[date, date]
    folds: tuple[Fold, ...]
    identity: str
    importance: Mapping[str, float]

    @property
    def best(self) -> int:
        """Return the position of the trial with the highest value; of several, the first."""
        return max(range(len(self.trials)), key=lambda i: _value_of(self.trials[i]))


def tune_family(
    observations: Observations,
    family_name: str,
    storage: Path,
    *,
    seed: int,
    threads: int,
    broad: int = 20,
    narrow: int = 30,
    minutes: float = 30.0,
    note: Callable[[str], None],
    folds: Folds | None = None,
    members: BoolArray | None = None,
) -> TuningResult:
    """Search the space of a family's parameters, and resume the search that the file holds.

    A search is resumed if family, code, seed, folds and the observations up to the last label
    judged are the same. Observations that become known later change nothing.

    Args:
        observations: everything known as of the day of the search.
        family_name: name of the family.
        storage: SQLite file of trials, created if it does not exist. Searches that use the same
            file wait for each other.
        seed: seed of the search and of every fit.
        threads: threads of every fit; the result does not depend on them.
        broad: trials over the whole space, including the defaults.
        narrow: trials around the best of the broad trials.
        minutes: time after which no fit is begun, except with the defaults.
        note: called with one line of text about every trial.
        folds: how the history is divided; by default ``Folds()``.
        members: (n, m) targets whose legs are in the universe on each day, which alone are judged;
            None if all are.

    Raises:
        UnknownNameError: the family does not exist or has nothing to tune.
        NotEnoughHistoryError: there are too few days for one fold, or too few labels for the
            defaults.
        FitError: the defaults cannot be fitted.
        LakeError: the file holds no trials.
    """
    deadline = time.monotonic() + 60.0 * minutes
    space, defaults = search_space_of(family_name), load_family(family_name).defaults
    split = (folds or Folds()).split(len(observations.days), delay_of(observations.lags))
    judged = observations.rows(0, split[-1].known_row + 1)
    if members is not None:
        members = members[: split[-1].stop_row]
    identity = _identify_search(judged, family_name, split, seed, members)
    with open_trials(storage, note) as opened:
        search = Search(
            name=f"{family_name}/{identity}",
            label=family_name,
            storage=opened,
            seed=seed,
            deadline=deadline,
            folds=len(split),
            judge=partial(
                _validate_folds, judged, family_name, split, Resources(seed, threads), members
            ),
            note=note,
        )
        broad_trials = search.run_broad(space, broad, defaults)
        trials = [_convert_trial(BROAD, space, trial) for trial in broad_trials]
        if len(broad_trials) >= broad and narrow:
            near = narrow_space(space, _best_trial(trials).parameters, NARROWED_TO)
            narrow_trials = search.run_narrow(near, narrow, broad_trials)
            trials += [_convert_trial(NARROW, space, trial) for trial in narrow_trials]
        importance = _compute_importance(space, trials)
    best = _best_trial(trials)
    return TuningResult(
        family_name,
        {**defaults, **best.parameters},
        _value_of(best),
        _value_of(trials[0]),
        tuple(trials),
        (judged.days[split[0].fit_row].item(), judged.days[split[-1].stop_row - 1].item()),
        split,
        identity,
        importance,
    )


def _validate_folds(
    observations: Observations,
    family_name: str,
    folds: Sequence[Fold],
    resources: Resources,
    members: BoolArray | None,
    parameters: Parameters,
) -> Iterator[FloatArray]:
    family = load_family(family_name)
    complete = {**family.defaults, **parameters}
    return (
        validate_fold(observations, fold, family, complete, resources, members) for fold in folds
    )


def _identify_search(
    observations: Observations,
    family_name: str,
    folds: Sequence[Fold],
    seed: int,
    members: BoolArray | None,
) -> str:
    """Compute the digest of everything that the trials and their values depend on."""
    folds_used = {"folds": [asdict(fold) for fold in folds]}
    parameters = {**load_family(family_name).defaults, **folds_used}
    fingerprint = fingerprint_fit(family_name, digest_days(observations)[-1], parameters, seed)
    code = digest_code(tune_family, outside=_OUTSIDE)
    judged = "" if members is None else sha256(np.packbits(members).tobytes()).hexdigest()
    return sha256((fingerprint + code + judged).encode()).hexdigest()[:16]


def _convert_trial(stage: Stage, space: Space, trial: "FrozenTrial") -> Trial:
    from optuna.trial import TrialState

    return Trial(
        stage,
        decode_parameters(space, trial.params),
        trial.value if trial.state == TrialState.COMPLETE else None,
        tuple(trial.user_attrs[METRICS]),
        trial.duration.total_seconds() if trial.duration else 0.0,
    )


def _value_of(trial: Trial) -> float:
    return float("-inf") if trial.value is None else trial.value


def _best_trial(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest value, the first one of several."""
    return max(trials, key=_value_of)


def _compute_importance(space: Space, trials: Sequence[Trial]) -> Mapping[str, float]:
    """Compute the importance of parameters by PED-ANOVA (Watanabe et al., 2023).

    All finished trials of both stages are used together.
    """
    import optuna

    finished = [trial for trial in trials if trial.value is not None]
    if len(finished) < _FEWEST_TO_COMPARE or len({trial.value for trial in finished}) == 1:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        optuna.trial.create_trial(
            value=trial.value,
            params=encode_parameters(space, trial.parameters),
            distributions=to_distributions(space),
        )
        for trial in finished
    )
    return optuna.importance.get_param_importances(study, params=sorted(space))
