"""Requests of a key in any minute."""

import threading
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
import time_machine

from quant_assets.access.limits import RequestLimits, limits_of_settings
from quant_assets.core.errors import TooManyRequestsError
from quant_assets.core.settings import Settings

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_key_waits_until_its_oldest_request_is_a_minute_old() -> None:
    limits = RequestLimits({"read": 3, "predict": 1, "operate": 1})
    with time_machine.travel(BEGIN, tick=False) as clock:
        for _ in range(3):
            limits.spend("a", "read")
            clock.shift(timedelta(seconds=10))
        for _ in range(5):
            with pytest.raises(TooManyRequestsError, match="at most 3 requests") as refused:
                limits.spend("a", "read")
            assert refused.value.retry_after == 30
        clock.shift(timedelta(seconds=31))
        limits.spend("a", "read")
        with pytest.raises(TooManyRequestsError) as refused:
            limits.spend("a", "read")
        assert refused.value.retry_after == 9


def test_each_key_and_each_role_has_a_count_of_its_own() -> None:
    limits = RequestLimits({"read": 1, "predict": 1, "operate": 1})
    limits.spend("a", "read")
    limits.spend("a", "predict")
    limits.spend("b", "read")
    with pytest.raises(TooManyRequestsError):
        limits.spend("a", "read")
    with pytest.raises(TooManyRequestsError):
        limits.spend("b", "read")


def test_limits_are_settings() -> None:
    settings = Settings(api_reads_per_minute=3, api_predictions_per_minute=2)
    assert limits_of_settings(settings) == {"read": 3, "predict": 2, "operate": 30}


def test_counting_starts_no_thread_and_forgets_old_requests() -> None:
    """If it fails after an upgrade of ``limits``, see ``access.limits``: requests would wait."""
    limits = RequestLimits({"read": 10**6, "predict": 1, "operate": 1})
    with (
        time_machine.travel(BEGIN, tick=False) as clock,
        patch.object(threading.Thread, "start", side_effect=AssertionError),
    ):
        for _ in range(300):
            limits.spend("a", "read")
            clock.shift(timedelta(seconds=1))
    (moments,) = limits._window.storage.events.values()  # type: ignore[attr-defined]
    assert len(moments) <= 62
