"""Whether a lake holds a whole load: the lake says it, not the records of runs.

An older copy of a lake, or an empty one, thus is loaded again.
"""

from datetime import date, datetime
from pathlib import Path

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.revision_tables import LOADS, OUTDATED
from quant_assets.lake.schemas.tables import RAW_PRICES, SUBMISSIONS
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
        newest = {read_newest_day(lake, table) for table in (RAW_PRICES, SUBMISSIONS)}
        return loaded == [{"fingerprint": fingerprint}] and newest == {last_day} and not marks


def record_load(root: Path, fingerprint: str, now: datetime) -> None:
    """Record in the lake that a whole load ended.

    Raises:
        LakeError: the record cannot be written; the next load runs again.
    """
    with Lake(root) as lake:
        row = {"fingerprint": [fingerprint], "stored_at": [now.replace(tzinfo=None)]}
        lake.replace_all(LOADS, row)
