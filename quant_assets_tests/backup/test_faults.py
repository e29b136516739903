"""Backups while others write and delete, killed backups, and damaged pieces."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest

from quant_assets.access.audit import AuditRow, encode_row, move_journals, read_audit
from quant_assets.backup.manifest import Artifact, Manifest, Submission, TableContent
from quant_assets.backup.routine import back_up_and_prune
from quant_assets.backup.store import BackupStore
from quant_assets.core.errors import ArtifactError, BackupError, QuantAssetsError
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.maintenance import keep_unused_files
from quant_assets_tests.support.backup_processes import (
    DAYS,
    KEPT,
    START,
    back_up,
    back_up_forever,
    change_file,
    delete_unused_until,
    make_data,
    restore,
)
from quant_assets_tests.support.lake_processes import (
    marks,
    process_context,
    running,
    write,
    write_forever,
)

LATER = START + timedelta(seconds=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data directory and a backup of it; to copy, not to change."""
    root = tmp_path_factory.mktemp("prepared")
    back_up(make_data(root / "data"), root / "backups")
    return root


@pytest.fixture
def settings(prepared: Path, tmp_path: Path) -> Settings:
    """Settings of a data directory; the folder ``backups`` beside it holds a backup."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return Settings(data_dir=tmp_path / "data")


def read_manifest(folder: Path) -> Manifest:
    store = BackupStore(folder)
    return store.read_manifest(store.list_backups()[-1])


def last_piece_of(folder: Path, name: str) -> Path:
    """Return the file of the last piece of a backed-up file."""
    (file,) = [file for file in read_manifest(folder).files if file.name == name]
    return folder / "pieces" / file.pieces[-1][:2] / file.pieces[-1]


def test_backups_restore_exactly_while_others_write_and_delete(
    settings: Settings, tmp_path: Path
) -> None:
    """The writer's days are whole in each backup, and as new as when the backup began."""
    context, folder = process_context(), tmp_path / "others"
    done = context.Event()
    ours, theirs = context.Pipe()
    writer = context.Process(target=write_forever, args=(settings.lake_dir, DAYS, theirs))
    cleaner = context.Process(target=delete_unused_until, args=(settings.lake_dir, done))
    reported = []
    with running(writer, cleaner):
        ours.send(DAYS)
        for i in range(3):
            assert ours.poll(20)
            while ours.poll():
                newest = ours.recv()
            reported.append(newest)
            back_up(settings, folder, START + timedelta(seconds=i))
    store = BackupStore(folder)
    for i, (backup, mark) in enumerate(zip(store.list_backups(), reported, strict=True)):
        target = tmp_path / f"restored-{i}"
        restore(folder, target, backup)
        with Lake(target / "lake") as lake:
            stored = marks(lake)
            write(lake, 0, 0)
        assert max(stored.values()) >= mark


def test_what_is_replaced_and_cleaned_up_meanwhile_is_in_the_backup(
    settings: Settings, tmp_path: Path
) -> None:
    """All days are replaced after the catalogue was copied and before its files are."""

    def replace_everything(note: str) -> None:
        if note.endswith("files of the lake"):
            for number in range(DAYS):
                write(lake, number, 100 + number)
            lake.maintain(0)

    store = BackupStore(tmp_path / "backups")
    with Lake(settings.lake_dir) as lake:
        back_up_and_prune(settings, store, LATER, KEPT, replace_everything)
        assert marks(lake) == {number: 100 + number for number in range(DAYS)}
    restore(tmp_path / "backups", tmp_path / "new")
    with Lake(tmp_path / "new" / "lake") as restored:
        assert marks(restored) == {number: number for number in range(DAYS)}


def test_no_file_is_deleted_while_a_backup_copies(settings: Settings) -> None:
    with Lake(settings.lake_dir) as lake:
        write(lake, 0, DAYS)
        before = set(settings.lake_dir.rglob("*.parquet"))
        with keep_unused_files(settings.lake_dir, 1):
            lake.maintain(0)
            assert before <= set(settings.lake_dir.rglob("*.parquet"))
        lake.maintain(0)
        assert not before <= set(settings.lake_dir.rglob("*.parquet"))


def test_a_row_of_the_audit_that_moves_meanwhile_is_restored_once(
    settings: Settings, tmp_path: Path
) -> None:
    row = AuditRow(datetime(2024, 3, 1), "key", "POST /predict", "/predict", "", "", "", 200, 0.1)  # noqa: DTZ001 - UTC
    settings.audit_dir.mkdir()
    (settings.audit_dir / "server.jsonl").write_bytes(encode_row(row))

    def move(note: str) -> None:
        with Lake(settings.lake_dir) as lake:
            move_journals(lake, settings.audit_dir)

    back_up_and_prune(settings, BackupStore(tmp_path / "backups"), LATER, KEPT, move)
    assert not list(settings.audit_dir.glob("*.jsonl"))
    restore(tmp_path / "backups", tmp_path / "new")
    restored = Settings(data_dir=tmp_path / "new")
    with Lake(restored.lake_dir) as lake:
        assert [r.id for r in read_audit(lake, restored.audit_dir, 10)] == [row.id]


def test_killed_backups_leave_the_earlier_ones_whole(settings: Settings, tmp_path: Path) -> None:
    folder, context, moments = tmp_path / "backups", process_context(), Random(1)
    number, kills = 1, 4
    for _ in range(kills):
        ours, theirs = context.Pipe()
        child = context.Process(target=back_up_forever, args=(settings.data_dir, folder, theirs))
        with running(child):
            ours.send(number)
            assert ours.poll(20)
            child.join(moments.uniform(0, 0.6))
        while ours.poll():
            number = ours.recv() + 1
        number += 1
    content = change_file(settings, 1000)
    summary = back_up(settings, folder, START + timedelta(seconds=1000))
    store = BackupStore(folder)
    backups = store.list_backups()
    assert len(backups) > kills
    assert summary.manifest.id == backups[-1]
    named = {p for b in backups for file in store.read_manifest(b).files for p in file.pieces}
    assert set(store.list_pieces()) == named
    for i, backup in enumerate([backups[0], *backups[-2:]]):
        restore(folder, tmp_path / f"restored-{i}", backup)
    assert (tmp_path / "restored-2" / "exports" / "submission.csv").read_bytes() == content


def _corrupt(piece: Path) -> None:
    content = bytearray(piece.read_bytes())
    content[len(content) // 2] ^= 1
    piece.write_bytes(content)


def _truncate(piece: Path) -> None:
    piece.write_bytes(piece.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "word"),
    [(_corrupt, "altered"), (_truncate, "truncated"), (Path.unlink, "missing")],
)
@pytest.mark.parametrize("name", ["lake/catalogue.sqlite", "exports/submission.csv"])
def test_a_damaged_piece_is_named_and_nothing_stays(
    settings: Settings, tmp_path: Path, damage: Callable[[Path], None], word: str, name: str
) -> None:
    folder, target = tmp_path / "backups", tmp_path / "place" / "new"
    piece = last_piece_of(folder, name)
    damage(piece)
    with pytest.raises(BackupError, match=word) as refusal:
        restore(folder, target)
    assert str(piece) in str(refusal.value)
    assert name in str(refusal.value)
    assert not list(target.parent.iterdir())


def test_a_missing_piece_is_stored_again_by_the_next_backup(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    last_piece_of(folder, "exports/submission.csv").unlink()
    _truncate(last_piece_of(folder, "lake/catalogue.sqlite"))
    summary = back_up(settings, folder, LATER)
    assert summary.new_pieces == 2
    for backup in BackupStore(folder).list_backups():
        restore(folder, tmp_path / backup, backup)


def test_a_damaged_manifest_is_named_and_other_backups_restore(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    back_up(settings, folder, LATER)
    first, second = BackupStore(folder).list_backups()
    _corrupt(folder / "manifests" / f"{second}.json")
    with pytest.raises(BackupError, match=second):
        restore(folder, tmp_path / "new")
    with pytest.raises(BackupError, match=second):
        back_up(settings, folder, START + timedelta(seconds=2))
    restore(folder, tmp_path / "new", first)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"tables": {"raw.marks": TableContent(1, "0")}}, BackupError),
        ({"tables": {}}, BackupError),
        ({"submission": Submission("2024-03-01", TableContent(1, "0"))}, BackupError),
        ({"artifacts": (Artifact("00/00.model", "00"),)}, ArtifactError),
        ({"version": 2}, BackupError),
    ],
)
def test_a_copy_that_is_not_as_its_manifest_says_is_refused(
    settings: Settings, tmp_path: Path, change: dict[str, object], error: type[QuantAssetsError]
) -> None:
    folder = tmp_path / "backups"
    manifest = read_manifest(folder)
    BackupStore(folder).write_manifest(msgspec.structs.replace(manifest, **change))
    with pytest.raises(error):
        restore(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_manifest_that_names_a_file_elsewhere_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    manifest = read_manifest(folder)
    files = [msgspec.structs.replace(manifest.files[0], name="../outside"), *manifest.files[1:]]
    changed: Manifest = msgspec.structs.replace(manifest, files=tuple(files))
    BackupStore(folder).write_manifest(changed)
    with pytest.raises(BackupError, match="outside"):
        restore(folder, tmp_path / "new")
    assert not (tmp_path / "outside").exists()
