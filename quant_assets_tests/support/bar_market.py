"""Bars of a random market as arrays."""

import numpy as np

from quant_assets.features.bar_arrays import Bars

FIELDS = ("open", "high", "low", "close", "volume")


def random_bars(
    days: int = 30, slots: int = 26, instruments: int = 4, seed: int = 0, missing: float = 0.1
) -> Bars:
    """Draw bars of a random walk with a bounce between bid and ask."""
    random = np.random.default_rng(seed)
    shape = (days, slots, instruments)
    moves = random.normal(0, 2e-3, (days * slots, instruments)).cumsum(axis=0).reshape(shape)
    middle = np.log(50.0) + moves
    opening, close = (middle + 5e-4 * random.choice([-1, 1], shape) for _ in range(2))
    opening[:, 0] += random.normal(0, 5e-3, (days, instruments))
    reach = np.abs(random.normal(0, 1e-3, (2, *shape)))
    fields = {
        "open": np.exp(opening),
        "high": np.exp(np.maximum(opening, close) + reach[0]),
        "low": np.exp(np.minimum(opening, close) - reach[1]),
        "close": np.exp(close),
        "volume": np.round(random.lognormal(8, 1, shape)),
    }
    absent = random.random(shape) < missing
    for values in fields.values():
        values[absent] = np.nan
    return with_sessions(fields)


def with_sessions(fields: dict[str, np.ndarray], slots: int | None = None) -> Bars:
    """Return bars whose sessions have all slots, or the first few."""
    days, most, instruments = fields["close"].shape
    shape = (days, instruments)
    return Bars(
        *(fields[name] for name in FIELDS),
        np.full(shape, most if slots is None else slots, dtype=np.int64),
    )


def copy_fields(bars: Bars) -> dict[str, np.ndarray]:
    return {name: getattr(bars, name).copy() for name in FIELDS}
