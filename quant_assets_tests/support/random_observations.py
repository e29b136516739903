"""Observations of random numbers, which are equal on every machine."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quant_assets.features.catalogue import Level

DAYS, TARGETS, INSTRUMENTS = 150, 6, 4


def random_arrays(names: Mapping[Level, tuple[str, ...]]) -> dict[str, Any]:
    """Arguments of ``Observations`` by name, blocks as pairs of names and values.

    Args:
        names: features by level.
    """
    generator = np.random.Generator(np.random.PCG64(11))

    def block(level: Level, *shape: int) -> tuple[tuple[str, ...], Any]:
        values = generator.random((DAYS, *shape, len(names[level])), dtype=np.float32)
        return names[level], values - np.float32(0.5)

    return {
        "days": np.datetime64("2022-01-03", "D") + np.arange(DAYS),
        "targets": tuple(f"target_{i}" for i in range(TARGETS)),
        "lags": 1 + np.arange(TARGETS) % 4,
        "instruments": tuple(f"US_Stock_{letter}" for letter in "ABCD"[:INSTRUMENTS]),
        "groups": ("US",) * INSTRUMENTS,
        "closing_order": (2,) * INSTRUMENTS,
        "legs": np.array([[i % INSTRUMENTS, (i + 1) % INSTRUMENTS] for i in range(TARGETS)]),
        "known_labels": generator.random((DAYS, TARGETS)) - 0.5,
        "target": block("target", TARGETS),
        "instrument": block("instrument", INSTRUMENTS),
        "market": block("market"),
    }
