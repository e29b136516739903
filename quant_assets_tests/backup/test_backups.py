"""A loaded market is backed up and restored: by commands, by the job, and by age."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from quant_assets.alerts.alert_lifecycle import ConditionRaised
from quant_assets.backup.keeping import choose_kept, prune_backups
from quant_assets.backup.manifest import BackedUpFile, Manifest
from quant_assets.backup.store import BackupStore
from quant_assets.core.clock import Clock
from quant_assets.core.errors import BackupError
from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.orchestration.jobs.backup import backup_daily, build
from quant_assets.orchestration.run_requests.run_alerts import create_alert_events
from quant_assets.orchestration.run_requests.run_ends import RunEnd
from quant_assets_tests.support.backup_processes import KEPT, back_up, make_data, restore
from quant_assets_tests.support.installation import Command, Digests, Installation, digests

ID = "20240301T031500-000000"


def test_a_restored_market_is_the_one_that_was_backed_up(
    installation: Installation, loaded_digests: Digests, command: Command, tmp_path: Path
) -> None:
    folder, root = tmp_path / "backups", tmp_path / "elsewhere"
    first = command(installation, "backup", str(folder)).succeeded()
    assert "deleted: 0 backups" in first.out
    second = command(installation, "backup", QUANT_BACKUP_DIR=str(folder)).succeeded()
    assert "new: 0 pieces, 0.0 MB" in second.out
    listed = command(installation, "backups", str(folder)).succeeded().out
    assert listed.count(str(installation.settings.data_dir)) == 2
    result = command(installation, "restore", str(folder), str(root / "data")).succeeded()
    assert "fitted again, is the same to the bit" in result.out
    restored = Installation(root, installation.folder)
    assert digests(restored.settings) == loaded_digests
    assert _contents(restored) == _contents(installation)
    with open_instance(installation.settings) as before, open_instance(restored.settings) as after:
        assert [run.run_id for run in after.get_runs()] == [run.run_id for run in before.get_runs()]
    assert "submissions.daily" in command(restored, "tables").succeeded().out
    command(installation, "restore", str(folder), str(root / "data")).refused_with(
        "new or empty folder", str(root / "data")
    )


def test_commands_refuse_what_cannot_be_done(
    installation: Installation, command: Command, tmp_path: Path
) -> None:
    inside = installation.settings.data_dir / "backups"
    command(installation, "backup", str(inside)).refused_with("inside the data directory")
    assert not inside.exists()
    command(installation, "backup").refused_with("QUANT_BACKUP_DIR")
    command(installation, "backups", str(tmp_path / "none")).refused_with("there is no backup")
    command(installation, "restore", str(tmp_path / "none"), str(tmp_path / "new")).refused_with(
        "there is no backup"
    )
    command(installation, "backup", str(tmp_path / "b"), "--keep", "0,1,1").refused_with(
        "QUANT_BACKUP_KEEP", "above 0"
    )
    assert not (tmp_path / "b").exists()


def test_a_misspelt_backup_gets_a_hint_and_an_empty_folder_is_used(tmp_path: Path) -> None:
    back_up(make_data(tmp_path / "data"), tmp_path / "backups")
    with pytest.raises(BackupError, match=f"did you mean {ID}"):
        restore(tmp_path / "backups", tmp_path / "new", "20240301T031500-000001")
    (tmp_path / "new").mkdir()
    # What a restore left that was killed.
    (tmp_path / ".new.restoring").mkdir()
    (tmp_path / ".new.restoring" / "half").touch()
    restore(tmp_path / "backups", tmp_path / "new", ID)
    assert not list(tmp_path.glob(".new*"))
    left_out = {"market.lock", "cleanup.lock", "half"}
    assert not left_out & {file.name for file in (tmp_path / "new").rglob("*")}


def test_a_data_directory_without_a_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        back_up(Settings(data_dir=tmp_path / "data"), tmp_path / "backups")


class TestTheJob:
    def test_it_backs_up_into_the_folder_of_the_settings(self, tmp_path: Path) -> None:
        settings = make_data(tmp_path / "data").model_copy(
            update={"backup_dir": tmp_path / "backups"}
        )
        result = _run(settings)
        assert result.success
        assert BackupStore(tmp_path / "backups").list_backups() == [
            result.output_for_node("back_up")
        ]

    def test_a_failure_opens_an_alert(self, tmp_path: Path) -> None:
        settings = Settings(data_dir=tmp_path / "data", backup_dir=tmp_path / "backups")
        with dg.DagsterInstance.ephemeral() as instance:
            result = _run(settings, instance)
            assert not result.success
            run = result.dagster_run
            end = RunEnd(1, run, datetime.now(UTC), "failed", "no")
            (event,) = create_alert_events(instance, end)
        assert isinstance(event, ConditionRaised)
        assert event.key == "run_failed/backup_daily"
        assert "nothing to back up" in event.text

    @pytest.mark.parametrize("named", [True, False])
    def test_the_schedule_requests_nothing_without_a_folder(
        self, tmp_path: Path, named: bool
    ) -> None:
        settings = Settings(backup_dir=tmp_path if named else None)
        context = dg.build_schedule_context(resources={"settings": settings})
        tick = build(dg.DefaultScheduleStatus.STOPPED).evaluate_tick(context)
        assert len(tick.run_requests or ()) == named
        assert (tick.skip_message or "").startswith("" if named else "QUANT_BACKUP_DIR")


def test_daily_backups_over_two_years_leave_days_weeks_and_months() -> None:
    days = [datetime(2023, 1, 1, 3, tzinfo=UTC) + timedelta(days=i) for i in range(730)]
    kept: set[datetime] = set()
    for day in days:
        kept = choose_kept(kept | {day}, KEPT)
    last = days[-1]
    week = {last - timedelta(days=i) for i in range(7)}
    # The last day, a Monday, stands for its week and its month.
    ends_of_weeks = {day for day in days if day.weekday() == 6 and day < last}
    ends_of_months = {day for day in days if (day + timedelta(days=1)).day == 1}
    expected = week | set(sorted(ends_of_weeks)[-3:]) | set(sorted(ends_of_months)[-11:]) | {last}
    assert kept == expected


def test_all_backups_of_the_newest_day_are_kept() -> None:
    hours = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (1, 2)]
    newest = [datetime(2024, 1, 2, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    assert choose_kept([*hours, *newest], (2, 0, 0)) == {hours[1], *newest}


def test_pruning_deletes_only_pieces_that_no_manifest_names(tmp_path: Path) -> None:
    store = BackupStore(tmp_path)
    for name in ("aa0", "bb1", "cc2", "dd3"):
        store.write_piece(name, b"piece")
    _record(store, "20240101T000000-000000", "/one", "aa0", "bb1")
    _record(store, "20240102T000000-000000", "/one", "bb1", "cc2")
    _record(store, "20230102T000000-000000", "/other", "bb1")
    pruned = prune_backups(store, (1, 0, 0))
    assert pruned.backups == ("20240101T000000-000000",)
    assert sorted(store.list_pieces()) == ["bb1", "cc2"]
    assert (pruned.pieces, pruned.bytes) == (2, 10)


def _record(store: BackupStore, backup: str, data_dir: str, *pieces: str) -> None:
    files = (BackedUpFile("file", 5 * len(pieces), pieces),)
    store.write_manifest(Manifest(backup, data_dir, "", "1", {}, None, (), files))


def _run(
    settings: Settings, instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    return backup_daily.execute_in_process(
        resources={"settings": settings, "clock": Clock()}, instance=instance, raise_on_error=False
    )


def _contents(installation: Installation) -> dict[str, bytes]:
    """Return the files that are neither databases, nor Dagster's, nor locks."""
    root = installation.settings.data_dir
    return {
        str(file.relative_to(root)): file.read_bytes()
        for folder in ("lake/files", "artifacts", "exports", "mlflow/artifacts")
        for file in (root / folder).rglob("*")
        if file.is_file()
    }
