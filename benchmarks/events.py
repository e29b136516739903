"""What one event of a historical load costs: Dagster's own event log against the batched one.

Run it as ``python -m benchmarks.events``. Each timing is a whole run in this process over a range
of daily partitions, with assets that do nothing: construction, logging and storage of events.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

STORAGES = {
    "dagster": ("dagster._core.storage.event_log", "SqliteEventLogStorage"),
    "batched": ("quant_assets.automation.event_log", "BatchedSqliteEventLogStorage"),
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
    """Assets in a row that do nothing, each with one check, run over a range at once."""

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

    return dg.Definitions(
        assets=[link(i) for i in range(n_assets)],
        jobs=[dg.define_asset_job("load")],
        executor=dg.in_process_executor,
    )


def load_seconds(storage: str, n_days: int, n_assets: int) -> float:
    """Wall-clock seconds of one load in a fresh instance."""
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


def run(repeats: int = 1, n_days: int = 300, n_assets: int = 4) -> dict[str, float]:
    """Milliseconds per materialization with each storage, the best of ``repeats`` loads."""
    events = n_days * n_assets
    return {
        storage: min(load_seconds(storage, n_days, n_assets) for _ in range(repeats)) / events * 1e3
        for storage in STORAGES
    }


def main() -> None:
    """Print one line for each storage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--days", type=int, default=300)
    parser.add_argument("--assets", type=int, default=4)
    chosen = parser.parse_args()
    found = run(chosen.repeats, chosen.days, chosen.assets)
    print(f"{'storage':<10}{'ms an event':>12}{'times faster':>14}")
    for storage, milliseconds in found.items():
        print(f"{storage:<10}{milliseconds:>12.2f}{found['dagster'] / milliseconds:>14.1f}")


if __name__ == "__main__":
    main()
