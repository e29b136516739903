"""The folder of backups: pieces that are named by their sha256, and a manifest for each backup.

No other module knows how pieces and manifests are stored. A backup exists from the moment at which
its manifest has its name. A piece without a manifest is what an interrupted backup left; the next
backup uses it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from quant_assets.backup.manifest import Manifest, decode_manifest, encode_manifest
from quant_assets.core.errors import BackupError, suggest_names
from quant_assets.core.files import write_atomically
from quant_assets.core.locks import hold_lock

PIECE_BYTES = 2**20
"""Largest piece. A database changes in places, so that most pieces of it stay the same."""
_SUFFIX = ".json"
_PATIENCE = 600.0


class BackupStore:
    """Pieces and manifests below a folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pieces = root / "pieces"
        self._manifests = root / "manifests"

    def create(self) -> None:
        """Make the folder if it is missing; no other user of the machine may read it."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process change the backups meanwhile.

        A folder that cannot be written is changed by nobody.

        Raises:
            BackupError: another process went on changing them.
        """
        if not os.access(self.root, os.W_OK):
            yield
            return
        problem = "another backup or restore uses this folder"
        with hold_lock(self.root / "backup.lock", _PATIENCE, BackupError, problem):
            yield

    def has_piece(self, digest: str, size: int) -> bool:
        """Return whether a piece is stored with its whole length."""
        try:
            return self._piece(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def write_piece(self, digest: str, content: bytes) -> None:
        """Store a piece, whole or not at all."""
        write_atomically(self._piece(digest), content)

    def read_piece(self, digest: str) -> bytes:
        """Read a piece and verify it.

        Raises:
            BackupError: the piece is missing, truncated or altered.
        """
        file = self._piece(digest)
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            raise _refuse(file, "missing", digest, "no file") from None
        actual = sha256(content).hexdigest()
        if actual != digest:
            raise _refuse(file, "altered or truncated", digest, f"{actual}, {len(content)} bytes")
        return content

    def list_pieces(self) -> Iterator[str]:
        """Yield the names of all files beside manifests: pieces, and what a dead process left."""
        for file in self._pieces.glob("*/*"):
            yield file.name

    def delete_piece(self, name: str) -> int:
        """Delete a file of :meth:`list_pieces`; return its number of bytes."""
        file = self._piece(name)
        file = file if file.exists() else next(self._pieces.glob(f"*/{name}"))
        size = file.stat().st_size
        file.unlink()
        return size

    def list_backups(self) -> list[str]:
        """Return the ids of all backups, the oldest first."""
        return sorted(file.stem for file in self._manifests.glob(f"[!.]*{_SUFFIX}"))

    def write_manifest(self, manifest: Manifest) -> None:
        """Store a manifest: from now on the backup exists."""
        write_atomically(self._manifest(manifest.id), encode_manifest(manifest))
        _sync_folder(self._manifests)

    def read_manifest(self, backup: str) -> Manifest:
        """Read the manifest of a backup.

        Raises:
            BackupError: there is no such backup, or its manifest is damaged.
        """
        file = self._manifest(backup)
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            backups = self.list_backups()
            raise BackupError(
                "there is no such backup",
                where=str(self.root),
                expected=f"one of {len(backups)}, the newest {backups[-1]}"
                if backups
                else "a folder with backups",
                found=backup,
                hint=suggest_names(backup, backups, "`quant-assets backups` lists them"),
            ) from None
        return decode_manifest(content, str(file))

    def delete_manifest(self, backup: str) -> None:
        """Delete a manifest: the backup no longer exists."""
        self._manifest(backup).unlink()

    def _piece(self, digest: str) -> Path:
        return self._pieces / digest[:2] / digest

    def _manifest(self, backup: str) -> Path:
        return self._manifests / f"{backup}{_SUFFIX}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse(file: Path, state: str, expected: str, found: str) -> BackupError:
    return BackupError(
        f"a piece of the backup is {state}",
        where=str(file),
        expected=f"sha256 {expected}",
        found=found,
        hint="restore another backup; delete an altered piece, and the next backup stores it anew"
        " if the data still has it",
    )
