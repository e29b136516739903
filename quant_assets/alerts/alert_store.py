"""The book of alerts: the two tables, read and written as records.

Nothing is lost if a process ends at any point: events are taken in again by whoever saw them, what
they lead to has the same ids again, and messages are written before the alert they are about.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from quant_assets.alerts.alert_lifecycle import (
    Alert,
    ConditionCleared,
    ConditionRaised,
    Level,
    apply_event,
)
from quant_assets.alerts.messages import Message, address_messages
from quant_assets.core.errors import AlertError
from quant_assets.lake.schemas.alert_tables import ALERT_DELIVERIES, ALERTS
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake

_PENDING = "delivered_at IS NULL AND next_attempt IS NOT NULL"
_DEAD = "delivered_at IS NULL AND next_attempt IS NULL"
_NEWEST = "true QUALIFY row_number() OVER (PARTITION BY key ORDER BY opened_at DESC) = 1"
# Somebody was told, and the alert does not say so yet.
_TAKEN = (
    "delivered_at IS NULL AND id IN"
    f" (SELECT alert_id FROM {ALERT_DELIVERIES.quoted}"
    " WHERE kind <> 'recovery' AND delivered_at IS NOT NULL)"
)
Record = TypeVar("Record", Alert, Message)


class AlertStore:
    """The alerts and messages of a lake. Processes and threads may share it.

    Args:
        lake: holds the tables.
        folder: of the lake; locks lie in it.
        patience: seconds to wait for others who write.
    """

    def __init__(self, lake: Lake, folder: Path, *, patience: float = 60.0) -> None:
        self._lake = lake
        self._folder = folder
        self._patience = patience

    def take_in(
        self,
        events: Iterable[ConditionRaised | ConditionCleared],
        channels: Mapping[Level, Sequence[str]],
    ) -> list[Message]:
        """Bring the alerts to where the events leave them; the messages that asks for.

        Events that were taken in before change nothing.

        Args:
            events: in the order of their moments.
            channels: names of each level's channels.

        Raises:
            AlertError: others write all the time.
            LakeError: the lake cannot be read or written.
        """
        with self._changing():
            newest = {one.key: one for one in self._alerts(_NEWEST)}
            changed: dict[str, Alert] = {}
            messages: dict[str, Message] = {}
            for event in events:
                for step in apply_event(newest, event):
                    newest[step.alert.key] = changed[step.alert.id] = step.alert
                    told = self._told(step.alert, messages.values())
                    asked = address_messages(step, channels, told, event.at)
                    messages |= {one.id: one for one in asked}
            new = self._unwritten(messages)
            self._write(ALERT_DELIVERIES, new)
            self._write(ALERTS, list(changed.values()))
        return new

    def alerts(self, *, closed: bool = False) -> list[Alert]:
        """The open alerts, or all of them; the most recently opened first."""
        return self._alerts(f"{'true' if closed else 'closed_at IS NULL'} ORDER BY opened_at DESC")

    def messages(self) -> list[Message]:
        """All messages, oldest first."""
        return self._messages("true ORDER BY created_at")

    def pending(self) -> list[Message]:
        """Messages that have to be sent, now or later."""
        return self._messages(_PENDING)

    def dead(self) -> list[Message]:
        """Messages that were given up."""
        return self._messages(_DEAD)

    def record(self, messages: Sequence[Message]) -> None:
        """Store messages in the place of what was known of them."""
        self._write(ALERT_DELIVERIES, messages)

    def note_deliveries(self) -> None:
        """Let alerts say when somebody was told of them first."""
        if not self._has_messages() or not self._alerts(_TAKEN):
            return
        with self._changing():
            delivered = self._messages("kind <> 'recovery' ORDER BY delivered_at DESC NULLS FIRST")
            first = {one.alert_id: one.delivered_at for one in delivered}
            taken = self._alerts(_TAKEN)
            self._write(ALERTS, [replace(one, delivered_at=first[one.id]) for one in taken])

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """Whether this process may send meanwhile: one does at a time. Ends with the process."""
        lock = self._lock("alerts_sending", 0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone with the alerts, from reading what is known to writing what follows."""
        lock = self._lock("alerts", self._patience)
        try:
            lock.acquire()
        except Timeout:
            raise AlertError(
                "another process works on the alerts",
                where=lock.lock_file,
                expected=f"an end within {self._patience:.0f} s",
                hint="nothing is lost; try again",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _lock(self, name: str, patience: float) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / f"{name}.lock", patience, poll_interval=0.005)

    def _has_messages(self) -> bool:
        return self._folder.exists() and self._lake.has(ALERT_DELIVERIES)

    def _told(self, alert: Alert, unwritten: Iterable[Message]) -> list[Message]:
        stored = self._messages("alert_id = ? ORDER BY created_at", [alert.id])
        return stored + [one for one in unwritten if one.alert_id == alert.id]

    def _unwritten(self, messages: Mapping[str, Message]) -> list[Message]:
        """Those not there yet: one that is may have been delivered since."""
        there = self._messages("list_contains(?, id)", [list(messages)]) if messages else []
        return [one for key, one in messages.items() if key not in {known.id for known in there}]

    def _alerts(self, condition: str, values: Sequence[Any] = ()) -> list[Alert]:
        return self._read(ALERTS, Alert, condition, values)

    def _messages(self, condition: str, values: Sequence[Any] = ()) -> list[Message]:
        return self._read(ALERT_DELIVERIES, Message, condition, values)

    def _read(
        self, table: Table, record: type[Record], condition: str, values: Sequence[Any]
    ) -> list[Record]:
        # Asking a lake for its tables would make one where there is none.
        if not self._folder.exists() or not self._lake.has(table):
            return []
        rows = self._lake.arrow(f"SELECT * FROM {table.quoted} WHERE {condition}", list(values))
        # A table written by an older release lacks its newest columns until it is written again.
        known = {field.name for field in fields(record)} & set(rows.column_names)
        return [record(**{name: _aware(row[name]) for name in known}) for row in rows.to_pylist()]

    def _write(self, table: Table, records: Sequence[Alert] | Sequence[Message]) -> None:
        if records:
            rows = [{name: _naive(x) for name, x in asdict(one).items()} for one in records]
            data = {column.name: [row[column.name] for row in rows] for column in table.columns}
            self._lake.replace_matching(table, "id", data)


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _naive(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
