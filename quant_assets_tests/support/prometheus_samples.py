"""Metrics, read by the parser of Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, ...], float]


def samples(text: bytes) -> dict[str, Samples]:
    """Return the values of each metric by their labels."""
    metrics: dict[str, Samples] = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.documentation
        for sample in family.samples:
            metrics.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return metrics
