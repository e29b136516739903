"""All metrics at once, for the endpoint and for the textfile, which a sensor writes.

What is measured is in ``metrics.of_lake`` and ``orchestration.execution.run_metrics``.
"""

from collections.abc import Callable
from datetime import date
from time import perf_counter

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.settings import Settings
from quant_assets.lake.store.artifacts import write_atomically
from quant_assets.lake.store.lake import Lake
from quant_assets.metrics.lake_metrics import collect_lake_metrics
from quant_assets.metrics.prometheus import Metric, to_prometheus_text
from quant_assets.models.registry import select_families
from quant_assets.orchestration.execution.run_metrics import collect_run_metrics
from quant_assets.orchestration.execution.runs import database_error

SECONDS = 300


def build(
    status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """The sensor that writes the textfile."""

    @dg.sensor(
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Write the metrics of lake and runs as a textfile for Prometheus's node "
        "exporter.",
    )
    def write_metrics(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        metrics = collect_all_metrics(context.instance, lake, settings, clock.now().date())
        write_atomically(settings.metrics_file, to_prometheus_text(metrics))
        return dg.SensorResult(
            skip_reason=f"{len(metrics)} metrics written to {settings.metrics_file}"
        )

    return write_metrics


def collect_all_metrics(
    instance: dg.DagsterInstance, lake: Lake, settings: Settings, today: date
) -> list[Metric]:
    """Metrics of the lake and of runs, and whether each part could be read.

    Args:
        instance: has recorded the runs.
        lake: the lake; one that is not there yet is not made.
        settings: which families, and where the lake would be.
        today: against which freshness is counted.
    """
    if not settings.lake_dir.exists():
        return _read({})
    families = select_families(settings.families)
    return _read(
        {
            "lake": lambda: collect_lake_metrics(lake, families, today),
            "runs": lambda: collect_run_metrics(instance, lake),
        }
    )


def _read(parts: dict[str, Callable[[], list[Metric]]]) -> list[Metric]:
    found: list[Metric] = []
    read: list[tuple[tuple[str, ...], float]] = []
    took: list[tuple[tuple[str, ...], float]] = []
    for name, collect in parts.items():
        begun = perf_counter()
        try:
            found += collect()
            read.append(((name,), 1.0))
        except (QuantAssetsError, database_error()):
            # An endpoint that answers nothing at all could not say what is wrong.
            read.append(((name,), 0.0))
        took.append(((name,), perf_counter() - begun))
    return [
        *found,
        Metric("collector_success", "1 if the part could be read.", ("part",), tuple(read)),
        Metric("collector_duration_seconds", "Time reading it took.", ("part",), tuple(took)),
    ]
