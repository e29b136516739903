"""Artifacts: files named by their sha256, which is verified whenever they are read."""

import hashlib
from pathlib import Path

from quant_assets.core.errors import ArtifactError
from quant_assets.core.files import write_atomically


def store_artifact(folder: Path, content: bytes) -> tuple[str, str]:
    """Store bytes and return their file name and sha256. The file appears whole or not at all."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"{digest[:2]}/{digest}.model"
    write_atomically(folder / name, content)
    return name, digest


def is_artifact_stored(folder: Path, name: str, digest: str) -> bool:
    """Return whether a file is stored and has its recorded sha256.

    Args:
        folder: the artifacts folder.
        name: path of the file within the folder.
        digest: recorded sha256 of the file.
    """
    try:
        read_artifact(folder, name, digest)
    except ArtifactError:
        return False
    return True


def read_artifact(folder: Path, name: str, digest: str) -> bytes:
    """Read the bytes of a stored file and verify their sha256.

    Args:
        folder: the artifacts folder.
        name: path of the file within the folder.
        digest: recorded sha256 of the file.

    Raises:
        ArtifactError: the file is missing, or its sha256 is not the recorded one.
    """
    file = folder / name
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ArtifactError(
            "a fitted model cannot be read",
            where=str(file),
            found=str(error),
            hint="restore the file, or materialise the fit of that day again",
        ) from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != digest:
        raise ArtifactError(
            "a fitted model is not the one recorded and will not be loaded",
            where=str(file),
            expected=digest,
            found=actual,
            hint="restore it; or delete it, and materialise the fit or report of that day again",
        )
    return content
