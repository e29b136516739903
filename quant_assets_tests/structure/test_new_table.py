"""A new table takes its declaration and its asset: no list elsewhere has to name it."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quant_assets.commands.docs import tables_page
from quant_assets.commands.inspection import describe_table, list_tables
from quant_assets.core.settings import Settings
from quant_assets.definitions import build_definitions
from quant_assets.lake.schemas import monitoring_tables
from quant_assets.lake.schemas.declared import all_tables, declared_tables, watched_tables
from quant_assets.lake.schemas.table import Column, FamilyTable, Table, Writer
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.assets import data_quality
from quant_assets.orchestration.assets.table_assets import table_asset

FAMILIES = ("rank_prior", "ridge")


def declare(writer: Writer) -> Table:
    return Table(
        "monitoring.breadth",
        "How many instruments rose: one row per day. Known at the close of trading_day.",
        (
            Column("trading_day", "DATE", "session of London or Tokyo"),
            Column("rising", "BIGINT", "instruments whose close is above the day before's"),
        ),
        written_by=writer,
    )


def jobs_with(table: Table, monkeypatch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    """Declare the table and its asset, and name the jobs that the asset is in then."""
    built = data_quality.build

    def with_breadth(partitions: dg.PartitionsDefinition, families: Any) -> list[Any]:
        @table_asset(table, kinds={"numpy"}, partitions=partitions)
        def breadth(lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
            raise AssertionError("the asset is declared only, and never materialised")

        return [*built(partitions, families), breadth]

    monkeypatch.setattr(monitoring_tables, "BREADTH", table, raising=False)
    monkeypatch.setattr(data_quality, "build", with_breadth)
    definitions = build_definitions(Settings(data_dir=folder))
    jobs = [job.name for job in definitions.jobs or ()]
    key = dg.AssetKey(table.key)
    return {
        name
        for name in jobs
        if key in definitions.resolve_job_def(name).asset_layer.executable_asset_keys
    }


@pytest.mark.parametrize(
    ("writer", "jobs"),
    [
        ("watch", {"watch_daily"}),
        ("load", {"load_history", "refresh_daily", "walk_forward"}),
        ("study", {"tune_models"}),
        ("retrain", {"retrain_models"}),
    ],
)
def test_its_asset_is_in_the_jobs_of_what_writes_it(
    writer: Writer, jobs: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert jobs_with(declare(writer), monkeypatch, tmp_path) == jobs


def test_pages_and_commands_show_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = declare("watch")
    monkeypatch.setattr(monitoring_tables, "BREADTH", table, raising=False)
    assert table in watched_tables()
    assert table in all_tables(FAMILIES)
    assert "monitoring.breadth" in tables_page()
    with Lake(tmp_path) as lake:
        assert table.name in set(list_tables(lake, FAMILIES)["name"])
        description, columns = describe_table(lake, table.name, FAMILIES)
    assert description == table.description
    assert columns["column"].tolist() == ["trading_day", "rising"]


def test_a_table_of_each_family_is_there_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def describe(family: str) -> Table:
        return Table(f"monitoring.{family}_residuals", "Residuals.", declare("load").columns)

    monkeypatch.setattr(monitoring_tables, "residuals_table", FamilyTable(describe), raising=False)
    assert set(map(describe, FAMILIES)) <= set(declared_tables(FAMILIES))
    assert not set(map(describe, FAMILIES)) & set(declared_tables(FAMILIES, "watch"))


def test_tables_come_by_layer_and_name() -> None:
    names = [table.name for table in declared_tables(FAMILIES)]
    assert len(set(names)) == len(names)
    raw = [name for name in names if name.startswith("raw.")]
    assert names[: len(raw) + 1] == [*sorted(raw), "validated.imputed"]
    assert names[-1].startswith("superseded.")
    monitoring = [name for name in names if name.startswith("monitoring.")]
    assert monitoring == sorted(monitoring)
