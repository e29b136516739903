"""Running a job from the command line, on the same instance that the UI shows."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import yaml
from filelock import FileLock, Timeout
from sqlalchemy.exc import DBAPIError

from quant_assets.core.errors import LakeError, QuantAssetsError, SettingsError, unknown_name
from quant_assets.core.settings import Settings
from quant_assets.lake.store.artifacts import write_atomically
from quant_assets.orchestration.execution.progress import Progress
from quant_assets.orchestration.run_requests.attempts import UNFINISHED

INSTANCE_FILE = Path(__file__).parents[3] / "dagster.yaml"
WORKSPACE_FILE = Path(__file__).parents[3] / "workspace.yaml"
FINGERPRINT = "quant/source_fingerprint"
_ROWS = 8
_LOCKS, _LOCKED = "locks", "quant/holds_lock"
RANGE_START, RANGE_END = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)


class RunFailedError(QuantAssetsError):
    """A run ended with a failed asset or a failed blocking check."""


@dataclass(frozen=True)
class RunResult:
    """A finished run: its id, and the warnings its checks gave."""

    run_id: str
    warnings: tuple[str, ...]


def prepare_home(settings: Settings, changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Make Dagster's home below the data directory; the variables its processes need.

    Args:
        settings: where the data directory is.
        changes: parts of ``dagster.yaml`` that are to say something else.

    Raises:
        SettingsError: the data directory cannot be written.
    """
    try:
        (settings.dagster_home / _LOCKS).mkdir(parents=True, exist_ok=True)
        configuration = {**yaml.safe_load(INSTANCE_FILE.read_text()), **(changes or {})}
        write_atomically(
            settings.dagster_home / "dagster.yaml", yaml.safe_dump(configuration).encode()
        )
    except OSError as error:
        raise SettingsError(
            "the data directory cannot be written",
            where=str(settings.data_dir),
            expected="a directory that you may write to, with free space",
            found=str(error),
            hint="correct it, or set QUANT_DATA_DIR to another",
        ) from error
    return {
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_EVENT_BATCH_SIZE": "500",
        "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "1",
        "QUANT_DATA_DIR": str(settings.data_dir),
        "QUANT_SOURCE": settings.source,
        "QUANT_FIRST_DAY": settings.first_day.isoformat(),
    }


@contextmanager
def open_instance(
    settings: Settings, changes: Mapping[str, Any] | None = None
) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance of the data directory; the environment has its variables meanwhile.

    Runs whose process died are closed as failed, so that they hold no place in the queue.

    Raises:
        SettingsError: the data directory cannot be written.
    """
    variables = prepare_home(settings, changes)
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        with dg.DagsterInstance.get() as opened:
            close_abandoned_runs(opened)
            yield opened
    except DBAPIError as error:
        raise LakeError(
            "Dagster's records cannot be read or written",
            where=str(settings.dagster_home),
            found=str(error.orig),
            hint="check free disk space and permissions, then try again",
        ) from error
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_job(
    definitions: dg.Definitions,
    opened: dg.DagsterInstance,
    job: str,
    start: date,
    end: date,
    tags: dict[str, str] | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] = (),
) -> RunResult:
    """Run a job over the days from ``start`` to ``end`` in this process.

    Args:
        definitions: the platform.
        opened: the instance that records the run.
        job: its name.
        start: first day.
        end: last day.
        tags: of the run.
        config: of its steps, by name.
        only: tables whose assets are run; all of the job's if none is named.

    Raises:
        UnknownNameError: there is no such job.
        RunFailedError: an asset failed, or a blocking check did not pass.
    """
    known = [one.name for one in definitions.jobs or ()]
    if job not in known:
        raise unknown_name("job", job, known)
    resolved = definitions.resolve_job_def(job)
    run_id = str(uuid4())
    opened.add_event_listener(run_id, Progress(len(only) or len(resolved.all_node_defs)))
    days = {RANGE_START: start.isoformat(), RANGE_END: end.isoformat()}
    with hold_run_lock(opened, run_id):
        done = resolved.execute_in_process(
            asset_selection=[dg.AssetKey(name.split(".")) for name in only] or None,
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {name: {"config": dict(given)} for name, given in (config or {}).items()},
            },
            instance=opened,
            run_id=run_id,
            tags={**days, _LOCKED: run_id, **(tags or {})},
            raise_on_error=False,
        )
    failed = [
        f"{event.step_key}: {find_root_cause(event)}"
        for event in done.all_events
        if event.is_step_failure
    ]
    checks = [e for e in done.get_asset_check_evaluations() if not e.passed]
    blocking = [
        _check_text(e) for e in checks if e.blocking and e.severity == dg.AssetCheckSeverity.ERROR
    ]
    if failed or blocking or not done.success:
        raise RunFailedError(
            f"the run of {job} failed",
            where=f"run {done.run_id}",
            found="\n    ".join([*failed, *blocking]) or "see the run's log",
            hint="`make ui` shows the run; nothing downstream of the failure was changed",
        )
    return RunResult(done.run_id, tuple(_check_text(evaluation) for evaluation in checks))


def read_last_fingerprint(opened: dg.DagsterInstance) -> str | None:
    """Fingerprint of the newest whole load; None if it did not succeed, or there was none."""
    loads = opened.get_runs(dg.RunsFilter(job_name="load_history"))
    newest = next((one for one in loads if FINGERPRINT in one.tags), None)
    return newest.tags[FINGERPRINT] if newest and newest.is_success else None


def run_lock(opened: dg.DagsterInstance, run_id: str) -> FileLock:
    """A lock that the process of a run holds; it ends with that process at the latest."""
    return FileLock(Path(opened.root_directory) / _LOCKS / run_id)


@contextmanager
def hold_run_lock(opened: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the run's lock, which ends with the process at the latest."""
    with run_lock(opened, run_id) as lock:
        yield
    Path(lock.lock_file).unlink(missing_ok=True)


def holds_lock(opened: dg.DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """Whether the command that runs it is alive; None if the run is not a command's."""
    return is_run_locked(opened, run.run_id) if _is_command(run) else None


def is_run_locked(opened: dg.DagsterInstance, run_id: str) -> bool:
    """Return whether a living process holds the run's lock."""
    try:
        with run_lock(opened, run_id).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _is_command(run: dg.DagsterRun) -> bool:
    """Whether a command runs it: a run that the UI made of a command's has that one's tags."""
    return run.tags.get(_LOCKED) == run.run_id


def close_abandoned_runs(opened: dg.DagsterInstance) -> None:
    """Close as failed the commands' runs whose process died; one has its lock before its run is."""
    for run in opened.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if not _is_command(run):
            continue
        try:
            with run_lock(opened, run.run_id).acquire(timeout=0) as lock:
                # It may have ended in good order since it was listed.
                now = opened.get_run_by_id(run.run_id)
                if now is not None and not now.is_finished:
                    opened.report_run_failed(
                        now, "The process of this run ended before the run did."
                    )
            Path(lock.lock_file).unlink(missing_ok=True)
        except Timeout:
            continue


def find_root_cause(event: dg.DagsterEvent) -> str:
    """What was at the bottom of a step's failure."""
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return error.message.strip().replace("\n", "\n    ") if error else "unknown"


def _check_text(evaluation: dg.AssetCheckEvaluation) -> str:
    """That it did not pass, and the first rows of the tables that say why."""
    asset = evaluation.asset_key.to_user_string()
    details = evaluation.metadata.values()
    texts = (x.md_str or "" for x in details if isinstance(x, dg.MarkdownMetadataValue))
    rows = [row for text in texts for row in text.splitlines() if row.startswith("|")]
    cut = [f"... and {len(rows) - _ROWS} more"] if len(rows) > _ROWS else []
    told = [f"check {evaluation.check_name} of {asset} did not pass", *rows[:_ROWS], *cut]
    return "\n    ".join(told)
