"""The whole graph as text beside this module: a change of it shows as a change of that text.

python -m quant_assets_tests.structure.test_graph     # writes it again
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import gettempdir

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph, AssetNode

from quant_assets.core.settings import Settings
from quant_assets.definitions import build_definitions
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.models.registry import FAST
from quant_assets.reports.periods import PERIODS

SNAPSHOT = Path(__file__).with_name("graph.txt")
STORED = declared_tables(FAST, "load", "revise", "retrain", "study", "watch")
TABLES = {dg.AssetKey(table.name.split(".")): table for table in STORED}
FILES = {
    dg.AssetKey(["submissions", "export"]),
    dg.AssetKey(["monitoring", "drift_report"]),
    *(dg.AssetKey(period.key) for period in PERIODS.values()),
}


@cache
def definitions() -> dg.Definitions:
    return build_definitions(Settings(data_dir=Path(gettempdir(), "no-lake-here")))


@cache
def graph() -> AssetGraph:
    return definitions().resolve_asset_graph()


def nodes() -> list[AssetNode]:
    return sorted(graph().asset_nodes, key=lambda node: node.key)


def snapshot() -> str:
    assets = chain.from_iterable(map(asset_lines, nodes()))
    return "\n".join([*assets, *job_lines(), *schedule_lines(), *sensor_lines()]) + "\n"


def asset_lines(node: AssetNode) -> Iterator[str]:
    partitions = node.partitions_def
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    yield f"asset {node.key.to_user_string()}"
    yield f"  group       {node.group_name}"
    yield f"  kinds       {' '.join(sorted(node.kinds))}"
    yield f"  partitions  trading days from {partitions.start:%Y-%m-%d}"
    policy = node.backfill_policy
    assert policy
    yield f"  backfill    {policy.policy_type.name.lower()}"
    for key in sorted(node.parent_keys):
        yield f"  after       {key.to_user_string()}"
    for check in sorted(node.check_keys):
        effect = "blocks" if graph().get_check_spec(check).blocking else "warns"
        yield f"  check       {check.name}, {effect}"


def job_lines() -> Iterator[str]:
    for name in sorted(job.name for job in definitions().jobs or ()):
        yield f"job {name}"
        layer = definitions().resolve_job_def(name).asset_layer
        for key in sorted(layer.executable_asset_keys):
            yield f"  {key.to_user_string()}"


def schedule_lines() -> Iterator[str]:
    for name in sorted(schedule.name for schedule in definitions().schedules or ()):
        schedule = definitions().resolve_schedule_def(name)
        yield f"schedule {name}"
        yield f"  job   {schedule.job_name}"
        yield f"  cron  {schedule.cron_schedule} {schedule.execution_timezone}"
        yield f"  {schedule.default_status.name.lower()} at first"


def sensor_lines() -> Iterator[str]:
    for name in sorted(sensor.name for sensor in definitions().sensors or ()):
        sensor = definitions().resolve_sensor_def(name)
        yield f"sensor {name}"
        yield f"  every {sensor.minimum_interval_seconds} s"
        yield f"  {sensor.default_status.name.lower()} at first"


def test_the_graph_is_the_one_written_down() -> None:
    assert snapshot() == SNAPSHOT.read_text(), (
        "the graph has changed; if it should: python -m quant_assets_tests.structure.test_graph"
    )


def test_every_table_is_an_asset_and_every_other_asset_a_file() -> None:
    assert {node.key for node in nodes()} == {*TABLES, *FILES}


@pytest.mark.parametrize("node", nodes(), ids=lambda node: node.key.to_user_string())
def test_an_asset_says_what_it_is(node: AssetNode) -> None:
    assert node.description
    assert len(node.description) > 40
    assert node.owners == ["team:quant-research"]
    assert node.kinds
    assert node.group_name == node.key.path[0]


@pytest.mark.parametrize("key", TABLES, ids=lambda key: key.to_user_string())
def test_a_table_shows_its_columns(key: dg.AssetKey) -> None:
    metadata = graph().get(key).metadata
    schema = metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [(c.name, c.type) for c in schema.columns] == [
        (c.name, c.type) for c in TABLES[key].columns
    ]
    assert all(column.description for column in schema.columns)
    assert metadata["dagster/table_name"] == f"lake.{TABLES[key].name}"


@pytest.mark.parametrize("name", [job.name for job in definitions().jobs or ()])
def test_jobs_say_what_they_do(name: str) -> None:
    assert definitions().resolve_job_def(name).description


def test_a_table_without_an_asset_says_so() -> None:
    others = declared_tables((), "no_asset")
    assert others
    assert not {dg.AssetKey(table.key) for table in others} & {node.key for node in nodes()}


def test_checks_schedules_and_sensors_say_what_they_do() -> None:
    assert all(graph().get_check_spec(key).description for key in graph().asset_check_keys)
    schedules = definitions().schedules or ()
    assert all(definitions().resolve_schedule_def(one.name).description for one in schedules)
    sensors = definitions().sensors or ()
    assert all(definitions().resolve_sensor_def(one.name).description for one in sensors)


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot())
