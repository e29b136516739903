"""A small market that grows day by day, a lake, an instance and a clock, for sensors and schedules.

Days count as stored by rows of their own; tests of whole runs use the loaded installation.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg

from quant_assets.alerts.alert_store import AlertStore
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.definitions import build_definitions
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, fits_table
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT, REGIMES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.quality.cleaning import CleaningRules
from quant_assets.revisions.changes import list_changes
from quant_assets.revisions.comparison import compare_with_source
from quant_assets.revisions.records import list_mark_removal
from quant_assets.revisions.storing import build_update
from quant_assets_tests.support.small_market import FIRST_DAY, LAST_DAY, Rows, change_train

DAYS: list[date] = trading_days(FIRST_DAY, LAST_DAY).tolist()


def evening(day: date, hour: int = 22, minute: int = 5) -> datetime:
    """A moment after the day's close."""
    return datetime.combine(day, time(hour, minute), UTC)


@dataclass
class SetClock(Clock):
    """A clock that shows what it is set to."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@dataclass
class TickResult:
    """What a sensor or schedule answered: runs to ask for, or why none."""

    requests: Sequence[dg.RunRequest]
    reason: str

    @property
    def requested(self) -> list[str]:
        """Job and day of each request."""
        return [f"{one.job_name} {one.partition_key}" for one in self.requests]


@dataclass
class Scheduler:
    """Attributes: the parts, and the sensors' cursors as the daemon keeps them."""

    folder: Path
    settings: Settings
    opened: dg.DagsterInstance
    lake: Lake
    clock: SetClock
    definitions: dg.Definitions
    whole: Rows
    cursors: dict[str, str | None] = field(default_factory=dict)

    @property
    def alert_store(self) -> AlertStore:
        return AlertStore(self.lake, self.settings.lake_dir)

    def alerts(self) -> dict[str, str]:
        """Level of each open alert, by key."""
        return {one.key: one.level for one in self.alert_store.alerts()}

    def deliver(self, until: date) -> None:
        """Let the source have the days up to one."""
        count = 1 + sum(day <= until for day in DAYS)
        change_train(self.folder, lambda rows: self.whole[:count])

    def store(self, table: Table, *days: date, **values: Any) -> None:
        """Rows of a table, one a day: the values, else of no meaning."""
        for day in days:
            data = {
                column.name: [values.get(column.name, _nothing(column.type))]
                for column in table.columns
            }
            data |= {table.day_column: [day]}
            self.lake.replace_days(table, day, day, data)

    def submit(self, *days: date) -> None:
        """As if the days, which follow each other, had been refreshed."""
        source = self.definitions.resources["source"]
        comparison = compare_with_source(self.lake, source)
        update = build_update(comparison, source.name, CleaningRules(), days[0], days[-1])
        self.lake.change(*list_changes(self.lake, comparison, update, (), {}, self.clock.now()))
        self.lake.change(*list_mark_removal(self.lake, days[0], days[-1]))
        for table in (MARKET_FEATURES, SUBMISSIONS):
            self.store(table, *days)

    def watch(self, *days: date) -> None:
        """As if the days had been watched."""
        for table in (DATA_QUALITY, DRIFT, REGIMES):
            self.store(table, *days, drifted=False, level="market", reference_until=FIRST_DAY)

    def update(self, *days: date) -> None:
        """As if the daily fits had been made."""
        self.store(fits_table("rank_prior"), *days, failure=None)

    def tick(self, name: str) -> TickResult:
        """What the sensor asks for at the clock's moment; its cursor is kept."""
        sensor = self.definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(
            instance=self.opened,
            cursor=self.cursors.get(name),
            resources=self.definitions.resources,
            repository_def=self.definitions.get_repository_def(),
        ) as context:
            tick = sensor.evaluate_tick(context)
        self.cursors[name] = tick.cursor
        return TickResult(tick.run_requests or (), tick.skip_message or "")

    def evaluate(self, name: str, at: datetime) -> TickResult:
        """What the schedule asks for at its moment."""
        schedule = self.definitions.resolve_schedule_def(name)
        with dg.build_schedule_context(
            instance=self.opened,
            scheduled_execution_time=at,
            resources=self.definitions.resources,
            repository_def=self.definitions.get_repository_def(),
        ) as context:
            tick = schedule.evaluate_tick(context)
        return TickResult(tick.run_requests or (), tick.skip_message or "")

    def run(self, request: dg.RunRequest, job: str = "", *, fails: bool = False) -> None:
        """A real run with the request's tags, of an asset that does nothing, or fails."""
        days = dg.DailyPartitionsDefinition(FIRST_DAY.isoformat())

        @dg.asset(partitions_def=days)
        def nothing() -> None:
            if fails:
                raise ValueError("no")

        name = request.job_name or job
        small = dg.Definitions([nothing], jobs=[dg.define_asset_job(name, [nothing])])
        small.resolve_job_def(name).execute_in_process(
            instance=self.opened,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def begin(self, job: str, **tags: str) -> dg.DagsterRun:
        """A run that has been asked for and has not ended."""
        run = dg.DagsterRun(job, status=dg.DagsterRunStatus.STARTING, tags=tags)
        self.opened.add_run(run)
        return run


def command_run(job: str) -> dg.DagsterRun:
    """A run as a command begins it."""
    run_id = str(uuid4())
    return dg.DagsterRun(job, run_id, tags={"quant/holds_lock": run_id})


def _nothing(kind: str) -> Any:
    moment = datetime.combine(FIRST_DAY, time())
    by_kind = {"VARCHAR": "", "DATE": FIRST_DAY, "BOOLEAN": False, "TIMESTAMP": moment}
    return by_kind.get(kind, 0)


@contextmanager
def open_scheduler(folder: Path, settings: Settings, now: datetime) -> Iterator[Scheduler]:
    """A scheduler on a market's folder, of which the source has all days at first."""
    whole = [line.split(",") for line in (folder / "train.csv").read_text().splitlines()]
    clock = SetClock(now)
    with open_instance(settings) as opened, Lake(settings.lake_dir) as lake:
        definitions = build_definitions(settings, lake=lake, clock=clock)
        yield Scheduler(folder, settings, opened, lake, clock, definitions, whole)
