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
    Rows,
    read_at,
    read_inserted,
    read_snapshot_moments,
)
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.promotion_tables import DECISIONS, SUBMITTED_FORECASTS
from quant_assets.lake.schemas.table import RESUBMITTED
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.promotion_state import Decision, PromotionState, fold_decisions

Kind = Literal["forecast", "release", "alert"]
_DECISION = tuple(column.name for column in fields(Decision))


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
    with lake.at_once():
        for snapshot, content in _find_forecasts(lake, after + 1, until):
            contents[snapshot].append(("forecast", content))
        for snapshot, content in _find_releases(lake, after + 1, until):
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
    table = SUBMITTED_FORECASTS
    for snapshot, rows in read_inserted(lake, table, first, last, select, "trading_day").items():
        days = [row["trading_day"] for row in rows]
        earlier = read_at(
            *(lake, table, snapshot - 1, "DISTINCT trading_day"),
            *("trading_day BETWEEN ? AND ?", [min(days), max(days)]),
        )
        before = {row["trading_day"] for row in earlier}
        new = [row for row in rows if row["trading_day"] not in before]
        again = [
            row for row in rows if row["trading_day"] in before and row["origin"] == RESUBMITTED
        ]
        for change, changed in (("published", new), ("resubmitted", again)):
            if changed:
                yield snapshot, _describe_forecast(change, changed)


def _describe_forecast(change: str, days: Rows) -> dict[str, Any]:
    days = sorted(days, key=lambda row: row["trading_day"])
    newest = days[-1]
    return {
        "change": change,
        "day": newest["trading_day"],
        "first_day": days[0]["trading_day"],
        "days": len(days),
        **{name: newest[name] for name in ("targets", "origin", "champion", "challenger", "share")},
    }


def _find_releases(lake: Lake, first: int, last: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield an event for each snapshot after which other releases or another share are in force."""
    for snapshot in read_inserted(lake, DECISIONS, first, last, "decision"):
        before, after = (_read_decisions_at(lake, at) for at in (snapshot - 1, snapshot))
        states = fold_decisions(before), fold_decisions(after)
        if _releases(states[0]) == _releases(states[1]):
            continue
        earlier = {decision.decision for decision in before}
        new = [decision for decision in after if decision.decision not in earlier]
        newest = (new or after)[-1]
        told = {name: getattr(newest, name) for name in ("action", "reason", "made_by")}
        content = {"before": _releases(states[0]), "in_force_from": newest.trading_day, **told}
        yield snapshot, {**_releases(states[1]), **content, "decisions": len(new)}


def _read_decisions_at(lake: Lake, snapshot: int) -> list[Decision]:
    """Read the decisions that were stored at a snapshot, in their order."""
    rows = read_at(lake, DECISIONS, snapshot)
    made = (Decision(**{name: row[name] for name in _DECISION}) for row in rows)
    return sorted(made, key=lambda decision: (decision.trading_day, decision.sequence))


def _releases(state: PromotionState) -> dict[str, Any]:
    return {"champion": state.champion, "challenger": state.challenger, "share": state.share}


def _find_alerts(lake: Lake, first: int, last: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield an event for each alert that a snapshot opened, escalated or ended.

    An alert's row is replaced again and again, and never deleted for good: the row before is the
    newest one that an earlier snapshot inserted.
    """
    inserted = read_inserted(lake, ALERTS, first, last)
    ids = {row["id"] for rows in inserted.values() for row in rows}
    base = read_at(lake, ALERTS, first - 1, "*", "list_contains(?, id)", [list(ids)]) if ids else ()
    states = {row["id"]: row for row in base}
    for snapshot, rows in inserted.items():
        for alert in sorted(rows, key=lambda row: (row["opened_at"], row["key"])):
            before, states[alert["id"]] = states.get(alert["id"]), alert
            for change in _name_changes(before, alert):
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


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16
