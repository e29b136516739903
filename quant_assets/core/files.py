"""Writing files so that no reader sees half of one. Where files lie belongs elsewhere."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file so that readers see the whole old content or the whole new content."""
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
