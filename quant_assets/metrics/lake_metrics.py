"""What the lake says of itself, as metrics: rows, freshness, scores, drift, alerts, submissions.

What Dagster knows of runs is in ``orchestration.execution.run_metrics``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pandas as pd

from quant_assets.alerts.alert_lifecycle import LEVELS
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.schemas.tables import SUBMISSIONS, all_tables
from quant_assets.lake.store.contents import read_contents
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import newest_trading_day, trading_days
from quant_assets.metrics.prometheus import Metric
from quant_assets.monitoring.drift.drift import share_drifted
from quant_assets.scoring.recent_scores import WINDOWS, read_recent_ic, score_over

_PUBLISHED_LAST = f"WHERE trading_day = (SELECT max(trading_day) FROM {SUBMITTED_FORECASTS.quoted})"
_NEWEST = "QUALIFY rank() OVER (ORDER BY trading_day DESC) = 1"


def collect_lake_metrics(lake: Lake, families: Sequence[str], today: date) -> list[Metric]:
    """Every metric of the lake, from one snapshot of it.

    Args:
        lake: the lake.
        families: model families with forecasts.
        today: against which freshness is counted.
    """

    def collect() -> list[Metric]:
        return [
            *_tables(lake, families, today),
            *_scores(lake, families, today),
            *_watched(lake),
            *_alerts(lake),
            *_promotion(lake),
        ]

    return lake.once_a_snapshot("metrics", collect, tuple(families), today)


def _tables(lake: Lake, families: Sequence[str], today: date) -> Iterator[Metric]:
    tables = [one for one in all_tables(tuple(families)) if lake.has(one)]
    if not tables:
        return
    found = read_contents(lake, tables)
    rows = {table.name: float(one.rows) for table, one in found.items()}
    newest = {table.name: one.newest for table, one in found.items() if one.newest}
    yield _labelled("table_rows", "Rows of a table.", "table", rows)
    yield _labelled(
        "table_newest_day_timestamp_seconds",
        "Midnight UTC of the newest trading day that a table has.",
        "table",
        {name: _midnight(day) for name, day in newest.items()},
    )
    yield _labelled(
        "table_behind_trading_days",
        "Trading days since the newest day that a table has; 0 if that is today.",
        "table",
        {name: _behind(day, today) for name, day in newest.items()},
    )
    submitted = rows.get(SUBMISSIONS.name, 0.0)
    yield _single("submissions_stored", "Days with a stored submission.", submitted)


def _scores(lake: Lake, families: Sequence[str], today: date) -> Iterator[Metric]:
    ic = read_recent_ic(lake, families, today)
    if ic.empty:
        return
    yield Metric(
        "score",
        "Mean over deviation of the daily IC of the newest days judged.",
        ("family", "window"),
        tuple(
            ((str(name), str(window)), score_over(ic[name], window))
            for name in ic.columns
            for window in WINDOWS
        ),
    )
    newest = {str(name): float(value) for name, value in ic.iloc[-1].items()}
    yield _labelled("daily_ic", "Daily IC of the newest day judged.", "family", newest)


def _watched(lake: Lake) -> Iterator[Metric]:
    if lake.has(DRIFT):
        share = share_drifted(lake.query(f"FROM {DRIFT.quoted} {_NEWEST}"))
        if len(share):
            text = "Share of the features that have drifted on the newest day compared."
            yield _single("drifted_ratio", text, float(share.iloc[-1]))
    if lake.has(DATA_QUALITY):
        broken = lake.query(
            f"SELECT market, count(*) FILTER (NOT within) AS n FROM {DATA_QUALITY.quoted}"
            " WHERE series IS NULL AND trading_day ="
            f" (SELECT max(trading_day) FROM {DATA_QUALITY.quoted}) GROUP BY ALL ORDER BY ALL"
        )
        text = "Limits of data quality that a market breaks on the newest day judged."
        values = dict(zip(broken["market"], broken["n"].astype(float), strict=True))
        yield _labelled("data_limits_broken", text, "market", values)


def _alerts(lake: Lake) -> Iterator[Metric]:
    found = pd.DataFrame({"level": [], "opened": [], "still": []})
    if lake.has(ALERTS):
        found = lake.query(
            "SELECT level, count(*) AS opened, count(*) FILTER (closed_at IS NULL) AS still"
            f" FROM {ALERTS.quoted} GROUP BY ALL"
        )
    of = found.set_index("level").reindex(LEVELS).fillna(0.0)
    yield _labelled("open_alerts", "Alerts that are open.", "level", of["still"].to_dict())
    opened = float(of["opened"].sum())
    yield Metric("alerts", "Alerts that were opened.", (), (((), opened),), "counter")


def _promotion(lake: Lake) -> Iterator[Metric]:
    if not lake.has(SUBMITTED_FORECASTS):
        return
    found = lake.query(
        f"SELECT max(share) AS share FROM {SUBMITTED_FORECASTS.quoted} {_PUBLISHED_LAST}"
    )
    text = "Share of the challenger in the newest published forecast."
    yield _single("challenger_share_ratio", text, float(found["share"].fillna(0.0).iloc[0]))


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


def _behind(day: date, today: date) -> float:
    between = trading_days(day, newest_trading_day(today))
    return float(max(len(between) - 1, 0))


def _labelled(name: str, text: str, label: str, values: Mapping[Any, float]) -> Metric:
    samples = tuple(((str(key),), float(value)) for key, value in values.items())
    return Metric(name, text, (label,), samples)


def _single(name: str, text: str, value: float) -> Metric:
    return Metric(name, text, (), (((), value),))
