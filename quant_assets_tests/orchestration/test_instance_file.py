"""A user's own settings of Dagster's instance, over the platform's."""

from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.runs import SqliteRunStorage

from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.instance_file import merge_settings
from quant_assets.orchestration.execution.runs import INSTANCE_FILE, open_instance, prepare_home
from quant_assets.orchestration.storages.sqlite import KeptSqliteRunStorage
from quant_assets.orchestration.storages.watched_launcher import WatchedRunLauncher

DEFAULTS = yaml.safe_load(
    INSTANCE_FILE.read_text().replace("base_dir: data/dagster", "base_dir: {env: DAGSTER_HOME}")
)
RETENTION = {"schedule": {"purge_after_days": 5}}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def users_file(settings: Settings) -> Path:
    return settings.data_dir / "dagster.yaml"


def home_file(settings: Settings) -> Path:
    return settings.dagster_home / "dagster.yaml"


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))


def test_without_a_users_file_the_defaults_hold(settings: Settings) -> None:
    prepare_home(settings)
    assert yaml.safe_load(home_file(settings).read_text()) == DEFAULTS
    assert str(users_file(settings)) in home_file(settings).read_text().splitlines()[0]
    assert not users_file(settings).exists()


def test_a_users_storage_and_retention_survive_commands_and_are_used(
    settings: Settings, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "records"
    storage = {"sqlite": {"base_dir": str(elsewhere)}}
    write(users_file(settings), {"storage": storage, "retention": RETENTION})
    run = dg.DagsterRun("refresh_daily")
    with open_instance(settings) as opened:
        opened.add_run(run)
    with open_instance(settings) as opened:
        assert opened.get_run_by_id(run.run_id)
        assert type(opened.run_storage) is SqliteRunStorage
        assert not isinstance(opened.run_storage, KeptSqliteRunStorage)
        assert isinstance(opened.run_launcher, WatchedRunLauncher)
        assert opened.get_settings("retention") == RETENTION
    assert list(elsewhere.rglob("*.db"))
    assert not list(settings.dagster_home.rglob("runs.db"))


def test_one_storage_can_be_replaced_and_a_key_removed() -> None:
    storage = {"module": "a", "class": "B"}
    merged = merge_settings(DEFAULTS, {"run_storage": storage, "python_logs": None})
    assert merged["run_storage"] == storage
    assert merged["event_log_storage"] == DEFAULTS["event_log_storage"]
    assert DEFAULTS.keys() - merged.keys() == {"python_logs"}


@pytest.mark.parametrize("header", [True, False], ids=["below the header", "a file of their own"])
def test_an_edit_of_the_written_file_moves_to_the_users_file(
    settings: Settings, header: bool
) -> None:
    prepare_home(settings)
    lines = home_file(settings).read_text().splitlines(keepends=True)
    content = {**yaml.safe_load("".join(lines)), "retention": RETENTION}
    first = "".join(lines[:2]) if header else ""
    home_file(settings).write_text(first + yaml.safe_dump(content))
    for _ in range(2):
        prepare_home(settings)
        assert yaml.safe_load(home_file(settings).read_text()) == content
        assert yaml.safe_load(users_file(settings).read_text()) == {"retention": RETENTION}


def test_what_an_earlier_version_wrote_is_no_edit(settings: Settings) -> None:
    launcher = {"module": "quant_assets.earlier.place", "class": "WatchedRunLauncher"}
    write(home_file(settings), {**DEFAULTS, "run_launcher": launcher})
    prepare_home(settings)
    assert yaml.safe_load(home_file(settings).read_text()) == DEFAULTS
    assert not users_file(settings).exists()


def test_edits_of_both_files_are_refused(settings: Settings) -> None:
    write(users_file(settings), {"retention": RETENTION})
    prepare_home(settings)
    with home_file(settings).open("a") as file:
        file.write("concurrency: {runs: {max_concurrent_runs: 9}}\n")
    with pytest.raises(SettingsError, match="edited in two files") as refused:
        prepare_home(settings)
    assert refused.value.found == "other values of concurrency"
    assert "max_concurrent_runs: 9" in home_file(settings).read_text()


@pytest.mark.parametrize(
    ("text", "line"),
    [("retention:\n  schedule: [1\n", 3), ("a: 1\nb: c: d\n", 2), ("- a list\n", 1), ("\x00", 1)],
)
def test_an_invalid_file_is_refused_with_its_line(settings: Settings, text: str, line: int) -> None:
    settings.data_dir.mkdir()
    users_file(settings).write_text(text)
    with pytest.raises(SettingsError) as refused:
        prepare_home(settings)
    assert refused.value.where == f"{users_file(settings)}, line {line}"
    assert "top-level key" in refused.value.expected


def test_settings_that_dagster_refuses_are_named(settings: Settings) -> None:
    write(users_file(settings), {"retentoin": RETENTION})
    with pytest.raises(SettingsError, match="retentoin"), open_instance(settings):
        pass
