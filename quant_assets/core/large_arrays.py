"""Arrays that may be larger than memory: they lie in temporary files and are read as needed."""

import os
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import numpy as np

from quant_assets.core.typing import AnyArray

IN_MEMORY = 2**28
"""Number of bytes up to which an array is in memory."""


def join_blocks(
    blocks: Iterable[AnyArray], shape: tuple[int, ...], dtype: Any, *, shared: bool = True
) -> AnyArray:
    """Join blocks along the first axis; a large result is mapped from a temporary file.

    What is written into a mapped array stays in memory.

    Args:
        blocks: blocks whose rows are those of the result, in order.
        shape: shape of the result.
        dtype: type of the values.
        shared: whether the file has a name, by which worker processes share it, until nothing uses
            the array any more; a file without a name ends with its process at the latest.
    """
    if int(np.prod(shape)) * np.dtype(dtype).itemsize <= IN_MEMORY:
        result = np.empty(shape, dtype=dtype)
        start = 0
        for block in blocks:
            result[start : start + len(block)] = block
            start += len(block)
        return result
    descriptor, name = mkstemp(prefix="quant_assets-", suffix=".array")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for block in blocks:
                np.ascontiguousarray(block, dtype=dtype).tofile(file)
        mapped = np.memmap(name, dtype=dtype, mode="c", shape=shape)
    except BaseException:
        Path(name).unlink()
        raise
    if shared:
        weakref.finalize(mapped.base, _remove, name)
    else:
        _remove(name)
    return mapped


def _remove(name: str) -> None:
    with suppress(OSError):
        Path(name).unlink()
