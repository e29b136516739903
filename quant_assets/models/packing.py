"""Arrays as bytes and back, for models that consist of arrays. Nothing is pickled."""

from io import BytesIO

import numpy as np

from quant_assets.core.typing import AnyArray


def pack(**arrays: AnyArray) -> bytes:
    """Write named arrays as one npz; the same arrays always give the same bytes."""
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(stored: bytes) -> dict[str, AnyArray]:
    """Read the arrays that :func:`pack` wrote."""
    with np.load(BytesIO(stored), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
