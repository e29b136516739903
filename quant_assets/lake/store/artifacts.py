"""Fitted models on disk, named by their sha256 and verified before they are read."""

import hashlib
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from quant_assets.core.errors import ArtifactError


def store_artifact(folder: Path, content: bytes) -> tuple[str, str]:
    """Store bytes and return their file name and sha256. The file appears whole or not at all."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"{digest[:2]}/{digest}.model"
    write_atomically(folder / name, content)
    return name, digest


def is_artifact_stored(folder: Path, name: str, digest: str) -> bool:
    """Return whether a file is stored and has the sha256 recorded."""
    try:
        read_artifact(folder, name, digest)
    except ArtifactError:
        return False
    return True


def read_artifact(folder: Path, name: str, digest: str) -> bytes:
    """Read the bytes of a stored file and verify their sha256.

    Args:
        folder: of the fitted models.
        name: of the file, below the folder.
        digest: sha256 recorded for it.

    Raises:
        ArtifactError: the file is missing, or its sha256 is not the one recorded.
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
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ArtifactError(
            "a fitted model is not the one recorded and will not be loaded",
            where=str(file),
            expected=digest,
            found=found,
            hint="restore it; or delete it, and materialise the fit or report of that day again",
        )
    return content


def write_atomically(file: Path, content: bytes) -> None:
    """Write the file so that readers see the old content or the new, never a part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as draft:
        try:
            draft.write(content)
            draft.flush()
            os.fsync(draft.fileno())
            Path(draft.name).chmod(0o644)
            Path(draft.name).replace(file)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
