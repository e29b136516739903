"""Tables of releases for people, and the replay of stored decisions.

How the tables look in a terminal belongs in ``commands.console``.
"""

from datetime import date

import numpy as np
import pandas as pd

from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.gates import TrackRecord, score_of_record
from quant_assets.promotion.promotion_state import (
    CHAMPION,
    NONE,
    REFUSED,
    Decision,
    PromotionState,
    fold_decisions,
)
from quant_assets.promotion.release_store import (
    read_decisions,
    read_releases,
)
from quant_assets.promotion.replay import ReplayedDay, replay_decisions
from quant_assets.promotion.rules import Evidence
from quant_assets.promotion.submitted_days import read_newest_submitted_day
from quant_assets.promotion.track_records import TrackRecords


def list_releases(lake: Lake) -> pd.DataFrame:
    """List all releases: stage, share, scores live and by walk-forward, and the newest reason.

    Returns one row for each release, in the order in which they take part.
    """
    decisions, releases = read_decisions(lake), read_releases(lake)
    state = fold_decisions(decisions)
    newest_decisions = {decision.release: decision for decision in decisions}
    track_records = TrackRecords.read(lake, date.max)
    evidence = track_records.collect_evidence(date.max, np.empty(0, "datetime64[D]"), releases)
    newest_day = read_newest_submitted_day(lake)
    rows = []
    for release in releases:
        decision = newest_decisions.get(release.name)
        live = evidence.live_record(release.name)
        rows.append(
            {
                "release": release.name,
                "families": len(release.fits),
                "stage": _describe_stage(release.name, state, decision)
                + _describe_start(decision, newest_day),
                "share": state.share_of(release.name),
                "live_days": len(live.days),
                "live_score": _score(live),
                "walk_forward": _score(track_records.walk_forward_record(release.name)),
                "reason": decision.reason
                if decision
                else f"takes part from the first submitted day after {release.registered_after}",
            }
        )
    return pd.DataFrame(rows)


def _describe_stage(name: str, state: PromotionState, newest: Decision | None) -> str:
    """Describe a release's stage; without one, what the newest decision about it did."""
    stage = state.stage(name)
    if stage != NONE:
        return f"{stage}, pinned" if stage == CHAMPION and state.pinned else stage
    if name == state.last_good:
        return "last good"
    if newest is None:
        return "waiting"
    return REFUSED if newest.stage_after == REFUSED else newest.action


def _describe_start(newest: Decision | None, newest_day: date | None) -> str:
    """Name the first day of the newest decision, if nothing is submitted for that day yet."""
    if newest is None or (newest_day and newest.trading_day <= newest_day):
        return ""
    return f", from {newest.trading_day} on"


def _score(record: TrackRecord) -> float | None:
    return score_of_record(record.ic) if len(record.ic) else None


def replay_stored(lake: Lake) -> list[ReplayedDay]:
    """Replay the rules' stored decisions from the stored records.

    Returns one entry for each day with a decision of the rules.
    """
    releases, track_records = read_releases(lake), TrackRecords.read(lake, date.max)
    days = read_known_days(lake, date.max) if releases else np.empty(0, "datetime64[D]")

    def evidence_of(day: date) -> Evidence:
        return track_records.collect_evidence(day, days, releases)

    return replay_decisions(read_decisions(lake), evidence_of)
