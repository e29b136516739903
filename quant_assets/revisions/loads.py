"""Whether a lake holds a whole load: the lake says it, not the records of runs.

An older copy of a lake, or an empty one, thus is loaded again.
"""

from datetime import date, datetime
from pathlib import Path

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.bar_tables import BAR_FEATURES
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.revision_tables import LOADS, OUTDATED
from quant_assets.lake.store.lake import Lake


def is_loaded(root: Path, fingerprint: str, last_day: date) -> bool:
    """Return whether the lake below a folder holds a load with a fingerprint, up to a day.

    Args:
        root: folder of the lake.
        fingerprint: digest of everything that a load depends on.
        last_day: newest day of the source.

    Raises:
        LakeError: the lake cannot be read.
    """
    if not root.exists():
        return False
    with Lake(root) as lake, lake.at_once():
        if not lake.has(LOADS):
            return False
        marks = lake.arrow(f"FROM {OUTDATED.quoted}").num_rows if lake.has(OUTDATED) else 0
        loaded = lake.arrow(f"SELECT fingerprint FROM {LOADS.quoted}").to_pylist()
        if loaded != [{"fingerprint": fingerprint}] or marks:
            return False
        # A day that was withdrawn after its submission has a submission, and no prices.
        submitted = f"SELECT 1 FROM {SUBMISSIONS.quoted} WHERE trading_day = ? LIMIT 1"
        is_submitted = lake.has(SUBMISSIONS) and lake.arrow(submitted, [last_day]).num_rows == 1
        return is_submitted and read_newest_day(lake, RAW_PRICES) == last_day


def record_load(root: Path, fingerprint: str, now: datetime) -> None:
    """Record in the lake that a whole load ended.

    Raises:
        LakeError: the record cannot be written; the next load runs again.
    """
    with Lake(root) as lake:
        row = {"fingerprint": [fingerprint], "stored_at": [now.replace(tzinfo=None)]}
        lake.replace_all(LOADS, row)


def forget_bars(root: Path) -> None:
    """Empty the features from bars of a market that delivers bars no more: models see none then.

    Args:
        root: folder of the lake.

    Raises:
        LakeError: the lake cannot be read or written.
    """
    if not root.exists():
        return
    with Lake(root) as lake:
        if read_newest_day(lake, BAR_FEATURES):
            lake.replace_all(BAR_FEATURES, {column.name: () for column in BAR_FEATURES.columns})
