"""What time it is.

Who needs the time is given a clock, so that a desk can be driven through days long past.
"""

from datetime import UTC, datetime


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.now(UTC)
