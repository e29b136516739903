"""Trials of a search, made with Optuna and stored in a file, with a deadline.

What a trial is judged by is given as a function. Which stages a search has belongs in
``tuning.study``, opening the file in ``tuning.trial_file``.

Every trial gets its own sampler, seeded by the number of finished trials before it, and an
interrupted trial is made again. A search that was killed and resumed therefore makes the same
trials as an uninterrupted one. The sampler is a tree-structured Parzen estimator (Bergstra et al.,
"Algorithms for Hyper-Parameter Optimization", 2011).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from quant_assets.core.errors import FitError, NotEnoughHistoryError
from quant_assets.core.typing import FloatArray
from quant_assets.models.protocol import Parameters
from quant_assets.models.search_space import Space
from quant_assets.scoring.metric import score_of_ic
from quant_assets.tuning.distributions import decode_parameters, encode_parameters, to_distributions
from quant_assets.tuning.objective import objective_value

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, TrialState

Stage = Literal["broad", "narrow"]
BROAD: Stage = "broad"
NARROW: Stage = "narrow"
METRICS = "metrics"
"""Attribute of a trial in Optuna: the score of each fold."""
_ADOPTED = "adopted"
"""Attribute of a trial in Optuna that was copied from the broad stage."""
_UNIFORM_TRIALS: dict[Stage, int] = {BROAD: 10, NARROW: 5}
"""Trials at the start of a stage that are drawn uniformly; then the sampler learns from them."""
_UNPRUNED_TRIALS = 5
"""Trials of a stage that have to finish before another is compared with their median."""


@dataclass(frozen=True)
class Search:
    """A search for the parameters of one family.

    Attributes:
        name: name of the search in the file of trials.
        label: name of the search in messages.
        storage: the open file of trials; no other process uses it.
        seed: seed of the samplers.
        deadline: value of ``time.monotonic`` after which no fold is begun, except of the first
            trial.
        folds: number of folds.
        judge: yields the (n,) daily ICs of one fold after another for given parameters.
        note: called with one line of text about every finished trial.
    """

    name: str
    label: str
    storage: "RDBStorage"
    seed: int
    deadline: float
    folds: int
    judge: Callable[[Parameters], Iterator[FloatArray]]
    note: Callable[[str], None]

    def run_broad(self, space: Space, wanted: int, start: Parameters) -> "list[FrozenTrial]":
        """Make trials over the whole space until there are enough or the deadline has passed.

        Args:
            space: the whole search space.
            wanted: number of trials.
            start: parameters of the first trial, which is finished whatever the deadline.

        Returns:
            The finished trials, at most ``wanted``.

        Raises:
            FitError: the first trial failed.
            NotEnoughHistoryError: there are too few labels for the first trial.
        """
        study = self._open_study(BROAD)
        if not _finished_trials(study):
            if not _trials_in_state(study, "WAITING"):
                study.enqueue_trial(encode_parameters(space, start))
            self._make_trial(study, BROAD, space, wanted, first=True)
        return self._make_trials(study, BROAD, space, wanted)

    def run_narrow(
        self, space: Space, wanted: int, broad_trials: "Sequence[FrozenTrial]"
    ) -> "list[FrozenTrial]":
        """Make trials in a narrowed space until there are enough or the deadline has passed.

        The sampler also learns from the broad trials that lie in the narrowed space.

        Args:
            space: the narrowed space.
            wanted: number of trials.
            broad_trials: the finished trials of the broad stage.

        Returns:
            The finished trials of this stage, at most ``wanted``.
        """
        from optuna.trial import TrialState, create_trial

        # With more broad trials the best trial, and so the narrowed space, may be another.
        study = self._open_study(f"{NARROW} after {len(broad_trials)}")
        inside = [
            trial
            for trial in broad_trials
            if trial.state == TrialState.COMPLETE and _lies_within(space, trial)
        ]
        adopted = sum(_ADOPTED in trial.user_attrs for trial in study.trials)
        for trial in inside[adopted:]:
            study.add_trial(
                create_trial(
                    value=trial.value,
                    params=trial.params,
                    distributions=to_distributions(space),
                    intermediate_values=trial.intermediate_values,
                    user_attrs={_ADOPTED: True},
                )
            )
        return self._make_trials(study, NARROW, space, wanted)

    def _open_study(self, name: str) -> "Study":
        """Open or create a study in the file; interrupted trials in it become failed ones."""
        import optuna

        study = optuna.create_study(
            storage=self.storage,
            study_name=f"{self.name}/{name}",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
            load_if_exists=True,
        )
        for interrupted in _trials_in_state(study, "RUNNING"):
            study.tell(interrupted.number, state=optuna.trial.TrialState.FAIL)
        return study

    def _make_trials(
        self, study: "Study", stage: Stage, space: Space, wanted: int
    ) -> "list[FrozenTrial]":
        while len(_finished_trials(study)) < wanted and time.monotonic() < self.deadline:
            self._make_trial(study, stage, space, wanted)
        return _finished_trials(study)[:wanted]

    def _make_trial(
        self, study: "Study", stage: Stage, space: Space, wanted: int, *, first: bool = False
    ) -> None:
        from optuna.trial import TrialState

        number = len(_finished_trials(study))
        study.sampler = _make_sampler(self.seed, stage, number)
        trial = study.ask(to_distributions(space))
        state, ics = self._judge_trial(trial, decode_parameters(space, trial.params), first)
        trial.set_user_attr(METRICS, [score_of_ic(ic) for ic in ics])
        value = objective_value(ics) if state == TrialState.COMPLETE else None
        study.tell(trial, value, state)
        if state != TrialState.FAIL:
            outcome = f"given up after {len(ics)} folds" if value is None else f"{value:.4f}"
            self.note(f"{self.label}: {stage} trial {number + 1} of {wanted}: {outcome}")

    def _judge_trial(
        self, trial: "Trial", parameters: Parameters, first: bool
    ) -> "tuple[TrialState, list[FloatArray]]":
        """Judge a trial's parameters on one fold after another.

        Returns the state in which the trial ends, and the daily ICs of each fold that was judged.
        """
        from optuna.trial import TrialState

        ics: list[FloatArray] = []
        try:
            for ic in self.judge(parameters):
                ics.append(ic)
                if len(ics) == self.folds:
                    break
                # The pruner keeps the best report, and the value of one fold has no penalty yet.
                if len(ics) > 1:
                    trial.report(objective_value(ics), len(ics))
                if not first and trial.should_prune():
                    return TrialState.PRUNED, ics
                if not first and time.monotonic() >= self.deadline:
                    return TrialState.FAIL, ics
        except (FitError, NotEnoughHistoryError):
            if first:
                raise
            # The sampler ranks a pruned trial without a report last, and so avoids its parameters.
            return TrialState.PRUNED, []
        return TrialState.COMPLETE, ics


def _lies_within(space: Space, trial: "FrozenTrial") -> bool:
    return all(
        value in space[name] for name, value in decode_parameters(space, trial.params).items()
    )


def _make_sampler(seed: int, stage: Stage, number: int) -> "BaseSampler":
    from optuna.samplers import TPESampler

    entropy = np.random.SeedSequence((seed, (BROAD, NARROW).index(stage), number))
    return TPESampler(
        seed=int(entropy.generate_state(1)[0]),
        n_startup_trials=_UNIFORM_TRIALS[stage],
        multivariate=True,
        constant_liar=False,
    )


def _trials_in_state(study: "Study", *names: str) -> "list[FrozenTrial]":
    from optuna.trial import TrialState

    return study.get_trials(states=[TrialState[name] for name in names])


def _finished_trials(study: "Study") -> "list[FrozenTrial]":
    """Finished trials of the study, without those copied from the broad stage."""
    finished = _trials_in_state(study, "COMPLETE", "PRUNED")
    return [trial for trial in finished if _ADOPTED not in trial.user_attrs]
