"""The batched event log against Dagster's own: same events in, same records out."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.events import (
    AssetMaterializationPlannedData,
    AssetObservationData,
    EngineEventData,
    StepMaterializationData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage as Plain
from sqlalchemy.exc import IntegrityError

from quant_assets.orchestration.storages.event_log import BatchedSqliteEventLogStorage as Batched

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-21")
SOURCE, SCALED = dg.AssetKey(["raw", "source"]), dg.AssetKey(["raw", "scaled"])
Replay = tuple[tuple[str, str], Batched, Plain]
RANGE_TAGS = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
TABLES = ("event_logs", "asset_keys", "asset_event_tags", "asset_check_executions")


@dg.asset(key=SOURCE, partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def source() -> dg.MaterializeResult:  # type: ignore[type-arg]  # dagster reads the bare name
    return dg.MaterializeResult(metadata={"rows": 3}, tags={"kind": "test"})


@dg.asset(
    key=SCALED,
    deps=[SOURCE],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("sane", asset=SCALED)],
)
def scaled() -> dg.MaterializeResult:  # type: ignore[type-arg]  # dagster reads the bare name
    check = dg.AssetCheckResult(passed=True, check_name="sane", metadata={"worst": 0.5})
    return dg.MaterializeResult(check_results=[check])


def table_rows(storage: Plain, shard: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of the event tables, but for the clock time at which they were written or wiped."""
    connection = sqlite3.connect(storage.path_for_shard(shard))
    connection.row_factory = sqlite3.Row
    found = {table: connection.execute(f"SELECT * FROM {table}") for table in TABLES}
    tables = {table: [dict(row) for row in rows] for table, rows in found.items()}
    connection.close()
    for row in chain.from_iterable(tables.values()):
        row.pop("create_timestamp", None)
    for asset in tables["asset_keys"]:
        asset["wiped"] = bool(asset.pop("wipe_timestamp")), bool(asset.pop("asset_details"))
    return tables


def assert_same_tables(one: Plain, other: Plain, runs: Sequence[str]) -> None:
    for shard in ("index", *runs):
        assert table_rows(one, shard) == table_rows(other, shard)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Twenty days of two assets, then five of them again, in batches of seven; kept twice."""
    home = tmp_path_factory.mktemp("home")
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "event_log_storage:\n"
        "  module: quant_assets.orchestration.storages.event_log\n"
        "  class: BatchedSqliteEventLogStorage\n"
        f"  config: {{base_dir: {home / 'events'}}}\n"
    )
    definitions = dg.Definitions(
        assets=[source, scaled], jobs=[dg.define_asset_job("load")], executor=dg.in_process_executor
    )
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.from_config(str(home)) as live:
        patch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
        patch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "1")
        runs = [
            definitions.resolve_job_def("load").execute_in_process(
                instance=live, tags=dict(zip(RANGE_TAGS, days, strict=True))
            )
            for days in [("2024-01-01", "2024-01-20"), ("2024-01-10", "2024-01-14")]
        ]
        assert all(run.success for run in runs)
        run_ids = runs[0].run_id, runs[1].run_id
        plain = Plain(str(tmp_path_factory.mktemp("plain")))
        batched = live.event_log_storage
        assert type(batched) is Batched
        for run_id in run_ids:
            for record in batched.get_records_for_run(run_id).records:
                plain.store_event(record.event_log_entry)
        yield run_ids, batched, plain


def observations(storage: Plain, run_ids: Sequence[str]) -> dict[str, Any]:
    """What Dagster's pages ask an event log for."""
    keys = [SOURCE, SCALED]
    materialized = dg.DagsterEventType.ASSET_MATERIALIZATION
    return {
        "runs": [storage.get_records_for_run(run_id) for run_id in run_ids],
        "stats": [storage.get_stats_for_run(run_id) for run_id in run_ids],
        "steps": [storage.get_step_stats_for_run(run_id) for run_id in run_ids],
        "assets": {record.asset_entry.asset_key: record for record in storage.get_asset_records()},
        "last": storage.get_latest_materialization_events(keys),
        "history": [storage.fetch_materializations(key, limit=1000) for key in keys],
        "partitions": [storage.get_materialized_partitions(key) for key in keys],
        "ids": [storage.get_latest_storage_id_by_partition(key, materialized) for key in keys],
        "tags": [storage.get_event_tags_for_asset(key) for key in keys],
        "versions": [
            storage.get_latest_tags_by_partition(k, materialized, [DATA_VERSION_TAG]) for k in keys
        ],
        "planned": [storage.get_latest_planned_materialization_info(key) for key in keys],
        "checks": [
            (record.id, record.run_id, record.status, record.event, record.partition)
            for record in storage.get_asset_check_execution_history(
                dg.AssetCheckKey(SCALED, "sane"), limit=1000
            )
        ],
    }


def test_a_run_leaves_the_records_that_dagsters_own_storage_leaves(replay: Replay) -> None:
    run_ids, batched, plain = replay
    found = observations(batched, run_ids)
    for name, expected in observations(plain, run_ids).items():
        assert found[name] == expected, name
    assert_same_tables(batched, plain, run_ids)


def test_a_second_load_replaces_the_first_days_records(replay: Replay) -> None:
    (first, second), batched, _ = replay
    history = batched.fetch_materializations(SOURCE, limit=1000).records
    assert [record.run_id for record in history] == [second] * 5 + [first] * 20
    assert [record.partition_key for record in history[:5]] == DAYS.get_partition_keys()[13:8:-1]
    assert batched.get_materialized_partitions(SOURCE) == set(DAYS.get_partition_keys())
    (asset,) = batched.get_asset_records([SOURCE])
    assert asset.asset_entry.last_run_id == second
    assert asset.asset_entry.last_materialization_storage_id == history[0].storage_id


def entry(run_id: str, at: float, event_type: str, data: Any) -> EventLogEntry:
    event = dg.DagsterEvent(event_type, "j", step_key="s", event_specific_data=data, message="m")
    return EventLogEntry(None, 10, "", run_id, at, "s", "j", event)  # type: ignore[no-untyped-call]


def materialization(asset: str, day: str, run_id: str = "r0", at: float = 0.0) -> EventLogEntry:
    made = dg.AssetMaterialization(asset, partition=day, tags={DATA_VERSION_TAG: day})
    return entry(run_id, at, "ASSET_MATERIALIZATION", StepMaterializationData(made))


def mixture(seed: int, since: float) -> list[EventLogEntry]:
    """Forty events of all kinds, runs and assets in random order, at random times."""
    rng = np.random.default_rng(seed)
    events = []
    for i, asset in enumerate(rng.choice(["a", "b", "c"], 40)):
        run_id, day, at = f"r{rng.integers(9) // 8}", str(i % 7), since + rng.uniform(0, 1e6)
        observed = dg.AssetObservation(asset, partition=day, tags={DATA_VERSION_TAG: day})
        planned = AssetMaterializationPlannedData(dg.AssetKey([str(asset)]), partition=day)
        kinds = [
            materialization(asset, day, run_id, at),
            entry(run_id, at, "ASSET_OBSERVATION", AssetObservationData(observed)),
            entry(run_id, at, "ASSET_MATERIALIZATION_PLANNED", planned),
            entry(run_id, at, "ENGINE_EVENT", EngineEventData()),
        ]
        events.append(kinds[rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])])
    return events


@pytest.mark.parametrize("seed", range(2))
def test_any_mixture_of_events_is_stored_as_one_after_another(seed: int, tmp_path: Path) -> None:
    batched = Batched(str(tmp_path / "batched"))
    plain = Plain(str(tmp_path / "plain"))
    before, after = mixture(seed, since=1.6e9), mixture(seed + 9, since=4e9)
    for storage in (batched, plain):
        storage.store_event_batch(before)
        storage.wipe_asset(dg.AssetKey("a"))
    assert not batched.get_materialized_partitions(dg.AssetKey("a"))
    assert_same_tables(batched, plain, ["r0", "r1"])
    for storage in (batched, plain):
        storage.store_event_batch(after)
    assert batched.get_materialized_partitions(dg.AssetKey("a"))
    assert_same_tables(batched, plain, ["r0", "r1"])


TEN_DAYS = [materialization("a", str(i)) for i in range(10)]


@pytest.fixture
def started(tmp_path: Path) -> Batched:
    storage = Batched(str(tmp_path))
    storage.store_event(materialization("a", "before"))
    return storage


def counts(storage: Plain) -> list[int]:
    """Events in the run's own log and in the index."""
    return [len(table_rows(storage, shard)["event_logs"]) for shard in ("r0", "index")]


def test_what_the_index_refuses_is_not_in_the_run_log_either(started: Batched) -> None:
    index = sqlite3.connect(started.path_for_shard("index"))
    index.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON event_logs WHEN NEW.partition = '5'"
        " BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    index.close()
    with pytest.raises(IntegrityError, match="refused"):
        started.store_event_batch(TEN_DAYS)
    assert counts(started) == [1, 1]


def test_a_process_killed_within_a_batch_leaves_nothing_of_it(
    started: Batched, tmp_path: Path
) -> None:
    class Killed(Batched):
        def _store_asset_entries(self, *_: Any) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        Killed(str(tmp_path)).store_event_batch(TEN_DAYS)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert counts(started) == [1, 1]
    started.store_event_batch(TEN_DAYS)
    assert counts(started) == [11, 11]


def test_a_batch_waits_for_another_writer(started: Batched) -> None:
    other = sqlite3.connect(started.path_for_shard("index"))
    other.execute("BEGIN IMMEDIATE")
    batch = threading.Thread(target=started.store_event_batch, args=(TEN_DAYS,))
    batch.start()
    batch.join(timeout=0.2)
    waited = batch.is_alive()
    other.close()
    batch.join()
    assert waited
    assert counts(started) == [11, 11]
