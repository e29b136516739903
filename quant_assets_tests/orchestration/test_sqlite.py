"""Storages that keep their connections: what one instance writes, others read; files made anew."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage as Plain

from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.orchestration.storages.event_log import BatchedSqliteEventLogStorage as Batched
from quant_assets.orchestration.storages.sqlite import (
    KeptSqliteRunStorage,
    KeptSqliteScheduleStorage,
)
from quant_assets_tests.support.odd_names import ODD_NAME


@dg.op
def nothing() -> None:
    return


@dg.job
def idle() -> None:
    nothing()


def settings_of(folder: Path) -> Settings:
    return Settings(data_dir=folder)


def schema(file: Path) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(file)) as opened:
        made = opened.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        return {*made, *opened.execute("SELECT 'revision', version_num, '' FROM alembic_version")}


def test_instances_of_one_process_see_each_others_runs(tmp_path: Path) -> None:
    with open_instance(settings_of(tmp_path)) as one, open_instance(settings_of(tmp_path)) as other:
        done = idle.execute_in_process(instance=one)
        storage = other.run_storage
        assert [run.run_id for run in other.get_runs()] == [done.run_id]
        assert len(other.all_logs(done.run_id)) == len(one.all_logs(done.run_id)) > 0
        other.delete_run(done.run_id)
        assert not one.get_runs()
        assert storage.alembic_version()[0] == storage.alembic_version()[1] is not None


def test_a_home_of_any_name_keeps_its_records(tmp_path: Path) -> None:
    for _ in range(2):
        with open_instance(settings_of(tmp_path / ODD_NAME)) as opened:
            done = idle.execute_in_process(instance=opened)
            assert opened.all_logs(done.run_id)
            assert not opened.all_instigator_state()
    with open_instance(settings_of(tmp_path / ODD_NAME)) as opened:
        assert len(opened.get_runs()) == 2
    files = {path.relative_to(tmp_path / ODD_NAME).as_posix() for path in tmp_path.rglob("*.db")}
    home = "dagster/history/runs"
    assert files > {f"{home}.db", f"{home}/index.db", "dagster/schedules/schedules.db"}
    assert [path.name for path in tmp_path.iterdir()] == [ODD_NAME]


def test_home_that_was_deleted_begins_anew(tmp_path: Path) -> None:
    for _ in range(2):
        with open_instance(settings_of(tmp_path)) as opened:
            assert not opened.get_runs()
            assert not opened.all_instigator_state()
            done = idle.execute_in_process(instance=opened)
            assert opened.all_logs(done.run_id)
        shutil.rmtree(tmp_path / "dagster")


def test_configured_classes_are_those_of_the_platform(tmp_path: Path) -> None:
    with open_instance(settings_of(tmp_path)) as opened:
        storage = opened.get_ref().storage
        assert storage is not None
        assert type(storage.run_storage) is KeptSqliteRunStorage
        assert type(storage.schedule_storage) is KeptSqliteScheduleStorage


def test_files_lie_where_dagster_looks_for_them(tmp_path: Path) -> None:
    with open_instance(settings_of(tmp_path)) as opened:
        done = idle.execute_in_process(instance=opened)
    home = tmp_path / "dagster"
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home)) as plain:
        assert [run.run_id for run in plain.get_runs()] == [done.run_id]
        assert plain.all_logs(done.run_id)


def test_file_of_a_new_run_is_as_dagster_makes_it(tmp_path: Path) -> None:
    files = []
    for kind, name in ((Plain, "plain"), (Batched, "batched")):
        (tmp_path / name).mkdir()
        with kind(str(tmp_path / name)).run_connection("a_run"):
            pass
        files.append(tmp_path / name / "a_run.db")
    assert schema(files[0]) == schema(files[1])
    with closing(sqlite3.connect(files[1])) as opened:
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)
