"""A lake of a few days with the tables that the prediction API reads, written directly.

There are a champion and a challenger with a share, an infinite and a missing number, alerts and
drift: what a small loaded market does not have.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.forecast_tables import INTERVALS, SUBMISSIONS
from quant_assets.lake.schemas.monitoring_tables import DRIFT, REGIMES
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.schemas.promotion_tables import (
    DECISIONS,
    RELEASE_FORECASTS,
    RELEASES,
    SUBMITTED_FORECASTS,
)
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days

DAYS: list[date] = trading_days(date(2023, 11, 27), date(2023, 12, 8)).tolist()
FURTHER_DAY = date(2023, 12, 11)
TARGETS = ("spread_b", "spread_a", "spread_10", "spread_9")
CHAMPION, CHALLENGER = "2023-10-02-aaaaaa", "2023-11-01-bbbbbb"
SHARE = 0.3
STORED_AT = datetime.fromisoformat("2023-12-08T17:02:11.120441")


def settings_of(folder: Path) -> Settings:
    """Return the settings with which a server answers from the lake in a folder."""
    return Settings(data_dir=folder)


def fill(lake: Lake, days: Sequence[date] = DAYS) -> None:
    """Write all tables; the values depend on day and target only."""
    lake.replace_all(
        RAW_TARGET_PAIRS,
        {
            "target": list(TARGETS),
            "position": list(range(len(TARGETS))),
            "lag": [1] * len(TARGETS),
            "leg_a": ["XA"] * len(TARGETS),
            "leg_b": [None] * len(TARGETS),
        },
    )
    add_forecasts(lake, days)
    lake.replace_all(ALERTS, _rows(ALERTS, [_alert(i) for i in range(7)]))
    drifted = [_drift(day, name) for day in days for name in ("momentum", "volume")]
    lake.replace_days(DRIFT, days[0], days[-1], _rows(DRIFT, drifted))
    regimes = [
        {"trading_day": day, "date_id": i, "turbulence": 0.9, "correlation": float("nan")}
        for i, day in enumerate(days)
    ]
    lake.replace_days(REGIMES, days[0], days[-1], _rows(REGIMES, regimes))
    lake.replace_all(RELEASES, _rows(RELEASES, [_release(CHAMPION, 1), _release(CHALLENGER, 2)]))
    decisions = [
        _decision("champion_by_default", CHAMPION, 101, "champion", 1.0),
        _decision("challenge", CHALLENGER, 102, "30 %", SHARE),
    ]
    lake.replace_all(DECISIONS, _rows(DECISIONS, decisions))


def add_forecasts(lake: Lake, days: Sequence[date]) -> None:
    """Write submitted forecasts, those of the two releases, intervals and submissions of days."""
    each = [(day, place, target) for day in days for place, target in enumerate(TARGETS)]
    origin = {"origin": "live", "stored_at": STORED_AT}
    share = {"champion": CHAMPION, "challenger": CHALLENGER, "share": SHARE}
    submitted = [
        {**_cell(day, target), "value": _value(day, place), "fit_as_of": days[0], **share, **origin}
        for day, place, target in each
    ]
    of_releases = [
        {**_cell(day, target), "release": release, "value": _value(day, place) + shift}
        for release, shift in ((CHAMPION, 10.0), (CHALLENGER, 20.0))
        for day, place, target in each
    ]
    bounds = dict.fromkeys(("lower_80", "upper_80", "lower_95", "upper_95"), 0.25)
    # The last target has no interval yet, and one bound of the first is infinite.
    intervals = [
        {**_cell(day, target), **bounds, "upper_95": np.inf if place == 0 else 0.5, **origin}
        for day, place, target in each
        if place < len(TARGETS) - 1
    ]
    ends = days[0], days[-1]
    lake.replace_days(SUBMITTED_FORECASTS, *ends, _rows(SUBMITTED_FORECASTS, submitted))
    lake.replace_days(RELEASE_FORECASTS, *ends, _rows(RELEASE_FORECASTS, of_releases))
    lake.replace_days(INTERVALS, *ends, _rows(INTERVALS, intervals))
    lake.replace_days(SUBMISSIONS, *ends, _rows(SUBMISSIONS, submitted))


def _value(day: date, place: int) -> float:
    return day.day + place / 10


def _cell(day: date, target: str) -> dict[str, Any]:
    return {"trading_day": day, "date_id": day.toordinal(), "target": target}


def _alert(number: int) -> dict[str, Any]:
    opened = datetime.fromisoformat("2023-12-01") + timedelta(hours=number // 2)
    return {
        "id": f"alert-{number}",
        "key": f"condition/{number % 2}",
        "level": ("critical", "warning", "info")[number % 3],
        "subject": "a condition",
        "text": 'says "this", and more',
        "opened_at": opened,
        "last_seen_at": opened,
        "count": 1,
        "closed_at": opened if number % 2 else None,
    }


def _drift(day: date, name: str) -> dict[str, Any]:
    values = {"psi": 0.3, "psi_limit": 0.25, "ks": None, "drifted": name == "volume"}
    return {"trading_day": day, "level": "market", "name": name, **values}


def _release(name: str, place: int) -> dict[str, Any]:
    day = date.fromisoformat(name[:10])
    fit = {"family": "ridge", "fit_as_of": day, "fingerprint": "f", "artifact": "a", "sha256": "s"}
    others = {"pinned": True, "weight": 1.0, "recipe": "r", "registered_after": day}
    return {"release": name, "trading_day": day, "place": place, **fit, **others}


def _decision(action: str, release: str, sequence: int, stage: str, share: float) -> dict[str, Any]:
    return {
        "decision": f"{sequence}",
        "trading_day": DAYS[0],
        "sequence": sequence,
        "action": action,
        "release": release,
        "champion": CHAMPION,
        "stage_before": "none",
        "stage_after": stage,
        "share_before": 0.0,
        "share_after": share,
        "numbers": "{}",
        "reason": "a reason",
        "made_by": "rules",
        "stored_at": STORED_AT,
    }


def _rows(table: Table, rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Convert rows to columns; a column that a row leaves out is NULL."""
    return {column.name: [row.get(column.name) for row in rows] for column in table.columns}
