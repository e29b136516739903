"""Dagster's SQLite event log, with batches of asset events written in bulk.

Only storage of events belongs here: neither what an event says nor when it is sent. A historical
load is one run over thousands of partitions and sends one materialization for each partition of
each asset; Dagster's own storage gives every one three connections and two commits. Chosen in
``dagster.yaml``; batches arrive only where ``DAGSTER_EVENT_BATCH_SIZE`` is set::

    event_log_storage:
      module: quant_assets.orchestration.storages.event_log
      class: BatchedSqliteEventLogStorage
      config:
        base_dir: {env: DAGSTER_HOME}
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, Self

from dagster import AssetKey, DagsterEventType, EventLogEntry, serialize_value

# Dagster stores each event by itself, and its public interface names no storage to build on.
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqliteEventLogStorage as Plain
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._serdes import ConfigurableClassData
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from quant_assets.orchestration.storages import pruning
from quant_assets.orchestration.storages.sqlite import checked_engine, database_url

BULK_EVENTS = frozenset(
    {
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_OBSERVATION,
        DagsterEventType.ASSET_FAILED_TO_MATERIALIZE,
    }
)
_PLACE = {"run_id": "", "event": ""}


class BatchedSqliteEventLogStorage(Plain):
    """Stores a batch in one transaction a database, and gives no id of an event twice.

    Otherwise it is the same as its base class.

    A batch goes to the run's database and to the index that serves queries across runs. Each takes
    it whole or not at all: if either refuses a row, neither keeps any and the error is raised. A
    crash between the two commits leaves the batch in the run's log only, as in the base class.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        # Reentrant, because both transactions are open at once.
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Build from dagster.yaml; the files lie where Dagster keeps its own by default."""
        # The base class builds itself here, whatever class was asked.
        return cls(str(Path(config_value["base_dir"]) / "history" / "runs"), inst_data)

    def conn_string_for_shard(self, shard_name: str) -> str:
        """Return the URL of a shard's file; the base class escapes nothing in it."""
        return database_url(Path(self.path_for_shard(shard_name)))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in the order given; neighbours of one run that allow it go in bulk.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: a database refused; of the neighbours that were being
                written nothing is stored.
        """
        for run_id, group in groupby(events, key=_bulk_run_id):
            if run_id is None:
                for event in group:
                    self.store_event(event)
            else:
                self._store_asset_events(run_id, list(group))

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events, its checks' executions and its file.

        No event that comes later is given the place of one of them.
        """
        self._keep_place()
        super().delete_events(run_id)
        with self.index_connection() as index:
            pruning.delete_checks(index, run_id)
        self.delete_log(run_id)

    def find_runs_in_use(self, first_of: AssetKey) -> set[str]:
        """Return the ids of the runs that some record rests on, see ``pruning``."""
        with self.index_connection() as index:
            return pruning.read_runs_in_use(index, first_of)

    def delete_log(self, run_id: str) -> bool:
        """Delete the file of a run's events; the index keeps those of assets and of its end."""
        with self._db_lock:
            return pruning.delete_file(Path(self.path_for_shard(run_id)))

    def shrink(self) -> int:
        """Give the index's free space back to the disk; return the number of bytes."""
        with self._db_lock:
            return pruning.give_back_space(Path(self.path_for_shard(INDEX_SHARD_NAME)))

    def wipe(self) -> None:
        """Delete all events, likewise."""
        place = self._keep_place()
        super().wipe()
        with self.index_connection() as index:
            index.execute(SqlEventLogStorageTable.insert().values(id=place, **_PLACE))

    def _keep_place(self) -> int:
        """A row after all others, of no run and no type: the next id is one above the largest.

        Who reads on from the id of the newest event that it knows would miss what has that id
        again, or a smaller one.
        """
        columns = SqlEventLogStorageTable.c
        with self.index_transaction() as index:
            added = SqlEventLogStorageTable.insert().values(**_PLACE).returning(columns.id)
            place: int = index.execute(added).scalar_one()
            earlier = (columns.run_id == _PLACE["run_id"]) & (columns.id < place)
            index.execute(SqlEventLogStorageTable.delete().where(earlier))
        return place

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction, as in the base class but on a connection that is kept.

        Opening one and closing it again costs more than most events.
        """
        with self._db_lock:
            path = self.path_for_shard(shard)
            try:
                engine = checked_engine(path, self._initdb)
            except FileNotFoundError:
                # What has just been made is of the revision that Dagster wants.
                made = _begin(Path(path), _empty_shard())
                engine = checked_engine(path, (lambda _: None) if made else self._initdb)
            with engine.begin() as connection:
                yield connection

    def _store_asset_events(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        with self.index_transaction() as index, self.run_connection(run_id) as run_shard:
            run_shard.execute(SqlEventLogStorageTable.insert(), rows)
            statement = SqlEventLogStorageTable.insert().returning(
                SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
            )
            event_ids = index.scalars(statement, rows).all()
            self._store_asset_event_tags(index, events, event_ids)
            self._store_asset_entries(index, events, event_ids)

    def _store_asset_entries(
        self, index: Connection, events: Sequence[EventLogEntry], event_ids: Sequence[int]
    ) -> None:
        """Bring each asset's row to where storing its events one after another would leave it.

        Which columns an event sets depends on its type alone, so the last of each type is enough.
        """
        has_index_cols = self._has_asset_key_index_cols_on_connection(index)
        assets: dict[str, dict[Any, tuple[int, EventLogEntry]]] = {}
        for event_id, event in zip(event_ids, events, strict=True):
            # _bulk_run_id lets events of assets pass only, so each has a key.
            key: Any = event.get_dagster_event().asset_key
            assets.setdefault(key.to_string(), {})[event.dagster_event_type] = event_id, event
        for asset_key, latest in assets.items():
            values: dict[str, Any] = {}
            for event_id, event in sorted(latest.values(), key=lambda pair: pair[0]):
                values |= self._get_asset_entry_values(event, event_id, has_index_cols)
            if values:
                statement = insert(AssetKeyTable).values(asset_key=asset_key, **values)
                index.execute(statement.on_conflict_do_update(["asset_key"], set_=values))

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        """Plan a check for each partition of the run, with the event serialised only once."""
        planned: Any = event.get_dagster_event().event_specific_data
        subset = planned.partitions_subset
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
        }
        partitions = subset.get_partition_keys() if subset else [None]
        with self.index_connection() as index:
            rows = [row | {"partition": partition} for partition in partitions]
            index.execute(AssetCheckExecutionsTable.insert(), rows)


@cache
def _empty_shard() -> bytes:
    """The file of a run without events: making each by Dagster's migrations takes longer."""
    with TemporaryDirectory() as folder:
        with Plain(folder).run_connection("empty"):
            pass
        return (Path(folder) / "empty.db").read_bytes()


def _begin(path: Path, content: bytes) -> bool:
    """Make the file, unless another process makes it meanwhile; whether this one did."""
    with NamedTemporaryFile(dir=path.parent) as draft:
        draft.write(content)
        draft.flush()
        try:
            os.link(draft.name, path)
        except FileExistsError:
            return False
        return True


def _bulk_run_id(event: EventLogEntry) -> str | None:
    """The run of an event that can be stored in bulk, None for any other event."""
    event_type = event.dagster_event_type if event.is_dagster_event else None
    if event_type in BULK_EVENTS and event.get_dagster_event().asset_key:
        return event.run_id
    return None
