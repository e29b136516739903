"""Measures of the server itself, for Prometheus: latency, errors, cache, models, age of data.

Metrics of the lake are in ``metrics``, and ``quant-assets metrics`` serves them.
"""

from collections.abc import Sequence
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quant_assets.metrics.prometheus import Metric, to_prometheus_text

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STREAM = b"text/event-stream; charset=utf-8"
_UNKNOWN = "unknown"
"""Route of requests whose path no route has."""


class Measures:
    """Counts and times the requests of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "quant_assets_api_request_seconds",
            "Seconds from a request to the end of its answer, by template of the route.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._requests = Counter(
            "quant_assets_api_requests",
            "Answered requests, by template of the route and class of the status.",
            ("route", "status"),
            registry=self._registry,
        )

    def record(self, route: str, status: int, seconds: float) -> None:
        """Record one request."""
        self._seconds.labels(route).observe(seconds)
        self._requests.labels(route, f"{status // 100}xx").inc()

    def to_text(self, others: Sequence[Metric]) -> bytes:
        """Write all measures, and metrics that were measured elsewhere, in Prometheus's format."""
        return generate_latest(self._registry) + to_prometheus_text(others)


class Measured:
    """Middleware that records every request.

    Args:
        app: the application.
        measures: where requests are recorded.
    """

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and record its status and its time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # An error that no handler answers becomes an answer outside of this middleware.
        status = 500
        start, end = perf_counter(), 0.0

        async def send_on(message: Message) -> None:
            nonlocal status, end
            if message["type"] == "http.response.start":
                status = message["status"]
                if (b"content-type", _STREAM) in message["headers"]:
                    # A stream is answered when it begins; it ends when the caller likes.
                    end = perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            route = getattr(scope.get("route"), "path", _UNKNOWN)
            self._measures.record(route, status, (end or perf_counter()) - start)
