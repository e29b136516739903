"""Checkpoints: the state of an unfinished fit in a file that only the same fit reads."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from quant_assets.core.typing import AnyArray
from quant_assets.models.packing import pack, unpack

_MADE_FOR = "made_for"


@dataclass(frozen=True)
class Checkpoint:
    """A file with the state of a fit.

    Attributes:
        file: path of the file; None for no checkpoint.
        fingerprint: digest of the fit's data, parameters and seed.
    """

    file: Path | None
    fingerprint: str

    def read(self) -> dict[str, AnyArray]:
        """Read the arrays last written; empty without a file and for another fit's file."""
        if self.file is None or not self.file.exists():
            return {}
        try:
            arrays = unpack(self.file.read_bytes())
        except (BadZipFile, ValueError, EOFError):
            return {}
        return arrays if str(arrays.pop(_MADE_FOR, "")) == self.fingerprint else {}

    def write(self, arrays: dict[str, AnyArray]) -> None:
        """Replace the file's content with the given arrays, in one step."""
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_name(f"{self.file.name}.part")
        part.write_bytes(pack(**arrays, **{_MADE_FOR: np.array(self.fingerprint)}))
        part.replace(self.file)


def digest_parts(*parts: AnyArray | str) -> str:
    """Compute the SHA-256 of texts, and of arrays with their types and shapes."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
            continue
        digest.update(f"{part.dtype} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
