"""The record of a metric, and its text in Prometheus's format. Measuring belongs elsewhere.

``prometheus_client`` is imported only when metrics are exposed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as PrometheusMetric

PREFIX = "quant_assets_"


@dataclass(frozen=True)
class Metric:
    """One metric with its samples.

    Attributes:
        name: without the prefix; the name of a counter also without ``_total``.
        help: what the metric measures.
        labels: names of the labels.
        samples: values of the labels, and the number; a NaN is not exposed.
        kind: gauge, or counter, which never falls.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    samples: tuple[tuple[tuple[str, ...], float], ...]
    kind: Literal["gauge", "counter"] = "gauge"


Collect = Callable[[], Sequence[Metric]]


def build_registry(collect: Collect) -> "CollectorRegistry":
    """Build a registry that collects the metrics anew for each request."""
    from prometheus_client import CollectorRegistry

    class Collector:
        def collect(self) -> "Iterator[PrometheusMetric]":
            return map(_to_prometheus, collect())

        def describe(self) -> "list[PrometheusMetric]":
            """Return nothing: otherwise a registry collects once to learn the names."""
            return []

    registry = CollectorRegistry()
    registry.register(Collector())
    return registry


def to_prometheus_text(metrics: Sequence[Metric]) -> bytes:
    """Write the metrics in Prometheus's text format, as a node exporter's text files have it."""
    from prometheus_client import generate_latest

    return generate_latest(build_registry(lambda: metrics))


def _to_prometheus(metric: Metric) -> "PrometheusMetric":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    exposed = family(PREFIX + metric.name, metric.help, labels=metric.labels)
    for labels, value in metric.samples:
        if value == value:  # noqa: PLR0124 - only NaN differs from itself
            exposed.add_metric(labels, value)
    return exposed
