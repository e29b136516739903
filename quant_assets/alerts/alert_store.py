"""Reading and writing the tables of alerts and messages, as records.

Nothing is lost if a process is killed at any point: the caller takes the same events in again, the
same events give the same ids, and messages are written before the alert that they are about.
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
# A message about the alert was delivered, and the alert does not say so yet.
_DELIVERED = (
    "delivered_at IS NULL AND id IN"
    f" (SELECT alert_id FROM {ALERT_DELIVERIES.quoted}"
    " WHERE kind <> 'recovery' AND delivered_at IS NOT NULL)"
)
Record = TypeVar("Record", Alert, Message)


class AlertStore:
    """The alerts and messages of a lake. Several processes and threads may use it at once.

    Args:
        lake: holds the tables.
        folder: the lake's folder, in which the lock files lie.
        timeout: seconds to wait for another process that writes alerts.
    """

    def __init__(self, lake: Lake, folder: Path, *, timeout: float = 60.0) -> None:
        self._lake = lake
        self._folder = folder
        self._timeout = timeout

    def take_in(
        self,
        events: Iterable[ConditionRaised | ConditionCleared],
        channels: Mapping[Level, Sequence[str]],
    ) -> list[Message]:
        """Apply events to the alerts, and store the alerts and the messages about them.

        Events that were taken in before change nothing.

        Args:
            events: the events, in the order of their moments.
            channels: names of each level's channels.

        Returns:
            The new messages.

        Raises:
            AlertError: another process wrote alerts until the timeout.
            LakeError: the lake cannot be read or written.
        """
        with self._lock_alerts():
            newest = {alert.key: alert for alert in self._read_alerts(_NEWEST)}
            changed: dict[str, Alert] = {}
            messages: dict[str, Message] = {}
            for event in events:
                for transition in apply_event(newest, event):
                    alert = transition.alert
                    newest[alert.key] = changed[alert.id] = alert
                    earlier = self._read_messages_about(alert, messages.values())
                    written = address_messages(transition, channels, earlier, event.at)
                    messages |= {message.id: message for message in written}
            new = self._select_new(messages)
            self._write(ALERT_DELIVERIES, new)
            self._write(ALERTS, list(changed.values()))
        return new

    def alerts(self, *, closed: bool = False) -> list[Alert]:
        """Read the open alerts, the most recently opened first; with ``closed`` all alerts."""
        condition = "true" if closed else "closed_at IS NULL"
        return self._read_alerts(f"{condition} ORDER BY opened_at DESC")

    def messages(self) -> list[Message]:
        """Read all messages, oldest first."""
        return self._read_messages("true ORDER BY created_at")

    def pending(self) -> list[Message]:
        """Read the messages that have to be sent, now or later."""
        return self._read_messages(_PENDING)

    def dead_letters(self) -> list[Message]:
        """Read the messages that were given up."""
        return self._read_messages(_DEAD)

    def write_messages(self, messages: Sequence[Message]) -> None:
        """Store messages in place of the stored ones with the same ids."""
        self._write(ALERT_DELIVERIES, messages)

    def note_deliveries(self) -> None:
        """Note in each alert when the first message about it was delivered."""
        if not self._has_messages() or not self._read_alerts(_DELIVERED):
            return
        with self._lock_alerts():
            messages = self._read_messages(
                "kind <> 'recovery' ORDER BY delivered_at DESC NULLS FIRST"
            )
            # Later entries replace earlier ones, so the first delivery of each alert is kept.
            first = {message.alert_id: message.delivered_at for message in messages}
            alerts = self._read_alerts(_DELIVERED)
            self._write(ALERTS, [replace(alert, delivered_at=first[alert.id]) for alert in alerts])

    @contextmanager
    def lock_sending(self) -> Iterator[bool]:
        """Hold the lock for sending, if it is free; yields whether it is held.

        The lock ends with the process at the latest.
        """
        lock = self._make_lock("alerts_sending", 0)
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
    def _lock_alerts(self) -> Iterator[None]:
        """Hold the lock on the alerts, from reading them to writing the changes."""
        lock = self._make_lock("alerts", self._timeout)
        try:
            lock.acquire()
        except Timeout:
            raise AlertError(
                "another process is writing alerts",
                where=lock.lock_file,
                expected=f"the lock becomes free within {self._timeout:.0f} s",
                hint="nothing is lost; try again",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _make_lock(self, name: str, timeout: float) -> FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / f"{name}.lock", timeout, poll_interval=0.005)

    def _has_messages(self) -> bool:
        return self._folder.exists() and self._lake.has(ALERT_DELIVERIES)

    def _read_messages_about(self, alert: Alert, unwritten: Iterable[Message]) -> list[Message]:
        """Read the stored messages about an alert, and append those not yet written."""
        stored = self._read_messages("alert_id = ? ORDER BY created_at", [alert.id])
        return stored + [message for message in unwritten if message.alert_id == alert.id]

    def _select_new(self, messages: Mapping[str, Message]) -> list[Message]:
        """Select the messages that are not stored: a stored one may be delivered by now."""
        stored = self._read_messages("list_contains(?, id)", [list(messages)]) if messages else []
        stored_ids = {message.id for message in stored}
        return [message for id_, message in messages.items() if id_ not in stored_ids]

    def _read_alerts(self, condition: str, values: Sequence[Any] = ()) -> list[Alert]:
        return self._read(ALERTS, Alert, condition, values)

    def _read_messages(self, condition: str, values: Sequence[Any] = ()) -> list[Message]:
        return self._read(ALERT_DELIVERIES, Message, condition, values)

    def _read(
        self, table: Table, record: type[Record], condition: str, values: Sequence[Any]
    ) -> list[Record]:
        # Asking a lake for its tables creates the lake if it does not exist.
        if not self._folder.exists() or not self._lake.has(table):
            return []
        rows = self._lake.arrow(f"SELECT * FROM {table.quoted} WHERE {condition}", list(values))
        # A table written by an older version lacks the newest columns until it is written again.
        names = {field.name for field in fields(record)} & set(rows.column_names)
        return [record(**{name: _to_utc(row[name]) for name in names}) for row in rows.to_pylist()]

    def _write(self, table: Table, records: Sequence[Alert] | Sequence[Message]) -> None:
        if records:
            rows = [
                {name: _drop_zone(value) for name, value in asdict(record).items()}
                for record in records
            ]
            data = {column.name: [row[column.name] for row in rows] for column in table.columns}
            self._lake.replace_matching(table, "id", data)


def _to_utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _drop_zone(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
