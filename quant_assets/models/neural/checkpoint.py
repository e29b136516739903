"""State of an unfinished fit on disk: written whole or not at all, used for the same fit only."""

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
    """A file, and what it must have been made for.

    Attributes:
        file: None keeps nothing.
        made_for: digest of data, parameters and seed.
    """

    file: Path | None
    made_for: str

    def read(self) -> dict[str, AnyArray]:
        """The arrays last written; empty if there are none, or they are another fit's."""
        if self.file is None or not self.file.exists():
            return {}
        try:
            arrays = unpack(self.file.read_bytes())
        except (BadZipFile, ValueError, EOFError):
            return {}
        return arrays if str(arrays.pop(_MADE_FOR, "")) == self.made_for else {}

    def write(self, arrays: dict[str, AnyArray]) -> None:
        """Replace what was written before."""
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_name(f"{self.file.name}.part")
        part.write_bytes(pack(**arrays, **{_MADE_FOR: np.array(self.made_for)}))
        part.replace(self.file)


def digest(*parts: AnyArray | str) -> str:
    """Sha256 of arrays, their types and shapes, and texts."""
    running = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            running.update(part.encode())
            continue
        running.update(f"{part.dtype} {part.shape}".encode())
        running.update(np.ascontiguousarray(part).data)
    return running.hexdigest()
