"""Seconds of monitoring a day in a warm process, by step, with and without Evidently.

Loading the data is measured in ``pipeline``.
"""

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from statistics import median

import dagster as dg

from benchmarks.figures import Figure, in_fresh_process
from benchmarks.pipeline import command
from quant_assets.core.settings import load_settings
from quant_assets.definitions import build_definitions
from quant_assets.models.registry import preload, select_families
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.sources.registry import open_source

REPEATS = 5
JOBS, EVIDENTLY = ("watch_daily", "report_drift"), "monitoring__drift_report"


def run(market: Path | None) -> list[Figure]:
    """Measure the newest day of the simulated market or a folder's market, after a ``demo``."""
    with tempfile.TemporaryDirectory() as data:
        command(Path(data), "demo", *([str(market)] if market else []))
        return in_fresh_process(measure, Path(data))


def measure(data: Path) -> list[Figure]:
    """Monitor the newest day of a loaded data directory several times.

    The first time does not count, so that no figure includes imports or references that are stored
    for later days.
    """
    settings = load_settings(data_dir=data)
    preload(select_families(settings.families))
    last = open_source(settings).last_day
    with open_instance(settings) as opened:
        definitions = build_definitions(settings)
        jobs = [definitions.resolve_job_def(name) for name in JOBS]
        runs = [[seconds_by_step(job, opened, last) for job in jobs] for _ in range(REPEATS + 1)][
            1:
        ]
    steps_by_day = [{name: taken for run in day for name, taken in run.items()} for day in runs]
    steps = {step: median(taken[step] for taken in steps_by_day) for step in steps_by_day[0]}
    whole = median(sum(taken.values()) for taken in steps_by_day)
    return [
        *(Figure(f"watch: {step}", seconds, "s") for step, seconds in sorted(steps.items())),
        Figure("watch: one day, Evidently included", whole, "s", at_most=15),
        Figure("watch: one day, without Evidently", whole - steps[EVIDENTLY], "s", at_most=2),
    ]


def seconds_by_step(
    job: dg.JobDefinition, opened: dg.DagsterInstance, day: date
) -> Mapping[str, float]:
    """Return wall-clock seconds of each step of a run, including the storage of results.

    Args:
        job: the job to run.
        opened: the Dagster instance.
        day: the day to run.
    """
    done = job.execute_in_process(
        instance=opened,
        partition_key=day.isoformat(),
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
    )
    stats = opened.get_run_step_stats(done.run_id)
    return {step.step_key: (step.end_time or 0.0) - (step.start_time or 0.0) for step in stats}
