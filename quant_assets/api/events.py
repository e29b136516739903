"""Events that the lake's snapshots contain: forecasts published, releases changed, alerts.

An event's id is the snapshot that stored it and its position there. So ids rise in the order in
which events can be seen, are the same on every server of a lake, and outlast a restart. Events of
snapshots that maintenance has expired cannot be derived any more. Sending them is in ``feed``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import msgspec

from quant_assets.lake.readers.changes import (
    DELETED,
    INSERTED,
    read_changes,
    read_snapshot_moments,
)
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.promotion_tables import DECISIONS, SUBMITTED_FORECASTS
from quant_assets.lake.schemas.table import RESUBMITTED
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.promotion_state import Decision, PromotionState, fold_decisions
from quant_assets.promotion.release_store import read_decisions

Kind = Literal["forecast", "release", "alert"]
_DECISION = tuple(column.name for column in fields(Decision))
_Rows = list[dict[str, Any]]


@dataclass(frozen=True, order=True)
class EventId:
    """The place of an event: snapshot, and position in it from 1; 0 is before its first event."""

    snapshot: int
    position: int = 0

    def __str__(self) -> str:
        return f"{self.snapshot}-{self.position}"

    @classmethod
    def parse(cls, text: str) -> "EventId | None":
        """Read an id; None if the text is none.

        >>> EventId.parse("46-1"), EventId.parse("46"), EventId.parse("-1-1")
        (EventId(snapshot=46, position=1), None, None)
        """
        snapshot, _, position = text.partition("-")
        if not (_is_number(snapshot) and _is_number(position)):
            return None
        return cls(int(snapshot), int(position))


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        id: its place among all events.
        kind: what it is about.
        at: when the lake stored it, UTC.
        content: what a subscriber learns, as JSON can hold it.
    """

    id: EventId
    kind: Kind
    at: datetime
    content: Mapping[str, Any] = field(compare=False)

    @cached_property
    def json(self) -> str:
        """The event as JSON on one line, the same for every subscriber."""
        message = {"id": str(self.id), "kind": self.kind, "at": f"{self.at.isoformat()}Z"}
        return msgspec.json.encode({**message, **self.content}).decode()


def derive_events(lake: Lake, after: int, until: int) -> list[Event]:
    """Derive the events of a range of snapshots from the rows that they changed, in order.

    Args:
        lake: the lake.
        after: id of the snapshot before the first of the range; the lake must still keep it.
        until: id of the last snapshot of the range.

    Raises:
        LakeError: the lake cannot be read, or a snapshot has expired.
    """
    if until <= after:
        return []
    contents: dict[int, list[tuple[Kind, dict[str, Any]]]] = defaultdict(list)
    with lake.at_once() as newest:
        for snapshot, content in _find_forecasts(lake, after + 1, until):
            contents[snapshot].append(("forecast", content))
        for snapshot, content in _find_release_changes(lake, after + 1, until, newest):
            contents[snapshot].append(("release", content))
        for snapshot, content in _find_alerts(lake, after + 1, until):
            contents[snapshot].append(("alert", content))
        if not contents:
            return []
        moments = read_snapshot_moments(lake, after + 1, until)
    return [
        Event(EventId(snapshot, position), kind, moments[snapshot], content)
        for snapshot in sorted(contents)
        for position, (kind, content) in enumerate(contents[snapshot], 1)
    ]


def _find_forecasts(lake: Lake, first: int, last: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield an event for the new days of each snapshot, and one for its resubmitted days.

    Days of the history that are computed again are neither.
    """
    select = (
        "trading_day, count(*) AS targets, max(origin) AS origin, max(champion) AS champion,"
        " max(challenger) AS challenger, max(share) AS share"
    )
    rows = read_changes(lake, SUBMITTED_FORECASTS, first, last, select, "trading_day")
    for snapshot, changed in _by_snapshot(rows):
        before = {row["trading_day"] for row in changed if row["change_type"] == DELETED}
        after = [row for row in changed if row["change_type"] == INSERTED]
        new = [row for row in after if row["trading_day"] not in before]
        again = [
            row for row in after if row["trading_day"] in before and row["origin"] == RESUBMITTED
        ]
        for change, days in (("published", new), ("resubmitted", again)):
            if days:
                yield snapshot, _describe_forecast(change, days)


def _describe_forecast(change: str, days: _Rows) -> dict[str, Any]:
    days = sorted(days, key=lambda row: row["trading_day"])
    newest = days[-1]
    return {
        "change": change,
        "day": newest["trading_day"],
        "first_day": days[0]["trading_day"],
        "days": len(days),
        **{name: newest[name] for name in ("targets", "origin", "champion", "challenger", "share")},
    }


def _find_release_changes(
    lake: Lake, first: int, last: int, newest: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield an event for each snapshot after which other releases or another share are in force.

    The decisions before each snapshot are the present ones with the changes since undone.
    """
    changes = read_changes(lake, DECISIONS, first, newest)
    if not changes:
        return
    rows = {decision.decision: decision for decision in read_decisions(lake)}
    states: list[tuple[int, PromotionState, PromotionState, list[Decision]]] = []
    for snapshot, changed in reversed(list(_by_snapshot(changes))):
        after = _fold(rows)
        inserted = {row["decision"]: row for row in changed if row["change_type"] == INSERTED}
        deleted = {row["decision"]: row for row in changed if row["change_type"] == DELETED}
        new = [_to_decision(row) for name, row in inserted.items() if name not in deleted]
        rows = {name: decision for name, decision in rows.items() if name not in inserted}
        rows |= {name: _to_decision(row) for name, row in deleted.items()}
        states.append((snapshot, _fold(rows), after, _in_order(new)))
    for snapshot, before, after, new in reversed(states):
        if snapshot <= last and _releases(before) != _releases(after):
            decided = new[-1] if new else None
            yield (
                snapshot,
                {
                    **_releases(after),
                    "before": _releases(before),
                    "in_force_from": decided.trading_day if decided else None,
                    "action": decided.action if decided else None,
                    "reason": decided.reason if decided else None,
                    "made_by": decided.made_by if decided else None,
                    "decisions": len(new),
                },
            )


def _releases(state: PromotionState) -> dict[str, Any]:
    return {"champion": state.champion, "challenger": state.challenger, "share": state.share}


def _fold(rows: Mapping[str, Decision]) -> PromotionState:
    return fold_decisions(_in_order(list(rows.values())))


def _in_order(decisions: list[Decision]) -> list[Decision]:
    return sorted(decisions, key=lambda decision: (decision.trading_day, decision.sequence))


def _to_decision(row: Mapping[str, Any]) -> Decision:
    return Decision(**{name: row[name] for name in _DECISION})


def _find_alerts(lake: Lake, first: int, last: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield an event for each alert that a snapshot opened, escalated or ended."""
    rows = read_changes(lake, ALERTS, first, last)
    for snapshot, changed in _by_snapshot(rows):
        before = {row["id"]: row for row in changed if row["change_type"] == DELETED}
        after = [row for row in changed if row["change_type"] == INSERTED]
        for alert in sorted(after, key=lambda row: (row["opened_at"], row["key"])):
            for change in _name_changes(before.get(alert["id"]), alert):
                yield snapshot, _describe_alert(change, alert)


def _name_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[str]:
    """Name what happened to an alert between two states of its row."""
    if before is None:
        yield "opened"
    elif before["level"] != after["level"]:
        yield "escalated"
    if after["closed_at"] is not None and (before is None or before["closed_at"] is None):
        yield "ended"


def _describe_alert(change: str, alert: Mapping[str, Any]) -> dict[str, Any]:
    told = ("key", "level", "subject", "text", "trading_day", "opened_at", "closed_at")
    return {"change": change, **{name: alert[name] for name in told}}


def _by_snapshot(rows: _Rows) -> Iterator[tuple[int, _Rows]]:
    grouped: dict[int, _Rows] = defaultdict(list)
    for row in rows:
        grouped[row["snapshot_id"]].append(row)
    yield from grouped.items()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16
