"""The manifest of a backup: its files, the pieces of each, and what a restored copy must hold."""

from hashlib import sha256
from pathlib import PurePosixPath

import msgspec

from quant_assets.core.errors import BackupError

_VERSION = 1


class BackedUpFile(msgspec.Struct, frozen=True):
    """A file below the data directory.

    Attributes:
        name: path below the data directory.
        size: number of bytes.
        pieces: sha256 of each of its pieces, in order.
    """

    name: str
    size: int
    pieces: tuple[str, ...]


class TableContent(msgspec.Struct, frozen=True):
    """The number of rows of a table, and their digest."""

    rows: int
    digest: str


class Submission(msgspec.Struct, frozen=True):
    """The newest stored submission: its trading day, and the content of its rows."""

    trading_day: str
    content: TableContent


class Artifact(msgspec.Struct, frozen=True):
    """A fitted model that is in force: its file below the artifacts folder, and its sha256."""

    name: str
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """Everything about one backup.

    Attributes:
        id: moment at which the backup began, UTC, as in the name of the manifest's file.
        data_dir: the data directory.
        market: the market that it held, in words; empty if it held none.
        duckdb: version of DuckDB that digested the tables.
        tables: content of each table of the lake, by name.
        submission: the newest stored submission; None before the first.
        artifacts: the models in force that could be read.
        files: the files.
        version: version of this layout.
    """

    id: str
    data_dir: str
    market: str
    duckdb: str
    tables: dict[str, TableContent]
    submission: Submission | None
    artifacts: tuple[Artifact, ...]
    files: tuple[BackedUpFile, ...]
    version: int = _VERSION

    @property
    def size(self) -> int:
        """Number of bytes of all files."""
        return sum(file.size for file in self.files)


class _Envelope(msgspec.Struct, frozen=True):
    sha256: str
    backup: msgspec.Raw


def encode_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as JSON, with a digest of itself."""
    body = msgspec.json.encode(manifest)
    return msgspec.json.encode(_Envelope(sha256(body).hexdigest(), msgspec.Raw(body)))


def decode_manifest(content: bytes, where: str) -> Manifest:
    """Read a manifest and verify its digest.

    Args:
        content: the bytes of its file.
        where: name of the file, for the error.

    Raises:
        BackupError: the manifest is damaged, or a later version made it.
    """
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
        actual = sha256(envelope.backup).hexdigest()
        if actual != envelope.sha256:
            raise _refuse(where, expected=envelope.sha256, found=actual)
        manifest = msgspec.json.decode(envelope.backup, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refuse(where, expected="JSON that a backup wrote", found=str(error)) from None
    if manifest.version != _VERSION:
        raise _refuse(where, expected=f"version {_VERSION}", found=f"version {manifest.version}")
    for file in manifest.files:
        path = PurePosixPath(file.name)
        if path.is_absolute() or ".." in path.parts:
            raise _refuse(where, expected="files below the data directory", found=file.name)
    return manifest


def _refuse(where: str, expected: str, found: str) -> BackupError:
    return BackupError(
        "the manifest of a backup cannot be used",
        where=where,
        expected=expected,
        found=found,
        hint="restore another backup; delete this manifest to let it go",
    )
