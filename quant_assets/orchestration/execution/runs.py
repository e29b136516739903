"""Runs jobs from the command line, on the same instance that the UI shows.

The locks that tell whether a command still works on its run are in ``execution.run_locks``.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dagster as dg

from quant_assets.core.errors import LakeError, QuantAssetsError, SettingsError, unknown_name
from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.instance_file import write_instance_file
from quant_assets.orchestration.execution.progress import Progress, keep_terminal
from quant_assets.orchestration.execution.run_locks import (
    HOLDS_LOCK,
    LOCKS,
    close_abandoned_runs,
    hold_run_lock,
)
from quant_assets.orchestration.jobs.job_run import JobRun

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

INSTANCE_FILE = Path(__file__).parents[1] / "config" / "dagster.yaml"
WORKSPACE_FILE = Path(__file__).parents[1] / "config" / "workspace.yaml"
_ROWS = 8
RANGE_START, RANGE_END = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)


class RunFailedError(QuantAssetsError):
    """A run ended with a failed asset or a failed blocking check."""


@dataclass(frozen=True)
class RunResult:
    """A finished run: its id, and a text for each check that did not pass."""

    run_id: str
    warnings: tuple[str, ...]


def prepare_home(settings: Settings, changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Make Dagster's home below the data directory. Returns the variables its processes need.

    The home's ``dagster.yaml`` has the platform's defaults, and over them the top-level keys of the
    ``dagster.yaml`` that a user puts into the data directory.

    Args:
        settings: say where the data directory is.
        changes: top-level keys of ``dagster.yaml`` that replace the defaults' and the user's.

    Raises:
        SettingsError: the data directory cannot be written, or the user's file cannot be read.
    """
    try:
        (settings.dagster_home / LOCKS).mkdir(parents=True, exist_ok=True)
        write_instance_file(INSTANCE_FILE, settings, changes or {})
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


def database_error() -> "type[DBAPIError]":
    """The error that Dagster's storages raise when a database fails.

    Its library is imported only once there is an error to compare: loading the definitions, as
    every process of Dagster does, stays light.
    """
    from sqlalchemy.exc import DBAPIError

    return DBAPIError


@contextmanager
def open_instance(
    settings: Settings, changes: Mapping[str, Any] | None = None
) -> Iterator[dg.DagsterInstance]:
    """Open Dagster's instance of the data directory; the environment has its variables meanwhile.

    Runs whose process died are closed as failed, so that they hold no place in the queue.

    Args:
        settings: say where the data directory is.
        changes: top-level keys of ``dagster.yaml`` that replace the defaults' and the user's.

    Raises:
        SettingsError: the data directory cannot be written, or Dagster refuses its settings.
        LakeError: Dagster's records cannot be read or written.
    """
    variables = prepare_home(settings, changes)
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        with dg.DagsterInstance.get() as opened:
            close_abandoned_runs(opened)
            yield opened
    except dg.DagsterInvalidConfigError as error:
        raise SettingsError(
            "Dagster refuses the settings of its instance",
            where=str(settings.data_dir / "dagster.yaml"),
            expected="settings that docs.dagster.io lists for dagster.yaml",
            found="\n    ".join(each.message for each in error.errors),
        ) from error
    except database_error() as error:
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


def run_job(definitions: dg.Definitions, opened: dg.DagsterInstance, run: JobRun) -> RunResult:
    """Run a job over a range of days in this process.

    Args:
        definitions: the platform.
        opened: the instance that records the run.
        run: the job and the days.

    Raises:
        UnknownNameError: no job has this name.
        RunFailedError: an asset failed, or a blocking check did not pass.
    """
    names = [each.name for each in definitions.jobs or ()]
    if run.job not in names:
        raise unknown_name("job", run.job, names)
    resolved = definitions.resolve_job_def(run.job)
    run_id = run.run_id or str(uuid4())
    selected = [dg.AssetKey(name.split(".")) for name in run.only]
    days = {RANGE_START: run.start.isoformat(), RANGE_END: run.end.isoformat()}
    with hold_run_lock(opened, run_id), keep_terminal() as terminal:
        opened.add_event_listener(run_id, Progress(_count_steps(resolved, selected), terminal))
        result = resolved.execute_in_process(
            asset_selection=selected or None,
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {name: {"config": dict(step)} for name, step in run.config.items()},
            },
            instance=opened,
            run_id=run_id,
            tags={**days, HOLDS_LOCK: run_id, **run.tags},
            raise_on_error=False,
        )
    failed = [
        f"{event.step_key}: {find_root_cause(event)}"
        for event in result.all_events
        if event.is_step_failure
    ]
    checks = [e for e in result.get_asset_check_evaluations() if not e.passed]
    blocking = [
        _check_text(e) for e in checks if e.blocking and e.severity == dg.AssetCheckSeverity.ERROR
    ]
    if failed or blocking or not result.success:
        raise RunFailedError(
            f"the run of {run.job} failed",
            where=f"run {result.run_id}",
            found="\n    ".join([*failed, *blocking]) or "see the run's log",
            hint="`quant-assets ui` shows the run; what depends on the failed step was not changed",
        )
    return RunResult(result.run_id, tuple(_check_text(evaluation) for evaluation in checks))


def _count_steps(job: dg.JobDefinition, selected: Sequence[dg.AssetKey]) -> int:
    """Return the number of a run's steps, some of which make several of the selected assets."""
    if selected:
        job = job.get_subset(asset_selection=frozenset(selected))
    return len(job.nodes)


def find_root_cause(event: dg.DagsterEvent) -> str:
    """Return the message of the error that made a step fail.

    That is the outermost error of the chain that this package raised on purpose: its message says
    what to do, which the errors that it came from do not. Without one it is the first error.
    """
    chain = []
    error = event.step_failure_data.error
    while error:
        chain.append(error)
        error = error.cause
    own = _names_below(QuantAssetsError)
    told = next((each for each in chain if each.cls_name in own), chain[-1] if chain else None)
    return told.message.strip().replace("\n", "\n    ") if told else "unknown"


def _names_below(base: type) -> set[str]:
    """Return the names of a class and of all that derive from it."""
    return {base.__name__}.union(*map(_names_below, base.__subclasses__()))


def _check_text(evaluation: dg.AssetCheckEvaluation) -> str:
    """Return which check did not pass, and the first rows of the tables that say why."""
    asset = evaluation.asset_key.to_user_string()
    details = evaluation.metadata.values()
    texts = (x.md_str or "" for x in details if isinstance(x, dg.MarkdownMetadataValue))
    rows = [row for text in texts for row in text.splitlines() if row.startswith("|")]
    cut = [f"... and {len(rows) - _ROWS} more"] if len(rows) > _ROWS else []
    lines = [f"check {evaluation.check_name} of {asset} did not pass", *rows[:_ROWS], *cut]
    return "\n    ".join(lines)
