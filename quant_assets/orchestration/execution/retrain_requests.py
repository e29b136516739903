"""Asks for a retraining from outside Dagster: by its queue, or by a process of its own.

Where a daemon works, the run waits in its queue and begins when there is a place. Where none does,
a command runs the job at once. Both take seconds to begin, in which a file says what was asked.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

import dagster as dg
import msgspec

from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.files import write_atomically
from quant_assets.core.locks import hold_lock
from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.daemon_lock import has_daemon
from quant_assets.orchestration.execution.run_locks import close_abandoned_runs
from quant_assets.orchestration.execution.runs import WORKSPACE_FILE
from quant_assets.orchestration.run_requests.attempts import (
    REASON_TAG,
    UNFINISHED,
    read_attempts,
)
from quant_assets.orchestration.run_requests.retry_policy import Budget, measure_budget
from quant_assets.orchestration.sensors.retrain_sensor import JOB, retrain_limits_of

_FILE, _LOCK, _LOG = "retrain_request.json", "retrain_request.lock", "retrain_request.log"
_BEGINNING = timedelta(minutes=5)
"""Longest time from a request to the record of its run; importing takes most of it."""
_LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class RetrainRequest:
    """A retraining that was asked for.

    Attributes:
        run_id: id of its run.
        asked_at: when it was asked for, UTC.
        as_of: day as of which models are fitted.
        reason: why, for people.
        queued: whether Dagster's daemon begins it; otherwise a process of its own does.
        failure: why its run could not begin; empty if it could, or may yet.
    """

    run_id: str
    asked_at: datetime
    as_of: date
    reason: str
    queued: bool
    failure: str = ""

    @property
    def may_begin(self) -> bool:
        """Whether its run may still be about to begin."""
        return not self.failure and datetime.now(UTC) - self.asked_at < _BEGINNING


def find_retraining(instance: dg.DagsterInstance, home: Path) -> str | None:
    """Return the id of a retraining that is asked for, queued or going on; None without one."""
    close_abandoned_runs(instance)
    runs = instance.get_runs(dg.RunsFilter(job_name=JOB, statuses=UNFINISHED))
    if runs:
        return runs[-1].run_id
    asked = read_request(home)
    if asked and asked.may_begin and instance.get_run_by_id(asked.run_id) is None:
        return asked.run_id
    return None


def read_request(home: Path) -> RetrainRequest | None:
    """Read the newest request; None if none was ever made."""
    try:
        return msgspec.json.decode((home / _FILE).read_bytes(), type=RetrainRequest)
    except (OSError, msgspec.MsgspecError):
        return None


def request_retraining(
    settings: Settings, instance: dg.DagsterInstance, as_of: date, reason: str
) -> str | RetrainRequest | Budget:
    """Ask for a retraining, unless there is one, or the budget of 24 hours is spent.

    Args:
        settings: the market, the data directory, and the budget.
        instance: Dagster's instance of the data directory.
        as_of: day as of which models are fitted.
        reason: why, for people.

    Returns:
        The new request; or the id of the retraining that there is; or the budget that is spent.

    Raises:
        QuantAssetsError: another process is asking at the same time, and does not end.
    """
    home = settings.dagster_home
    problem = "another process is asking for a retraining"
    with hold_lock(home / _LOCK, _LOCK_SECONDS, QuantAssetsError, problem):
        if going_on := find_retraining(instance, home):
            return going_on
        past = read_attempts(instance, JOB)
        budget = measure_budget(datetime.now(UTC), past, retrain_limits_of(settings))
        if budget.free_at is not None:
            return budget
        asked = RetrainRequest(
            str(uuid4()), datetime.now(UTC), as_of, reason, queued=has_daemon(home)
        )
        _write(home, asked)
        _begin(home, asked, _command(asked))
    return asked


def _command(asked: RetrainRequest) -> Sequence[str]:
    """Return the command that puts the run into Dagster's queue, or runs it."""
    day = asked.as_of.isoformat()
    if asked.queued:
        tags = msgspec.json.encode({"dagster/partition": day, REASON_TAG: asked.reason}).decode()
        workspace = ["--workspace", str(WORKSPACE_FILE)]
        program = [sys.executable, "-m", "dagster", "job", "launch", *workspace]
        return [*program, "--job", JOB, "--run-id", asked.run_id, "--tags", tags]
    program = [str(Path(sys.executable).with_name("quant-assets")), "backfill"]
    return [*program, "--job", JOB, "--from", day, "--to", day, "--run-id", asked.run_id]


def _begin(home: Path, asked: RetrainRequest, command: Sequence[str]) -> None:
    """Start the command in a session of its own, so that it outlives this process."""
    with (home / _LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    Thread(target=_await, args=(home, asked, process), daemon=True).start()


def _await(home: Path, asked: RetrainRequest, process: "subprocess.Popen[bytes]") -> None:
    """Note in the request why its command failed, where it did."""
    if process.wait() != 0:
        text = (home / _LOG).read_text(errors="replace").strip()
        _, _, message = text.rpartition("error: ")
        _write(home, replace(asked, failure=message[-2000:] or f"status {process.returncode}"))


def _write(home: Path, asked: RetrainRequest) -> None:
    write_atomically(home / _FILE, msgspec.json.encode(asdict(asked)))
