"""Restoring a backup into a new data directory, which appears only after it was verified."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from quant_assets.backup.contents import (
    digest_contents,
    digest_newest_submission,
    list_newest_fits,
)
from quant_assets.backup.manifest import BackedUpFile, Manifest
from quant_assets.backup.store import BackupStore
from quant_assets.core.errors import BackupError, LakeError
from quant_assets.core.locks import hold_lock
from quant_assets.core.settings import Settings, load_settings
from quant_assets.lake.store.artifacts import read_artifact
from quant_assets.lake.store.connection import CATALOGUE
from quant_assets.lake.store.frozen import FrozenLake
from quant_assets.lake.store.lake import Lake
from quant_assets.training.reproduction import repeat_fit


@dataclass(frozen=True)
class RestoreSummary:
    """What was restored.

    Attributes:
        manifest: the manifest of the backup.
        repeated: the model that was fitted again, in words; or why none was.
        seconds: time from the first piece to the verified data directory.
    """

    manifest: Manifest
    repeated: str
    seconds: float

    def __str__(self) -> str:
        rows = sum(content.rows for content in self.manifest.tables.values())
        submission = self.manifest.submission
        return (
            f"{len(self.manifest.files)} files, {self.manifest.size / 1e6:.1f} MB;"
            f" {len(self.manifest.tables)} tables, {rows} rows, as in the backup\n"
            f"{len(self.manifest.artifacts)} models in force are readable\n"
            f"{self.repeated}\n"
            f"newest submission: {submission.trading_day if submission else 'none'}\n"
            f"{self.seconds:.1f} s"
        )


def restore_backup(
    store: BackupStore,
    target: Path,
    backup: str | None,
    note: Callable[[str], None],
    *,
    refit: bool = True,
) -> RestoreSummary:
    """Restore a backup and verify it. The data directory appears whole or not at all.

    Args:
        store: the folder of backups.
        target: the new data directory; it does not exist or is empty.
        backup: id of the backup; None restores the newest.
        note: called with a line of text about the progress.
        refit: whether a model is fitted again.

    Raises:
        BackupError: the target holds files, there is no such backup, a piece is damaged or
            missing, or the restored copy is not what the manifest says.
        ArtifactError: a model cannot be read.
        LakeError: the lake cannot be read.
    """
    begun = time.perf_counter()
    draft = target.with_name(f".{target.name}.restoring")
    problem = "another restore writes there"
    with (
        store.alone(),
        hold_lock(target.with_name(f".{target.name}.lock"), 0, BackupError, problem),
    ):
        _require_empty(target)
        manifest = store.read_manifest(backup or _find_newest(store))
        try:
            shutil.rmtree(draft, ignore_errors=True)
            for i, file in enumerate(manifest.files):
                _write_file(store, file, draft / file.name)
                if i % 100 == 0:
                    note(f"file {i + 1} of {len(manifest.files)}: {file.name}")
            note("comparing with the manifest")
            repeated = _verify(draft, manifest, refit=refit)
            os.sync()
            draft.replace(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        finally:
            target.with_name(f".{target.name}.lock").unlink(missing_ok=True)
    return RestoreSummary(manifest, repeated, time.perf_counter() - begun)


def _require_empty(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(
            "a backup is restored into a new or empty folder only",
            where=str(target),
            expected="no file there",
            hint="name another folder, and set QUANT_DATA_DIR to it",
        )


def _find_newest(store: BackupStore) -> str:
    backups = store.list_backups()
    if not backups:
        raise BackupError("there is no backup", where=str(store.root), hint="name another folder")
    return backups[-1]


def _write_file(store: BackupStore, file: BackedUpFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        try:
            for piece in file.pieces:
                stream.write(store.read_piece(piece))
        except BackupError as error:
            raise BackupError(
                error.problem,
                where=f"{error.where}, a part of {file.name}",
                expected=error.expected,
                found=error.found,
                hint=error.hint,
            ) from None
    if target.stat().st_size != file.size:
        raise _differs(file.name, f"{file.size} bytes", f"{target.stat().st_size} bytes")


def _verify(data_dir: Path, manifest: Manifest, *, refit: bool) -> str:
    """Compare a restored copy with its manifest; return what was fitted again, in words."""
    settings = load_settings(data_dir=data_dir)
    for artifact in manifest.artifacts:
        read_artifact(settings.artifacts_dir, artifact.name, artifact.sha256)
    lake = FrozenLake(settings.lake_dir, settings.lake_dir / CATALOGUE)
    try:
        _compare_contents(lake, manifest)
        fits = list_newest_fits(lake)
    finally:
        lake.close()
    return _repeat_one(settings, fits) if refit else "no model was fitted again, as asked"


def _compare_contents(lake: FrozenLake, manifest: Manifest) -> None:
    comparable = manifest.duckdb == duckdb.__version__
    restored = digest_contents(lake)
    for name in sorted({*manifest.tables, *restored}):
        expected, found = manifest.tables.get(name), restored.get(name)
        if expected is None or found is None or expected.rows != found.rows:
            raise _differs(name, expected, found)
        if comparable and expected != found:
            raise _differs(name, expected, found)
    submission = digest_newest_submission(lake)
    if comparable and submission != manifest.submission:
        raise _differs("the newest submission", manifest.submission, submission)


def _repeat_one(settings: Settings, fits: list[tuple[str, str]]) -> str:
    """Fit the first model again that can be; return the result in words."""
    reasons = []
    with Lake(settings.lake_dir, read_only=True) as lake:
        for family, day in fits:
            try:
                repeated = repeat_fit(lake, family, date.fromisoformat(day), settings.threads)
            except LakeError as error:
                reasons.append(f"{family}: {error.problem}")
                continue
            if repeated.same:
                return f"{family} as of {day}, fitted again, is the same to the bit"
            if repeated.changed:
                reasons.append(f"{family} differs, since {'; '.join(repeated.changed)}")
                continue
            raise BackupError(
                "a model that was fitted again differs from the stored one",
                where=f"{family} as of {day}",
                expected=repeated.recorded["sha256"],
                found=repeated.repeated["sha256"],
                hint="another kind of processor may change the last bits: --no-refit restores"
                " without this comparison",
            )
    return f"no model could be fitted again and compared: {'; '.join(reasons) or 'no fits'}"


def _differs(what: str, expected: object, found: object) -> BackupError:
    return BackupError(
        "the restored copy is not what was backed up",
        where=what,
        expected=str(expected),
        found=str(found),
        hint="restore another backup",
    )
