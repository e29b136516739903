"""Tuning a family: a broad search over its space, then a narrow one around the best of it.

How trials are made and stored is decided in ``search``, what they are judged by in ``objective``.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from quant_assets.core.code_digest import digest_code
from quant_assets.core.typing import FloatArray
from quant_assets.models.parameters import search_space_of
from quant_assets.models.protocol import Observations, Parameters, Resources
from quant_assets.models.registry import load_family
from quant_assets.models.search_space import Space, narrow_space
from quant_assets.training.fitting import digest_days, fingerprint_fit
from quant_assets.tuning.distributions import decode_parameters, encode_parameters, to_distributions
from quant_assets.tuning.folds import Fold, Folds
from quant_assets.tuning.objective import validate_fold
from quant_assets.tuning.search import BROAD, METRICS, NARROW, Search, open_trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

NARROWED_TO = 0.4
"""Share of each range that the second stage searches."""
_FEWEST_TO_COMPARE = 10
_OUTSIDE = (
    *("quant_assets.training", "quant_assets.models.registry", "quant_assets.models.parameters"),
    "quant_assets.core.code_digest",
)
"""The family's code is covered by a fit's fingerprint, which is part of a study's identity."""


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what came of it.

    Attributes:
        stage: ``broad`` or ``narrow``.
        parameters: those tuned; the others had their default.
        value: of the objective; None if the trial was given up.
        metrics: of each fold it got to, oldest first.
        seconds: it took.
    """

    stage: str
    parameters: Parameters
    value: float | None
    metrics: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class TuningResult:
    """The outcome of a search.

    Attributes:
        family: that was tuned.
        parameters: the best found, complete.
        value: of the objective with them.
        default_value: with the defaults, the first trial; ``value`` is never less.
        trials: in the order they were made.
        days: first and last forecast day judged.
        folds: on which each was judged.
        identity: digest of all that the trials depend on.
        importance: share of each tuned parameter in what sets the best tenth of the trials apart,
            largest first; empty if there are too few trials to say.
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
        """Position of the trial that the parameters are of: the first of the best."""
        return max(range(len(self.trials)), key=lambda i: _value(self.trials[i]))


def tune_family(
    seen: Observations,
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
) -> TuningResult:
    """Search a family's space, going on with what the file holds of the same search.

    The same search is that of the same family, code, seed, folds and observations up to the release
    of the last label judged; what is known later changes nothing.

    Args:
        seen: everything known as of the day of the search.
        family_name: what to tune.
        storage: SQLite file, made if need be. Searches that share one take turns.
        seed: of the search and of every fit.
        threads: of every fit; the outcome does not depend on them.
        broad: trials over the whole space, the defaults among them.
        narrow: trials around the best of those.
        minutes: after them no fit is begun, except with the defaults.
        note: told of every trial.
        folds: how the history is divided.

    Raises:
        UnknownNameError: the family does not exist or has nothing to tune.
        NotEnoughHistoryError: too few days for one fold, or too few labels for the defaults.
        FitError: the defaults cannot be fitted.
        LakeError: the file is not one of trials.
    """
    deadline = time.monotonic() + 60.0 * minutes
    space, defaults = search_space_of(family_name), load_family(family_name).defaults
    parts = (folds or Folds()).of(len(seen.days))
    judged = seen.rows(0, parts[-1].known_on + 1)
    identity = _identity(judged, family_name, parts, seed)
    with open_trials(storage, note) as stored:
        search = Search(
            name=f"{family_name}/{identity}",
            label=family_name,
            stored=stored,
            seed=seed,
            deadline=deadline,
            folds=len(parts),
            judge=partial(_ics, judged, family_name, parts, Resources(seed, threads)),
            note=note,
        )
        made = search.broad(space, broad, defaults)
        trials = [_record(BROAD, space, trial) for trial in made]
        if len(made) >= broad and narrow:
            near = narrow_space(space, _best(trials).parameters, NARROWED_TO)
            trials += [_record(NARROW, space, t) for t in search.narrow(near, narrow, made)]
        importance = _importance(space, trials)
    best = _best(trials)
    return TuningResult(
        family_name,
        {**defaults, **best.parameters},
        _value(best),
        _value(trials[0]),
        tuple(trials),
        (judged.days[parts[0].fit].item(), judged.days[parts[-1].stop - 1].item()),
        parts,
        identity,
        importance,
    )


def _ics(
    seen: Observations,
    family_name: str,
    folds: Sequence[Fold],
    resources: Resources,
    parameters: Parameters,
) -> Iterator[FloatArray]:
    chosen = load_family(family_name)
    complete = {**chosen.defaults, **parameters}
    return (validate_fold(seen, fold, chosen, complete, resources) for fold in folds)


def _identity(seen: Observations, family_name: str, folds: Sequence[Fold], seed: int) -> str:
    """Digest of all that a trial's number and value depend on."""
    divided = {"folds": [asdict(fold) for fold in folds]}
    parameters = {**load_family(family_name).defaults, **divided}
    known = fingerprint_fit(family_name, digest_days(seen)[-1], parameters, seed)
    code = digest_code(tune_family, outside=_OUTSIDE)
    return sha256((known + code).encode()).hexdigest()[:16]


def _record(stage: str, space: Space, trial: "FrozenTrial") -> Trial:
    from optuna.trial import TrialState

    return Trial(
        stage,
        decode_parameters(space, trial.params),
        trial.value if trial.state == TrialState.COMPLETE else None,
        tuple(trial.user_attrs[METRICS]),
        trial.duration.total_seconds() if trial.duration else 0.0,
    )


def _value(trial: Trial) -> float:
    return float("-inf") if trial.value is None else trial.value


def _best(trials: Sequence[Trial]) -> Trial:
    """The first of the best."""
    return max(trials, key=_value)


def _importance(space: Space, trials: Sequence[Trial]) -> Mapping[str, float]:
    """By PED-ANOVA (Watanabe et al., 2023), of the finished trials of both stages together."""
    import optuna

    finished = [trial for trial in trials if trial.value is not None]
    if len(finished) < _FEWEST_TO_COMPARE or len({trial.value for trial in finished}) == 1:
        return {}
    together = optuna.create_study(direction="maximize")
    together.add_trials(
        optuna.trial.create_trial(
            value=trial.value,
            params=encode_parameters(space, trial.parameters),
            distributions=to_distributions(space),
        )
        for trial in finished
    )
    return optuna.importance.get_param_importances(together, params=sorted(space))
