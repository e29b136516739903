"""Metrics of the lake: rows, freshness, scores, drift, alerts, submissions.

Metrics of Dagster's runs are in ``orchestration.execution.run_metrics``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pandas as pd

from quant_assets.alerts.alert_lifecycle import LEVELS
from quant_assets.lake.readers.days import read_days
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.declared import all_tables
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.store.contents import read_contents
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.metrics.prometheus import Metric
from quant_assets.monitoring.drift.drift import share_drifted
from quant_assets.scoring.recent_scores import WINDOWS, read_recent_ic, score_over

_NEWEST_SUBMITTED = (
    f"WHERE trading_day = (SELECT max(trading_day) FROM {SUBMITTED_FORECASTS.quoted})"
)
_NEWEST = "QUALIFY rank() OVER (ORDER BY trading_day DESC) = 1"


def collect_lake_metrics(
    lake: Lake, families: Sequence[str], calendar: MarketCalendar, today: date
) -> list[Metric]:
    """Collect every metric of the lake, from one snapshot of it.

    Args:
        lake: the lake.
        families: model families with forecasts.
        calendar: calendar of the market.
        today: the day up to which freshness is counted.
    """

    def collect() -> list[Metric]:
        return [
            *_table_metrics(lake, families, calendar, today),
            *_score_metrics(lake, families, today),
            *_monitoring_metrics(lake),
            *_alert_metrics(lake),
            *_promotion_metrics(lake),
        ]

    return lake.once_a_snapshot("metrics", collect, tuple(families), calendar, today)


def _table_metrics(
    lake: Lake, families: Sequence[str], calendar: MarketCalendar, today: date
) -> Iterator[Metric]:
    tables = [table for table in all_tables(tuple(families)) if lake.has(table)]
    if not tables:
        return
    contents = read_contents(lake, tables)
    rows = {table.name: float(content.rows) for table, content in contents.items()}
    newest = {table.name: content.newest for table, content in contents.items() if content.newest}
    yield _labelled_metric("table_rows", "Rows of a table.", "table", rows)
    yield _labelled_metric(
        "table_newest_day_timestamp_seconds",
        "Midnight UTC of the newest trading day that a table has.",
        "table",
        {name: _to_timestamp(day) for name, day in newest.items()},
    )
    yield _labelled_metric(
        "table_behind_trading_days",
        "Trading days since the newest day that a table has; 0 if that is today.",
        "table",
        {name: _count_days_behind(calendar, day, today) for name, day in newest.items()},
    )
    submitted = float(len(read_days(lake, SUBMISSIONS))) if lake.has(SUBMISSIONS) else 0.0
    yield _single_metric("submissions_stored", "Days with a stored submission.", submitted)


def _score_metrics(lake: Lake, families: Sequence[str], today: date) -> Iterator[Metric]:
    ic = read_recent_ic(lake, families, today)
    if ic.empty:
        return
    yield Metric(
        "score",
        "Mean over standard deviation of the daily IC of the newest judged days.",
        ("family", "window"),
        tuple(
            ((str(name), str(window)), score_over(ic[name], window))
            for name in ic.columns
            for window in WINDOWS
        ),
    )
    newest = {str(name): float(value) for name, value in ic.iloc[-1].items()}
    yield _labelled_metric("daily_ic", "Daily IC of the newest judged day.", "family", newest)


def _monitoring_metrics(lake: Lake) -> Iterator[Metric]:
    if lake.has(DRIFT):
        share = share_drifted(lake.query(f"FROM {DRIFT.quoted} {_NEWEST}"))
        if len(share):
            text = "Share of the features that have drifted on the newest compared day."
            yield _single_metric("drifted_ratio", text, float(share.iloc[-1]))
    if lake.has(DATA_QUALITY):
        broken = lake.query(
            f"SELECT market, count(*) FILTER (NOT within) AS n FROM {DATA_QUALITY.quoted}"
            " WHERE series IS NULL AND trading_day ="
            f" (SELECT max(trading_day) FROM {DATA_QUALITY.quoted}) GROUP BY ALL ORDER BY ALL"
        )
        text = "Limits of data quality that a market breaks on the newest checked day."
        values = dict(zip(broken["market"], broken["n"].astype(float), strict=True))
        yield _labelled_metric("data_limits_broken", text, "market", values)


def _alert_metrics(lake: Lake) -> Iterator[Metric]:
    counts = pd.DataFrame({"level": [], "opened": [], "open_now": []})
    if lake.has(ALERTS):
        counts = lake.query(
            "SELECT level, count(*) AS opened, count(*) FILTER (closed_at IS NULL) AS open_now"
            f" FROM {ALERTS.quoted} GROUP BY ALL"
        )
    by_level = counts.set_index("level").reindex(LEVELS).fillna(0.0)
    yield _labelled_metric(
        "open_alerts", "Alerts that are open.", "level", by_level["open_now"].to_dict()
    )
    opened = float(by_level["opened"].sum())
    yield Metric("alerts", "Alerts that were opened.", (), (((), opened),), "counter")


def _promotion_metrics(lake: Lake) -> Iterator[Metric]:
    if not lake.has(SUBMITTED_FORECASTS):
        return
    newest = lake.query(
        f"SELECT max(share) AS share FROM {SUBMITTED_FORECASTS.quoted} {_NEWEST_SUBMITTED}"
    )
    text = "Share of the challenger in the newest submitted forecast."
    yield _single_metric("challenger_share_ratio", text, float(newest["share"].fillna(0.0).iloc[0]))


def _to_timestamp(day: date) -> float:
    """Convert a day to the seconds of its midnight in UTC since 1970."""
    return datetime.combine(day, time(), UTC).timestamp()


def _count_days_behind(calendar: MarketCalendar, day: date, today: date) -> float:
    """Count the trading days after ``day``, up to ``today``."""
    between = calendar.trading_days(day, calendar.newest_trading_day(today))
    return float(max(len(between) - 1, 0))


def _labelled_metric(name: str, text: str, label: str, values: Mapping[Any, float]) -> Metric:
    """Make a metric with one label and a value for each of the label's values."""
    samples = tuple(((str(key),), float(value)) for key, value in values.items())
    return Metric(name, text, (label,), samples)


def _single_metric(name: str, text: str, value: float) -> Metric:
    """Make a metric without labels."""
    return Metric(name, text, (), (((), value),))
