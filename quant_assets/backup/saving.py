"""Making a backup of a data directory while others read and write it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from quant_assets.backup.contents import (
    digest_contents,
    digest_newest_submission,
    find_artifacts_in_force,
    find_unreadable,
)
from quant_assets.backup.manifest import Artifact, BackedUpFile, Manifest, Submission, TableContent
from quant_assets.backup.parts import copy_database, list_databases_and_files, list_journals
from quant_assets.backup.store import PIECE_BYTES, BackupStore
from quant_assets.core.errors import BackupError
from quant_assets.core.settings import Settings, read_held_market
from quant_assets.lake.store.connection import CATALOGUE
from quant_assets.lake.store.frozen import (
    FrozenLake,
    copy_catalogue,
    files_folder,
    list_catalogue_files,
)
from quant_assets.lake.store.maintenance import keep_unused_files

_PATIENCE = 600.0
_SECONDS_BETWEEN_NOTES = 5.0


@dataclass(frozen=True)
class BackupSummary:
    """What a backup copied.

    Attributes:
        manifest: the manifest.
        pieces: number of pieces of all files.
        new_pieces: number of pieces that the folder did not have yet.
        new_bytes: their bytes.
        seconds: time that the backup took.
        lacking: models in force that are missing or altered in the data directory.
    """

    manifest: Manifest
    pieces: int
    new_pieces: int
    new_bytes: int
    seconds: float
    lacking: tuple[Artifact, ...]

    def __str__(self) -> str:
        lacking = "".join(f"; lacking: {artifact.name}" for artifact in self.lacking)
        return (
            f"{self.manifest.id}: {self.pieces} pieces, {self.manifest.size / 1e6:.1f} MB;"
            f" new: {self.new_pieces} pieces, {self.new_bytes / 1e6:.1f} MB;"
            f" {self.seconds:.1f} s{lacking}"
        )


def make_backup(
    settings: Settings, store: BackupStore, now: datetime, note: Callable[[str], None]
) -> BackupSummary:
    """Copy a data directory into a folder of backups, of which no other process makes one now.

    A killed backup leaves earlier ones as they were; the next one uses the pieces that it stored.

    Args:
        settings: say where the data directory is.
        store: the folder of backups.
        now: the moment, UTC, which becomes the id of the backup.
        note: called with a line of text about the progress.

    Raises:
        BackupError: the folder lies inside the data directory, or a file cannot be copied.
        LakeError: there is no lake, or it cannot be read.
    """
    require_outside(store.root, settings.data_dir)
    begun = time.perf_counter()
    if not (settings.lake_dir / CATALOGUE).exists():
        raise BackupError(
            "there is nothing to back up yet",
            where=str(settings.lake_dir),
            hint="run `quant-assets load` first, or set QUANT_DATA_DIR",
        )
    pieces = _Pieces(store, settings.data_dir, note)
    held = read_held_market(settings)
    with TemporaryDirectory(prefix="quant_assets-backup-") as drafts:
        for journal in list_journals(settings):
            pieces.add_if_there(journal)
        note("catalogue of the lake")
        lake = _add_lake(settings, pieces, Path(drafts))
        databases, others = list_databases_and_files(settings)
        note(f"{len(databases)} databases")
        for i, database in enumerate(databases):
            copy = Path(drafts) / f"{i}.sqlite"
            if copy_database(database, copy):
                pieces.add(copy, database)
                copy.unlink()
        note(f"{len(others)} other files")
        for file in others:
            pieces.add_if_there(file)
    lacking = find_unreadable(lake.artifacts, settings.artifacts_dir)
    manifest = Manifest(
        id=f"{now:%Y%m%dT%H%M%S}-{now.microsecond:06d}",
        data_dir=str(settings.data_dir),
        market=str(held) if held else "",
        duckdb=duckdb.__version__,
        tables=lake.tables,
        submission=lake.submission,
        artifacts=tuple(a for a in lake.artifacts if a not in lacking),
        files=tuple(pieces.files),
    )
    store.write_manifest(manifest)
    return BackupSummary(
        manifest,
        sum(len(file.pieces) for file in manifest.files),
        pieces.new,
        pieces.new_bytes,
        time.perf_counter() - begun,
        tuple(lacking),
    )


def require_outside(folder: Path, data_dir: Path) -> None:
    """Refuse a folder of backups inside the data directory, which would be lost with it.

    Raises:
        BackupError: the folder is the data directory or lies inside it.
    """
    if folder.resolve().is_relative_to(data_dir.resolve()):
        raise BackupError(
            "backups cannot lie inside the data directory",
            where=str(folder),
            expected=f"a folder outside {data_dir}, best on another disk",
            hint="name another folder",
        )


@dataclass(frozen=True)
class _LakeContents:
    tables: dict[str, TableContent]
    submission: Submission | None
    artifacts: list[Artifact]


def _add_lake(settings: Settings, pieces: "_Pieces", drafts: Path) -> _LakeContents:
    """Copy the catalogue, and then the files that the copy lists; digest what they hold."""
    root, copy = settings.lake_dir, drafts / CATALOGUE
    with keep_unused_files(root, _PATIENCE):
        copy_catalogue(root, copy)
        pieces.add(copy, root / CATALOGUE)
        folder, names = files_folder(root), list_catalogue_files(copy)
        pieces.note(f"{len(names)} files of the lake")
        pieces.add_all(folder / name for name in names)
        lake = FrozenLake(root, copy)
        try:
            return _LakeContents(
                digest_contents(lake), digest_newest_submission(lake), find_artifacts_in_force(lake)
            )
        finally:
            lake.close()


@dataclass
class _Pieces:
    """Cuts files into pieces, and stores those that the folder lacks."""

    store: BackupStore
    data_dir: Path
    note: Callable[[str], None]
    files: list[BackedUpFile] = field(default_factory=list)
    new: int = 0
    new_bytes: int = 0
    noted_at: float = field(default_factory=time.monotonic)

    def add_all(self, files: Iterable[Path]) -> None:
        for file in files:
            self.add(file, file)

    def add_if_there(self, file: Path) -> None:
        """Add a file, unless somebody has deleted it meanwhile."""
        try:
            self.add(file, file)
        except FileNotFoundError:
            if file.exists():
                raise

    def add(self, content: Path, file: Path) -> None:
        """Add a file of the data directory.

        Args:
            content: the file to read: the same one, or a copy of it.
            file: the file, which gives the name.
        """
        digests, size = [], 0
        with content.open("rb") as stream:
            while piece := stream.read(PIECE_BYTES):
                digests.append(self._store(piece))
                size += len(piece)
        name = file.relative_to(self.data_dir).as_posix()
        self.files.append(BackedUpFile(name, size, tuple(digests)))
        if time.monotonic() - self.noted_at > _SECONDS_BETWEEN_NOTES:
            self.noted_at = time.monotonic()
            copied = sum(file.size for file in self.files)
            self.note(f"{len(self.files)} files, {copied / 1e6:.1f} MB: {name}")

    def _store(self, piece: bytes) -> str:
        digest = sha256(piece).hexdigest()
        if not self.store.has_piece(digest, len(piece)):
            self.store.write_piece(digest, piece)
            self.new += 1
            self.new_bytes += len(piece)
        return digest
