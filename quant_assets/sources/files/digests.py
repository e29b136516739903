"""Digests by which a change of price files is noticed: of their state on disk, and of their bytes.

What the bytes mean does not belong here.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from quant_assets.core.errors import SourceError
from quant_assets.sources.competition.file_state import state_of


def digest_state(paths: Iterable[Path]) -> str:
    """Return a digest of the places on disk, sizes and times of files, links followed."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path} {state_of(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def digest_content(paths: Iterable[Path], parameters: str) -> str:
    """Compute the SHA-256 of the names and bytes of files.

    Args:
        paths: the files.
        parameters: a text that is part of the content.

    Raises:
        SourceError: a file cannot be read.
    """
    digest = hashlib.sha256(f"{parameters}\n".encode())
    for path in paths:
        content = _digest_file(path, state_of(path))
        digest.update(f"{path.name} {content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


# A folder may have a file for each of thousands of instruments.
@lru_cache(maxsize=50_000)
def _digest_file(path: Path, _: tuple[int, ...]) -> str:
    """Digest a file, and keep the digest until the file has another state."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(
            "a price file cannot be read",
            where=str(path),
            expected="a file that this user may read",
            found=error.strerror,
        ) from None
