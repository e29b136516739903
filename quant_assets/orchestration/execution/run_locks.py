"""Locks by which others see whether the process of a run is alive.

The process in which a run begins holds the run's lock, and the operating system releases the lock
when that process ends in any manner. A command takes the lock before it creates its run; for every
other run the storage of runs takes it (``orchestration.storages.sqlite``). Runs in other storages,
and runs that an earlier version began, have no lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from quant_assets.orchestration.run_requests.attempts import UNFINISHED

LOCKS = "locks"
"""The folder of the locks, beside the records of runs: by default below Dagster's home."""
HOLDS_LOCK = "quant/holds_lock"
"""Tag of a command's run; its value is the id of the run."""
_BEGUN = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_held: dict[Path, FileLock] = {}
_SECONDS = 10.0
"""Longest wait for a lock: others hold it only while they look."""


def run_lock(opened: dg.DagsterInstance, run_id: str) -> FileLock:
    """Return the lock that the process of a run holds; it ends with that process at the latest."""
    return FileLock(_lock_file(opened, run_id), thread_local=False)


def take_run_lock(opened: dg.DagsterInstance, run_id: str) -> None:
    """Take the run's lock for this process, unless it has the lock already.

    Raises:
        filelock.Timeout: another process executes the run.
    """
    file = _lock_file(opened, run_id)
    if file not in _held:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = run_lock(opened, run_id)
        lock.acquire(timeout=_SECONDS)
        _held[file] = lock


def take_lock_of_begun_run(opened: dg.DagsterInstance, run_id: str) -> None:
    """Take the lock of a run that begins in this process; a command has taken that of its run.

    Raises:
        filelock.Timeout: another process executes the run.
    """
    run = opened.get_run_by_id(run_id)
    if run and not _is_command(run):
        take_run_lock(opened, run_id)


def release_run_lock(opened: dg.DagsterInstance, run_id: str) -> None:
    """Release the run's lock if this process has it."""
    file = _lock_file(opened, run_id)
    lock = _held.pop(file, None)
    if lock:
        file.unlink(missing_ok=True)
        lock.release()


@contextmanager
def hold_run_lock(opened: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the run's lock, which ends with the process at the latest."""
    take_run_lock(opened, run_id)
    try:
        yield
    finally:
        release_run_lock(opened, run_id)


def holds_lock(opened: dg.DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """Return whether the process of a run is alive; None if the run has no lock."""
    if not _has_lock(opened, run):
        return None
    try:
        with run_lock(opened, run.run_id).acquire(timeout=0):
            return False
    except Timeout:
        return True


def close_abandoned_runs(opened: dg.DagsterInstance) -> None:
    """Close as failed the runs whose process has ended before they did.

    A run without a lock is closed if the launcher, which then asks the run's code server, knows
    that the process is gone.
    """
    for run in opened.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if _has_lock(opened, run):
            _close_if_free(opened, run)
        elif run.status is dg.DagsterRunStatus.STARTING and _is_known_gone(opened, run):
            _close(opened, run)


def find_run_in_progress(opened: dg.DagsterInstance) -> dg.DagsterRun | None:
    """Return a run that some process executes; None if there is none, except runs in the queue."""
    close_abandoned_runs(opened)
    runs = opened.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    begun = (dg.DagsterRunStatus.STARTING, *_BEGUN)
    return next((run for run in runs if run.status in begun or holds_lock(opened, run)), None)


def _close_if_free(opened: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    lock = run_lock(opened, run.run_id)
    try:
        with lock.acquire(timeout=0):
            # The run may have begun or ended in good order after it was listed.
            now = opened.get_run_by_id(run.run_id)
            if now is None or now.is_finished:
                Path(lock.lock_file).unlink(missing_ok=True)
            elif _is_command(now) or now.status in _BEGUN:
                _close(opened, now)
                Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        return


def _close(opened: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    opened.report_run_failed(run, "The process of this run ended before the run did.")


def _is_known_gone(opened: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    launcher = opened.run_launcher
    if not launcher.supports_check_run_worker_health:
        return False
    return launcher.check_run_worker_health(run).status.name == "FAILED"


def _has_lock(opened: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    return _is_command(run) or _lock_file(opened, run.run_id).exists()


def _is_command(run: dg.DagsterRun) -> bool:
    """Return whether a command runs it. A re-execution in the UI copies the tag with another id."""
    return run.tags.get(HOLDS_LOCK) == run.run_id


def _lock_file(opened: dg.DagsterInstance, run_id: str) -> Path:
    # Only a storage of this package says where its runs' locks are.
    home = getattr(opened.run_storage, "home", opened.root_directory)
    return Path(home) / LOCKS / run_id
