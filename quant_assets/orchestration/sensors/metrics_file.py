"""Collects all metrics, for the HTTP endpoint and for the textfile that a sensor writes.

The metrics themselves belong in ``metrics.lake_metrics`` and
``orchestration.execution.run_metrics``.
"""

from collections.abc import Callable
from datetime import date
from time import perf_counter

import dagster as dg

from quant_assets.core.clock import Clock
from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.files import write_atomically
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.metrics.lake_metrics import collect_lake_metrics
from quant_assets.metrics.prometheus import Metric, to_prometheus_text
from quant_assets.models.registry import select_families
from quant_assets.orchestration.execution.run_metrics import collect_run_metrics
from quant_assets.orchestration.execution.runs import database_error

SECONDS = 300


def build(
    calendar: MarketCalendar,
    status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Build the sensor that writes the textfile.

    Args:
        calendar: calendar of the market.
        status: whether the sensor begins switched on.
    """

    @dg.sensor(
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description="Writes the metrics of the lake and of runs to a textfile, which Prometheus's "
        "node exporter reads.",
    )
    def write_metrics(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        metrics = collect_all_metrics(
            context.instance, lake, settings, calendar, clock.now().date()
        )
        write_atomically(settings.metrics_file, to_prometheus_text(metrics))
        return dg.SensorResult(
            skip_reason=f"{len(metrics)} metrics were written to {settings.metrics_file}"
        )

    return write_metrics


def collect_all_metrics(
    instance: dg.DagsterInstance,
    lake: Lake,
    settings: Settings,
    calendar: MarketCalendar,
    today: date,
) -> list[Metric]:
    """Collect the metrics of the lake and of runs, and whether each part could be read.

    Args:
        instance: Dagster's instance with the runs.
        lake: the lake; it is not created if it does not exist yet.
        settings: name the families and the lake's folder.
        calendar: calendar of the market.
        today: the day from which the age of data is counted.
    """
    if not settings.lake_dir.exists():
        return _collect_parts({})
    families = select_families(settings.families)
    return _collect_parts(
        {
            "lake": lambda: collect_lake_metrics(lake, families, calendar, today),
            "runs": lambda: collect_run_metrics(instance, lake),
        }
    )


def _collect_parts(parts: dict[str, Callable[[], list[Metric]]]) -> list[Metric]:
    metrics: list[Metric] = []
    successes: list[tuple[tuple[str, ...], float]] = []
    durations: list[tuple[tuple[str, ...], float]] = []
    for name, collect in parts.items():
        begun = perf_counter()
        try:
            metrics += collect()
            successes.append(((name,), 1.0))
        except (QuantAssetsError, database_error()):
            # The endpoint still answers, so that the failed part shows in its metric.
            successes.append(((name,), 0.0))
        durations.append(((name,), perf_counter() - begun))
    return [
        *metrics,
        Metric("collector_success", "1 if the part could be read.", ("part",), tuple(successes)),
        Metric(
            "collector_duration_seconds",
            "Time that reading the part took.",
            ("part",),
            tuple(durations),
        ),
    ]
