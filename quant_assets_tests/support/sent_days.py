"""Stored days, taken as days that a caller sends: what follows from them, beside what is stored."""

from datetime import date

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.core.typing import AnyArray
from quant_assets.lake.readers.point_in_time import read_known_days, read_observations
from quant_assets.lake.readers.prices import read_raw
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Observations
from quant_assets.models.registry import select_families
from quant_assets.serving.known_days import KnownDays, read_arrays
from quant_assets.serving.sent_days import add_days
from quant_assets.sources.registry import open_market

BLOCKS = ("target", "instrument", "market")


def know_until(lake: Lake, settings: Settings, row: int) -> KnownDays:
    """Read what is known at the close of a stored day, counted from the end by -1, -2, …"""
    day = read_known_days(lake, date.max)[row].item()
    families = select_families(settings.families)
    return read_arrays(lake, settings, open_market(settings), families, day)


def arrays_of(observations: Observations, rows: int) -> list[AnyArray]:
    blocks = [getattr(observations, name).values[-rows:] for name in BLOCKS]
    return [observations.known_labels[-rows:], *blocks]


def check_sent_days(settings: Settings, rows: int) -> None:
    """Check that the last stored days, sent, have the stored features and labels bit for bit."""
    with Lake(settings.lake_dir, read_only=True) as lake:
        days = read_known_days(lake, date.max)[-rows:]
        known = know_until(lake, settings, -rows - 1)
        table = read_raw(lake, days[0].item(), days[-1].item())
        sent, _ = add_days(known, table)
        stored = read_observations(lake, date.max)
    for ours, theirs in zip(
        arrays_of(sent.observations, rows), arrays_of(stored, rows), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert np.isfinite(sent.observations.known_labels[-rows:]).any()
