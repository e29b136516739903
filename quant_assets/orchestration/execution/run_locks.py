"""Locks by which others see whether the command that runs a job is alive.

A command holds a lock while its run goes on, and the operating system releases the lock when the
command's process ends in any manner. Runs that Dagster's daemon launched have no such lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from quant_assets.orchestration.run_requests.attempts import UNFINISHED

LOCKS = "locks"
"""The folder of the locks, below Dagster's home."""
HOLDS_LOCK = "quant/holds_lock"
"""Tag of a command's run; its value is the id of the run."""


def run_lock(opened: dg.DagsterInstance, run_id: str) -> FileLock:
    """Return the lock that the process of a run holds; it ends with that process at the latest."""
    return FileLock(Path(opened.root_directory) / LOCKS / run_id)


@contextmanager
def hold_run_lock(opened: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the run's lock, which ends with the process at the latest."""
    with run_lock(opened, run_id) as lock:
        yield
    Path(lock.lock_file).unlink(missing_ok=True)


def holds_lock(opened: dg.DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """Return whether the command of a run is alive; None if no command runs it."""
    if not _is_command(run):
        return None
    try:
        with run_lock(opened, run.run_id).acquire(timeout=0):
            return False
    except Timeout:
        return True


def close_abandoned_runs(opened: dg.DagsterInstance) -> None:
    """Close as failed the runs of commands whose process died.

    A command takes the lock before it creates the run, so a run without a lock has no process.
    """
    for run in opened.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if not _is_command(run):
            continue
        try:
            with run_lock(opened, run.run_id).acquire(timeout=0) as lock:
                # The run may have ended in good order after it was listed.
                now = opened.get_run_by_id(run.run_id)
                if now is not None and not now.is_finished:
                    opened.report_run_failed(
                        now, "The process of this run ended before the run did."
                    )
            Path(lock.lock_file).unlink(missing_ok=True)
        except Timeout:
            continue


def _is_command(run: dg.DagsterRun) -> bool:
    """Return whether a command runs it. A re-execution in the UI copies the tag with another id."""
    return run.tags.get(HOLDS_LOCK) == run.run_id
