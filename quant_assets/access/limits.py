"""How many requests a key may make in a minute. What a refusal looks like belongs to the API.

All requests are counted on the event loop of one server, so no lock is needed.
"""

import math
import threading
import time
from collections.abc import Mapping

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from quant_assets.access.keys import Role
from quant_assets.core.errors import TooManyRequestsError
from quant_assets.core.settings import Settings


class _Moments(MemoryStorage):
    """The moments of requests by key, in memory.

    The library frees memory in a thread that it starts up to 100 times a second, and each start
    lets a request wait. Here the moments of a key are freed when the key is used next.
    """

    def __init__(self) -> None:
        super().__init__()
        self.timer.join()
        # It starts a thread unless this one lives.
        self.timer = threading.main_thread()  # type: ignore[assignment]

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a request, unless the limit is reached."""
        events = self.events.get(key, [])
        while events and events[-1].expiry < time.time():
            events.pop()
        return super().acquire_entry(key, limit, expiry, amount)


class RequestLimits:
    """Counts the requests of each key in the memory of one server.

    Args:
        per_minute: requests of any 60 seconds by the role that they need.
    """

    def __init__(self, per_minute: Mapping[Role, int]) -> None:
        self._items = {role: RateLimitItemPerMinute(count) for role, count in per_minute.items()}
        self._window = MovingWindowRateLimiter(_Moments())

    def spend(self, key_id: str, role: Role) -> None:
        """Count a request of a key.

        Args:
            key_id: id of the key.
            role: the role that the request needs; each role has a count of its own.

        Raises:
            TooManyRequestsError: the key has made as many requests as it may in a minute. The
                refused request does not count.
        """
        item = self._items[role]
        if self._window.hit(item, key_id, role):
            return
        freed_at = self._window.get_window_stats(item, key_id, role).reset_time
        error = TooManyRequestsError(
            "too many requests with this key",
            expected=f"at most {item.amount} requests a minute that need the role {role}",
            hint="wait as long as the header Retry-After says",
        )
        error.retry_after = max(1, math.ceil(freed_at - time.time()))
        raise error


def limits_of_settings(settings: Settings) -> dict[Role, int]:
    """Requests of a key in a minute, by the role that they need."""
    return {
        "read": settings.api_reads_per_minute,
        "predict": settings.api_predictions_per_minute,
        "operate": settings.api_operations_per_minute,
    }
