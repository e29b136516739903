"""Time that events of a historical load take: Dagster's own event log against the batched log.

Each timing is a whole run in this process over a range of daily partitions, with assets that do
nothing: construction, logging and storage of events.
"""

import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import dagster as dg

from benchmarks.figures import Figure

DAYS, ASSETS, WARM_UP_DAYS, REPEATS = 300, 4, 20, 3
STORAGES = {
    "dagster": ("dagster._core.storage.event_log", "SqliteEventLogStorage"),
    "batched": ("quant_assets.orchestration.storages.event_log", "BatchedSqliteEventLogStorage"),
}
SETTINGS = {
    "DAGSTER_EVENT_BATCH_SIZE": "500",
    "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
}


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set variables that are not set already, and remove them afterwards."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def chain(n_assets: int, days: dg.PartitionsDefinition[str]) -> dg.Definitions:
    """Return a chain of assets that do nothing, each with a check, run over a range at once."""

    def link(i: int) -> dg.AssetsDefinition:
        @dg.asset(
            name=f"a{i}",
            deps=[f"a{i - 1}"] if i else [],
            partitions_def=days,
            backfill_policy=dg.BackfillPolicy.single_run(),
            check_specs=[dg.AssetCheckSpec("sane", asset=f"a{i}")],
        )
        def asset() -> dg.MaterializeResult:  # type: ignore[type-arg]  # dagster reads the bare name
            check = dg.AssetCheckResult(passed=True, check_name="sane")
            return dg.MaterializeResult(metadata={"rows": 3}, check_results=[check])

        return asset

    with warnings.catch_warnings():
        # Single-run backfills are marked beta; nothing else here is.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [link(i) for i in range(n_assets)]
    return dg.Definitions(
        assets=assets,
        jobs=[dg.define_asset_job("load")],
        executor=dg.in_process_executor,
    )


def load_seconds(storage: str, n_days: int, n_assets: int) -> float:
    """Return wall-clock seconds of a load in a fresh instance.

    Args:
        storage: name of the event log's storage, from ``STORAGES``.
        n_days: number of partitions.
        n_assets: number of assets.
    """
    days = dg.DailyPartitionsDefinition("2010-01-04", exclusions=["0 0 * * 6", "0 0 * * 0"])
    first, last = (days.get_partition_keys()[i] for i in (0, n_days - 1))
    job = chain(n_assets, days).resolve_job_def("load")
    module, name = STORAGES[storage]
    with tempfile.TemporaryDirectory() as home:
        events = {"module": module, "class": name, "config": {"base_dir": f"{home}/events"}}
        config = {
            "telemetry": {"enabled": False},
            "python_logs": {"python_log_level": "INFO"},
            "event_log_storage": events,
        }
        (Path(home) / "dagster.yaml").write_text(json.dumps(config))
        with dg.DagsterInstance.from_config(home) as instance, environment(SETTINGS):
            start = time.perf_counter()
            job.execute_in_process(
                instance=instance,
                tags={
                    "dagster/asset_partition_range_start": first,
                    "dagster/asset_partition_range_end": last,
                },
            )
            return time.perf_counter() - start


def run(market: Path | None) -> list[Figure]:
    """Measure the milliseconds of a materialisation with each storage.

    Job, instance settings and events are equal; only the class that stores the events differs.
    Each load is in a fresh instance, and the storages take turns.
    """
    for storage in STORAGES:
        load_seconds(storage, WARM_UP_DAYS, ASSETS)
    taken: dict[str, list[float]] = {storage: [] for storage in STORAGES}
    for _ in range(REPEATS):
        for storage, times in taken.items():
            times.append(load_seconds(storage, DAYS, ASSETS) / (DAYS * ASSETS) * 1e3)
    plain, ours = (median(times) for times in taken.values())
    return [
        Figure(f"a materialisation of {DAYS} days x {ASSETS} assets, Dagster's log", plain, "ms"),
        Figure(f"a materialisation of {DAYS} days x {ASSETS} assets, batched log", ours, "ms"),
        Figure("Dagster's log / batched log", plain / ours, "x"),
    ]
