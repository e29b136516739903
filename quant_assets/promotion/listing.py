"""Releases and decisions as tables to look at, and the replay of what is stored.

How they look in a terminal belongs to the command line.
"""

from datetime import date

import numpy as np
import pandas as pd

from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.gates import TrackRecord, score_of_record
from quant_assets.promotion.promotion_state import REFUSED, Decision, PromotionState, fold_decisions
from quant_assets.promotion.release_store import (
    read_decisions,
    read_newest_submitted_day,
    read_releases,
)
from quant_assets.promotion.replay import ReplayedDay, replay_decisions
from quant_assets.promotion.rules import Evidence
from quant_assets.promotion.track_records import TrackRecords


def list_releases(lake: Lake) -> pd.DataFrame:
    """One row per release: where it stands, and how good it was live and by its walk-forward."""
    state, registered = fold_decisions(read_decisions(lake)), read_releases(lake)
    book = TrackRecords.read(lake, date.max)
    known = book.evidence(date.max, np.empty(0, "datetime64[D]"), registered)
    last = {one.release: one for one in read_decisions(lake)}
    published = read_newest_submitted_day(lake)
    return pd.DataFrame(
        [
            {
                "release": one.name,
                "families": len(one.fits),
                "stage": _stage(one.name, state, last.get(one.name))
                + _from(last.get(one.name), published),
                "share": state.share_of(one.name),
                "live_days": len(known.live_of(one.name).days),
                "live_score": _score(known.live_of(one.name)),
                "walk_forward": _score(book.walk_forward_of(one.name)),
                "reason": last[one.name].reason
                if one.name in last
                else f"takes part from the first day published after {one.registered_after}",
            }
            for one in registered
        ]
    )


def _stage(name: str, state: PromotionState, last: Decision | None) -> str:
    stage = state.stage(name)
    if stage != "none":
        return f"{stage}, pinned" if stage == "champion" and state.pinned else stage
    if name == state.last_good:
        return "last good"
    return "waiting" if last is None else REFUSED if last.stage_after == REFUSED else last.action


def _from(last: Decision | None, published: date | None) -> str:
    """The day from which on it holds, if nothing was published for that day yet."""
    if last is None or (published and last.trading_day <= published):
        return ""
    return f", from {last.trading_day} on"


def _score(record: TrackRecord) -> float | None:
    return score_of_record(record.ic) if len(record.ic) else None


def replay_stored(lake: Lake) -> list[ReplayedDay]:
    """The rules' decisions again, from the records stored; one entry per day with any."""
    registered, book = read_releases(lake), TrackRecords.read(lake, date.max)
    days = read_known_days(lake, date.max) if registered else np.empty(0, "datetime64[D]")

    def evidence_of(day: date) -> Evidence:
        return book.evidence(day, days, registered)

    return replay_decisions(read_decisions(lake), evidence_of)
