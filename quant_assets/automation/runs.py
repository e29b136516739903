"""Running a job from the command line, on the same instance that the UI shows."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import dagster as dg

from quant_assets.automation.progress import Progress
from quant_assets.errors import QuantAssetsError
from quant_assets.settings import Settings

INSTANCE_FILE = Path(__file__).parents[2] / "dagster.yaml"
WORKSPACE_FILE = Path(__file__).parents[2] / "workspace.yaml"
FINGERPRINT = "quant/source_fingerprint"
_RANGE_START, _RANGE_END = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)


class RunFailedError(QuantAssetsError):
    """A run ended with a failed asset or a failed blocking check."""


@dataclass(frozen=True)
class Outcome:
    """A finished run: its id, and the warnings its checks gave."""

    run_id: str
    warnings: tuple[str, ...]


def prepare_home(settings: Settings) -> dict[str, str]:
    """Make Dagster's home below the data directory; the variables its processes need."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(INSTANCE_FILE, settings.dagster_home / "dagster.yaml")
    return {
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_EVENT_BATCH_SIZE": "500",
        "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "QUANT_DATA_DIR": str(settings.data_dir),
        "QUANT_SOURCE": settings.source,
    }


@contextmanager
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance of the data directory."""
    os.environ.update(prepare_home(settings))
    with dg.DagsterInstance.get() as opened:
        yield opened


def run(
    definitions: dg.Definitions,
    opened: dg.DagsterInstance,
    job: str,
    start: date,
    end: date,
    tags: dict[str, str] | None = None,
) -> Outcome:
    """Run a job over the days from ``start`` to ``end`` in this process.

    Raises:
        RunFailedError: an asset failed, or a blocking check did not pass.
    """
    resolved = definitions.resolve_job_def(job)
    run_id = str(uuid4())
    opened.add_event_listener(run_id, Progress(len(resolved.all_node_defs)))
    done = resolved.execute_in_process(
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        instance=opened,
        run_id=run_id,
        tags={_RANGE_START: start.isoformat(), _RANGE_END: end.isoformat(), **(tags or {})},
        raise_on_error=False,
    )
    failed = [
        f"{event.step_key}: {_cause(event)}" for event in done.all_events if event.is_step_failure
    ]
    checks = [e for e in done.get_asset_check_evaluations() if not e.passed]
    blocking = [_check_text(e) for e in checks if e.severity == dg.AssetCheckSeverity.ERROR]
    if failed or blocking or not done.success:
        raise RunFailedError(
            f"the run of {job} failed",
            where=f"run {done.run_id}",
            found="\n    ".join([*failed, *blocking]) or "see the run's log",
            hint="`make ui` shows the run; nothing downstream of the failure was changed",
        )
    return Outcome(done.run_id, tuple(_check_text(evaluation) for evaluation in checks))


def already_loaded(opened: dg.DagsterInstance, fingerprint: str) -> bool:
    """Whether a whole load of exactly this source has succeeded here."""
    filters = dg.RunsFilter(
        job_name="load_history",
        tags={FINGERPRINT: fingerprint},
        statuses=[dg.DagsterRunStatus.SUCCESS],
    )
    return bool(opened.get_run_records(filters, limit=1))


def _cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return error.message.strip() if error else "unknown"


def _check_text(evaluation: dg.AssetCheckEvaluation) -> str:
    return f"check {evaluation.check_name} of {evaluation.asset_key.to_user_string()} did not pass"
