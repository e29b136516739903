"""The clock. Code that needs the time takes a clock, so that a simulation can set other days."""

from datetime import UTC, datetime


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return datetime.now(UTC)
