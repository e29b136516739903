"""``quant-assets move-source``: the market that a data directory holds lies elsewhere now."""

import numpy as np

from quant_assets.core.errors import SettingsError, SourceError
from quant_assets.core.settings import (
    SIMULATED,
    Settings,
    load_settings,
    read_held_market,
    replace_source,
)
from quant_assets.lake.readers.days import read_day_span
from quant_assets.lake.readers.prices import pairs_rows, read_pairs, read_raw
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs
from quant_assets.revisions.digests import cell_bits
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.protocol import Source
from quant_assets.sources.registry import open_source

_LEAST_EQUAL = 0.5
_HINT = "name a folder with the same market; `quant-assets demo FOLDER` loads another one"


def move_source(settings: Settings, folder: str) -> str:
    """Record that the market that is held lies in another folder, if that folder has the market.

    It has the market if it has the same targets and series, and if most of the stored prices are
    the same there; what differs is a revision, which the next load sees. Returns what was found.

    Args:
        settings: say where the data directory is.
        folder: the folder, in the competition's format.

    Raises:
        SettingsError: no market is loaded, or the simulated one, which lies nowhere.
        SourceError: the folder cannot be read, or has another market.
        LakeError: no prices are stored.
    """
    held = read_held_market(settings)
    if held is None or SIMULATED in (held.source, folder):
        raise SettingsError(
            "there is no folder to move",
            where=str(settings.data_dir),
            expected="a data directory that holds a market from a folder, and another folder",
            found=f"{held or 'no market'}, to be moved to {folder}",
            hint="`quant-assets load` loads a market",
        )
    moved = load_settings(source=folder, first_day=held.first_day)
    source = open_source(moved)
    with Lake(settings.lake_dir, read_only=True) as lake:
        _require_same_targets(read_pairs(lake), source.pairs(), moved.source)
        equal = _compare_prices(lake, source, moved.source)
    replace_source(settings, moved.source)
    return (
        f"the market is at {moved.source} now, no longer at {held.source}: the same targets and"
        f" series, and {100 * equal:.4g} % of the stored prices are the same there"
    )


def _require_same_targets(stored: TargetPairs, given: TargetPairs, folder: str) -> None:
    rows = [
        set(zip(*(list(values) for values in pairs_rows(pairs).values()), strict=True))
        for pairs in (stored, given)
    ]
    if different := rows[0] ^ rows[1]:
        target, *_ = sorted(different, key=str)[0]
        raise SourceError(
            "the folder has other targets than the market that is held",
            where=folder,
            expected=f"the {len(stored)} stored targets, with their lags and legs",
            found=f"another {target}, for example",
            hint=_HINT,
        )


def _compare_prices(lake: Lake, source: Source, folder: str) -> float:
    """Return the share of the stored prices that the source gives as well.

    Raises:
        SourceError: the source has other series, or most prices differ.
        LakeError: no prices are stored.
    """
    first, last = read_day_span(lake, RAW_PRICES) or (source.first_day, source.last_day)
    stored, given = read_raw(lake, first, last), source.prices(first, last)
    if different := sorted(set(stored.columns) ^ set(given.columns)):
        raise SourceError(
            "the folder has other series than the market that is held",
            where=folder,
            expected=f"the {len(stored.columns)} stored series",
            found=f"{len(different)} that only one of both has, such as {different[0]}",
            hint=_HINT,
        )
    equal = _share_of_equal(stored, given)
    if equal > _LEAST_EQUAL:
        return equal
    raise SourceError(
        "the folder has other prices than the market that is held",
        where=folder,
        expected=f"most of the prices stored from {first} to {last}",
        found=f"{100 * equal:.4g} % of them",
        hint=_HINT,
    )


def _share_of_equal(stored: PriceTable, given: PriceTable) -> float:
    """Return the share of the stored cells, empty ones left out, that are the same in ``given``."""
    _, in_stored, in_given = np.intersect1d(stored.days, given.days, return_indices=True)
    order = [given.columns.index(name) for name in stored.columns]
    before, after = cell_bits(stored)[in_stored, :-1], cell_bits(given)[in_given][:, order]
    filled = np.isfinite(stored.values)
    equal = (before == after) & filled[in_stored]
    return float(equal.sum() / max(filled.sum(), 1))
