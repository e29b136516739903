"""When a vendor is asked again: the waiting clock, limits, retries, the header ``Retry-After``."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, wait_exponential_jitter

from quant_assets.core.clock import Clock
from quant_assets.core.errors import SourceError


class WaitingClock(Clock):
    """The machine's clock, which can also wait. A test gives one that does not."""

    def monotonic(self) -> float:
        """Return seconds since some moment, which setting the clock does not change."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Limits:
    """How long a source waits for a vendor, and how much it takes.

    Attributes:
        connect_s: seconds until a connection is there.
        read_s: seconds between two parts of an answer.
        whole_s: seconds for a whole answer.
        attempts: attempts of one request.
        longest_pause_s: the longest pause between two attempts; ``Retry-After`` is cut to it.
        interval_s: least seconds between the beginnings of two requests.
        most_bytes: the largest body, decompressed.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    whole_s: float = 120.0
    attempts: int = 4
    longest_pause_s: float = 60.0
    interval_s: float = 0.0
    most_bytes: int = 64 * 1024 * 1024


class NoAnswerError(SourceError):
    """A vendor did not answer a request in any attempt: it need not be asked more for now."""


class PassingError(SourceError):
    """A request failed in a way that passes: another attempt may succeed.

    Args:
        where: the URL, without credentials.
        found: what happened.
        pause_s: seconds after which the vendor wants to be asked again; None if it did not say.
    """

    def __init__(self, where: str, found: str, pause_s: float | None = None) -> None:
        super().__init__("a vendor did not answer", where=where, found=found)
        self.pause_s = pause_s

    def final(self, attempts: int) -> NoAnswerError:
        """Build the error for a request whose attempts have all failed."""
        return NoAnswerError(
            "a vendor did not answer",
            where=self.where,
            expected="an answer with status 200",
            found=f"{self.found}, in the last of {attempts} attempts",
            hint="check the network and the vendor's status page; it is asked again later",
        )


def pause_before_next(limits: Limits, state: RetryCallState) -> float:
    """Compute the seconds until the next attempt: ``Retry-After``, else exponential with jitter.

    Args:
        limits: gives the longest pause.
        state: tenacity's state after the failed attempt.
    """
    failure = state.outcome.exception() if state.outcome else None
    if isinstance(failure, PassingError) and failure.pause_s is not None:
        return min(failure.pause_s, limits.longest_pause_s)
    exponential = wait_exponential_jitter(initial=1.0, max=limits.longest_pause_s, jitter=1.0)
    return exponential(state)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Parse the header ``Retry-After``: seconds or a date. None if it says neither.

    Args:
        value: the header; None if it is missing.
        now: the present moment, UTC.

    Examples:
        >>> parse_retry_after("Fri, 02 Jan 2026 10:00:30 GMT", datetime(2026, 1, 2, 10, tzinfo=UTC))
        30.0
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


class Pace:
    """Keeps a least interval between the requests of one source in one process.

    Args:
        interval_s: the interval in seconds.
        clock: the clock.
    """

    def __init__(self, interval_s: float, clock: WaitingClock) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._next = float("-inf")
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the next request may begin."""
        with self._lock:
            pause = self._next - self._clock.monotonic()
            if pause > 0:
                self._clock.sleep(pause)
            self._next = self._clock.monotonic() + self._interval_s
