"""What a metric is, and its text in Prometheus's format. What is measured belongs elsewhere.

``prometheus_client`` is imported when something is exposed, not before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Exposed

PREFIX = "quant_assets_"


@dataclass(frozen=True)
class Metric:
    """One metric with its samples.

    Attributes:
        name: without the prefix; a counter's without ``_total``.
        help: what it is.
        labels: names of the labels.
        samples: their values, and the number. A NaN is not exposed.
        kind: a counter only ever grows.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    samples: tuple[tuple[tuple[str, ...], float], ...]
    kind: Literal["gauge", "counter"] = "gauge"


Collect = Callable[[], Sequence[Metric]]


def build_registry(collect: Collect) -> "CollectorRegistry":
    """A registry that collects anew each time it is asked."""
    from prometheus_client import CollectorRegistry

    class Collector:
        def collect(self) -> "Iterator[Exposed]":
            return map(_exposed, collect())

        def describe(self) -> "list[Exposed]":
            """Nothing: a registry would otherwise collect once to learn the names."""
            return []

    made = CollectorRegistry()
    made.register(Collector())
    return made


def to_prometheus_text(metrics: Sequence[Metric]) -> bytes:
    """The metrics in Prometheus's text format, as a node exporter's textfile has them."""
    from prometheus_client import generate_latest

    return generate_latest(build_registry(lambda: metrics))


def _exposed(metric: Metric) -> "Exposed":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    made = family(PREFIX + metric.name, metric.help, labels=metric.labels)
    for labels, value in metric.samples:
        if value == value:  # noqa: PLR0124 - NaN is the one that differs from itself
            made.add_metric(labels, value)
    return made
