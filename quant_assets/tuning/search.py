"""Trials in a file: made one after the other with Optuna, resumed after a kill, bounded by time.

What a trial is judged by comes in as a function; which stages there are is decided in ``study``.

Every trial gets a sampler of its own, seeded by the number of trials finished before it, and one
that was interrupted is made again. A search that was killed and resumed therefore makes the same
trials as one that never was. (Tree-structured Parzen estimator: Bergstra et al., "Algorithms for
Hyper-Parameter Optimization", 2011.)
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from quant_assets.core.errors import FitError, LakeError, NotEnoughHistoryError
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

BROAD, NARROW = "broad", "narrow"
METRICS = "metrics"
_ADOPTED = "adopted"
_DRAWN = {BROAD: 10, NARROW: 5}
"""Trials at the start of a stage that are drawn uniformly; then the sampler learns from them."""
_NEVER_PRUNED = 5
"""Trials of a stage to finish before another is compared with their median."""


@dataclass(frozen=True)
class Search:
    """Where and how trials are made.

    Attributes:
        name: of the problem in the file.
        label: for people.
        stored: the file; nobody else is at work on it.
        seed: of the samplers.
        deadline: of ``time.monotonic``; after it no fold is begun, except of the first trial.
        folds: how many there are.
        judge: daily IC of fold after fold with the parameters given.
        note: told of every trial.
    """

    name: str
    label: str
    stored: "RDBStorage"
    seed: int
    deadline: float
    folds: int
    judge: Callable[[Parameters], Iterator[FloatArray]]
    note: Callable[[str], None]

    def broad(self, space: Space, wanted: int, start: Parameters) -> "list[FrozenTrial]":
        """Finished trials over the whole space, at most so many.

        The first has the parameters given. It is finished in any case, or raises.
        """
        study = self._study(BROAD)
        if not _finished(study):
            if not _in_state(study, "WAITING"):
                study.enqueue_trial(encode_parameters(space, start))
            self._make(study, BROAD, space, wanted, first=True)
        return self._until(study, BROAD, space, wanted)

    def narrow(
        self, space: Space, wanted: int, before: "Sequence[FrozenTrial]"
    ) -> "list[FrozenTrial]":
        """Likewise in a narrowed space, learning also from the trials before that lie in it."""
        from optuna.trial import TrialState, create_trial

        # After another number of broad trials the best, and so the space, may be another.
        study = self._study(f"{NARROW} after {len(before)}")
        inside = [t for t in before if t.state == TrialState.COMPLETE and _within(space, t)]
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
        return self._until(study, NARROW, space, wanted)

    def _study(self, stage: str) -> "Study":
        import optuna

        study = optuna.create_study(
            storage=self.stored,
            study_name=f"{self.name}/{stage}",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_NEVER_PRUNED),
            load_if_exists=True,
        )
        for interrupted in _in_state(study, "RUNNING"):
            study.tell(interrupted.number, state=optuna.trial.TrialState.FAIL)
        return study

    def _until(self, study: "Study", stage: str, space: Space, wanted: int) -> "list[FrozenTrial]":
        while len(_finished(study)) < wanted and time.monotonic() < self.deadline:
            self._make(study, stage, space, wanted)
        return _finished(study)[:wanted]

    def _make(
        self, study: "Study", stage: str, space: Space, wanted: int, *, first: bool = False
    ) -> None:
        from optuna.trial import TrialState

        number = len(_finished(study))
        study.sampler = _sampler(self.seed, stage, number)
        trial = study.ask(to_distributions(space))
        state, ics = self._judged(trial, decode_parameters(space, trial.params), first)
        trial.set_user_attr(METRICS, [score_of_ic(ic) for ic in ics])
        value = objective_value(ics) if state == TrialState.COMPLETE else None
        study.tell(trial, value, state)
        if state != TrialState.FAIL:
            came_to = f"given up after {len(ics)} folds" if value is None else f"{value:.4f}"
            self.note(f"{self.label}: {stage} trial {number + 1} of {wanted}: {came_to}")

    def _judged(
        self, trial: "Trial", parameters: Parameters, first: bool
    ) -> "tuple[TrialState, list[FloatArray]]":
        """How a trial ended, and the daily IC of each fold it got to."""
        from optuna.trial import TrialState

        ics: list[FloatArray] = []
        try:
            for ic in self.judge(parameters):
                ics.append(ic)
                if len(ics) == self.folds:
                    break
                # One fold has no instability yet, and the pruner remembers the best report.
                if len(ics) > 1:
                    trial.report(objective_value(ics), len(ics))
                if not first and trial.should_prune():
                    return TrialState.PRUNED, ics
                if not first and time.monotonic() >= self.deadline:
                    return TrialState.FAIL, ics
        except (FitError, NotEnoughHistoryError):
            if first:
                raise
            # A pruned trial without a report is the worst there is: the sampler keeps away.
            return TrialState.PRUNED, []
        return TrialState.COMPLETE, ics


@contextmanager
def open_trials(path: Path, note: Callable[[str], None]) -> "Iterator[RDBStorage]":
    """The file's trials, for nobody else meanwhile; Optuna is silent while it is open.

    Raises:
        LakeError: it is no file of trials, or one of another version of Optuna.
    """
    import optuna
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import QueuePool

    path.parent.mkdir(parents=True, exist_ok=True)
    verbosity = optuna.logging.get_verbosity()
    # By a function, since Optuna and SQLAlchemy give a meaning to some characters of an address.
    engine = {"creator": partial(_connected, path), "poolclass": QueuePool}
    with _locked(path.with_name(f"{path.name}.lock"), path, note):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            try:
                storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=engine)
            except (DatabaseError, RuntimeError) as error:
                raise LakeError(
                    "the file of trials cannot be read",
                    where=str(path),
                    found=str(error).splitlines()[0],
                    hint="move it away; the search then begins anew",
                ) from error
            try:
                yield storage
            finally:
                storage.remove_session()
                storage.engine.dispose()
        finally:
            optuna.logging.set_verbosity(verbosity)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    # A trial is some twenty transactions. With a log in front a kill still loses none of them, and
    # none waits for the disk.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _within(space: Space, trial: "FrozenTrial") -> bool:
    return all(
        value in space[name] for name, value in decode_parameters(space, trial.params).items()
    )


def _sampler(seed: int, stage: str, number: int) -> "BaseSampler":
    from optuna.samplers import TPESampler

    entropy = np.random.SeedSequence((seed, (BROAD, NARROW).index(stage), number))
    return TPESampler(
        seed=int(entropy.generate_state(1)[0]),
        n_startup_trials=_DRAWN[stage],
        multivariate=True,
        constant_liar=False,
    )


def _in_state(study: "Study", *names: str) -> "list[FrozenTrial]":
    from optuna.trial import TrialState

    return study.get_trials(states=[TrialState[name] for name in names])


def _finished(study: "Study") -> "list[FrozenTrial]":
    """Trials made in the study itself."""
    made = _in_state(study, "COMPLETE", "PRUNED")
    return [trial for trial in made if _ADOPTED not in trial.user_attrs]


@contextmanager
def _locked(lock: Path, path: Path, note: Callable[[str], None]) -> Iterator[None]:
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        note(f"waiting for another process that tunes with {path}")
        held.acquire()
    try:
        yield
    finally:
        held.release()
