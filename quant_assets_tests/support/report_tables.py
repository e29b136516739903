"""A lake with a year of all tables that reports show, and a lake that differs after a day.

Values are drawn, since what is computed from what is other tests' concern; where a test needs a
certain value it writes it.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.alerts.alert_lifecycle import ConditionCleared, ConditionRaised, Level
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, forecasts_table
from quant_assets.lake.schemas.monitoring_tables import (
    DATA_QUALITY,
    DRIFT,
    GROUP_VOLATILITY,
    REGIMES,
)
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION, PERFORMANCE
from quant_assets.lake.schemas.table import Column, Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import MARKETS
from quant_assets.orchestration.assets.table_assets import to_columns

FAMILIES = ("rank_prior", "ridge")
FIRST, LAST = date(2022, 11, 1), date(2023, 12, 29)
DAYS = trading_days(FIRST, LAST)
# A Wednesday in the middle of a month.
DAY = date(2023, 11, 15)
NOBODY: dict[Level, list[str]] = {"critical": [], "warning": [], "info": []}
_TYPES = {"trading_day": "DATE", "window": "BIGINT", "sequence": "BIGINT", "date_id": "BIGINT"}
_NUMBERS = ("score", "expected", "limit", "shortfall", "share_before", "share_after", "share")


def table(name: str, *columns: str) -> Table:
    """A table as another part of the platform declares it."""
    kinds = {**_TYPES, **dict.fromkeys((*_NUMBERS, "value"), "DOUBLE")}
    declared = [Column(row, kinds.get(row, "VARCHAR"), "as there") for row in columns]
    return Table(name, "As another part writes it.", tuple(declared))


ROLLING = table(
    "monitoring.rolling",
    *("trading_day", "date_id", "family", "by", "part", "window", "score", "expected", "limit"),
    *("shortfall", "level"),
)
ANOMALIES = table(
    "monitoring.anomalies",
    *("trading_day", "date_id", "market", "series", "kind", "score", "limit", "severity", "text"),
)
DECISIONS = table(
    "promotion.decisions",
    *("decision", "trading_day", "sequence", "action", "release", "champion", "stage_before"),
    *("stage_after", "share_before", "share_after", "numbers", "reason", "made_by"),
)
PUBLISHED = table(
    "forecasts.published",
    *("trading_day", "date_id", "target", "value", "champion", "challenger", "share"),
)


def fill(folder: Path, altered_after: date | None = None) -> Lake:
    """Everything that is reported, from FIRST to LAST; other from ``altered_after`` on."""
    lake = Lake(folder)

    def drawn(make: Callable[[date, np.random.Generator], pd.DataFrame], last: int) -> pd.DataFrame:
        parts = []
        for day in DAYS[-last:].tolist():
            other = altered_after is not None and day > altered_after
            parts.append(make(day, np.random.default_rng([day.toordinal(), other])))
        return pd.concat(parts, ignore_index=True)

    judged = drawn(_performance, len(DAYS))
    if altered_after:
        judged.loc[judged["released_on"] > altered_after, "ic"] += 1.0
    write(lake, PERFORMANCE, judged)
    write(lake, RAW_PRICES, drawn(_prices, len(DAYS)))
    write(lake, SUBMISSIONS, drawn(_submission, len(DAYS)))
    for name in FAMILIES:
        write(lake, forecasts_table(name), drawn(_forecasts, len(DAYS)))
    write(lake, ATTRIBUTION, drawn(_attribution, 80))
    write(lake, DATA_QUALITY, drawn(_quality, len(DAYS)))
    write(lake, DRIFT, drawn(_drift, 80))
    write(lake, REGIMES, drawn(_regimes, len(DAYS)))
    write(lake, GROUP_VOLATILITY, drawn(_volatility, len(DAYS)))
    _alerts(lake, folder, altered_after)
    return lake


def add_others(lake: Lake, altered_after: date | None = None) -> None:
    """Write decisions, scores and monitoring of forecasts and markets, day by day."""
    random = np.random.default_rng(1)
    rows: dict[Table, list[pd.DataFrame]] = {t: [] for t in (ROLLING, ANOMALIES, DECISIONS)}
    submitted = []
    for i, day in enumerate(DAYS[-80:].tolist()):
        other = altered_after is not None and day > altered_after
        score = float(random.normal()) + other
        rows[ROLLING].append(rolling(day, score, "warning" if score < -1 else "ok"))
        rows[ANOMALIES].append(anomaly(day, score + 2, "warning" if other else "info"))
        rows[DECISIONS].append(decision(day, f"rel-{i}{'x' * other}"))
        submitted.append(_submitted(day, 0.25 + 0.5 * other))
    for kind, parts in rows.items():
        write(lake, kind, pd.concat(parts, ignore_index=True))
    write(lake, PUBLISHED, pd.concat(submitted, ignore_index=True))


def rolling(day: date, score: float, level: str | None) -> pd.DataFrame:
    """Return the newest scores of the submitted forecast, over all targets and by lag."""
    whole = {
        **_key(day),
        "family": "published",
        "by": "all",
        "part": "",
        "window": 20,
        "score": score,
        "expected": 0.5,
        "limit": 0.1,
        "shortfall": 0.0,
        "level": level,
    }
    return pd.DataFrame([whole, {**whole, "by": "lag", "part": "1", "score": -9.0}])


def anomaly(day: date, score: float, severity: str, text: str = "unlike others") -> pd.DataFrame:
    """A market's day, and a series of it."""
    of_market = {
        **_key(day),
        "market": "US",
        "series": None,
        "kind": "isolation_forest",
        "score": score,
        "limit": 1.0,
        "severity": severity,
        "text": text,
    }
    of_series = {**of_market, "series": "US_Stock_CVX", "severity": "warning"}
    return pd.DataFrame([of_market, of_series])


def decision(day: date, release: str, reason: str = "it is better") -> pd.DataFrame:
    """A challenger that gets a share."""
    stages = {"stage_before": "shadow", "stage_after": "25 %"}
    return pd.DataFrame(
        [
            {
                "decision": f"{day}/{release}",
                "trading_day": day,
                "sequence": 101,
                "action": "advance",
                "release": release,
                "champion": "rel-champion",
                **stages,
                "share_before": 0.0,
                "share_after": 0.25,
                "numbers": '{"days": 60, "p": 0.031}',
                "reason": reason,
                "made_by": "rules",
            }
        ]
    )


def _submitted(day: date, share: float) -> pd.DataFrame:
    names = {"champion": "rel-champion", "challenger": "rel-challenger", "share": share}
    return pd.DataFrame([{**_key(day), "target": "target_0", "value": 1.0, **names}])


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment of a day, UTC."""
    return datetime.combine(day, time(hour, minute), UTC)


def raised(key: str, level: Level, moment: datetime) -> ConditionRaised:
    """Return an observed condition."""
    return ConditionRaised(key, level, f"subject at {moment}", "text", moment.date(), moment)


def _key(day: date) -> dict[str, Any]:
    return {"trading_day": day, "date_id": int(np.searchsorted(DAYS, np.datetime64(day)))}


def write(lake: Lake, kind: Table, rows: pd.DataFrame) -> None:
    """Make the rows all that the table has of these days."""
    lake.replace_days(kind, FIRST, LAST + timedelta(days=30), to_columns(rows))


def _performance(day: date, random: np.random.Generator) -> pd.DataFrame:
    """Judged five trading days later."""
    later = trading_days(day, day + timedelta(days=20))[5].item()
    names = ["ensemble", *FAMILIES, "oracle"]
    ic = random.normal(0.02, 0.1, len(names))
    known = {"released_on": later, "origin": None}
    return pd.DataFrame({**_key(day), "family": names, "ic": ic, **known})


def _prices(day: date, random: np.random.Generator) -> pd.DataFrame:
    value = random.normal()
    names = {"instrument": "US_Stock_CVX", "field": "close", "source": "drawn", "unread": None}
    return pd.DataFrame([{**_key(day), **names, "value": value}])


def _submission(day: date, random: np.random.Generator) -> pd.DataFrame:
    values = random.normal(size=424)
    targets = [f"target_{i}" for i in range(len(values))]
    about = {"origin": "history", "stored_at": datetime.combine(day, time(22, 3))}
    return pd.DataFrame({**_key(day), "target": targets, "value": values, **about})


def _forecasts(day: date, random: np.random.Generator) -> pd.DataFrame:
    values = random.normal(size=3)
    fit = DAYS[60 * (int(np.searchsorted(DAYS, np.datetime64(day))) // 60)].item()
    targets = [f"target_{i}" for i in range(3)]
    return pd.DataFrame({**_key(day), "target": targets, "value": values, "fit_as_of": fit})


def _attribution(day: date, random: np.random.Generator) -> pd.DataFrame:
    share = float(random.uniform())
    rows = [
        ("ensemble", "ridge", share),
        ("ensemble", "rank_prior", 1 - share),
        *(("ridge", "spread", 1.1 - share), ("ridge", "factor", share - 0.1)),
        ("rank_prior", "prior", 1.0),
    ]
    family, inputs, shares = zip(*rows, strict=True)
    return pd.DataFrame({**_key(day), "family": family, "inputs": inputs, "share": shares})


def _quality(day: date, random: np.random.Generator) -> pd.DataFrame:
    rows = []
    for market in MARKETS:
        for figure, allowed in (("missing", 0.01), ("freshness", 5.0)):
            value = float(random.uniform(0, 1.02 * allowed))
            name = {"market": market, "series": None, "figure": figure}
            within = value <= allowed
            rows.append({**_key(day), **name, "value": value, "allowed": allowed, "within": within})
    return pd.DataFrame(rows)


def _drift(day: date, random: np.random.Generator) -> pd.DataFrame:
    drawn = random.uniform(0, 0.3, size=(12, 2))
    rows = [
        {
            **_key(day),
            "level": "target" if i else "forecast",
            "name": f"column_{i}",
            "psi": psi,
            "psi_limit": 0.25,
            "ks": ks,
            "ks_limit": 0.2,
            "missing_change": 0.0,
            "drifted": psi > 0.25,
            "reference_until": day if i else None,
        }
        for i, (psi, ks) in enumerate(drawn)
    ]
    known = {column.name for column in DRIFT.columns}
    return pd.DataFrame([{k: row.get(k) for k in known} for row in rows])


def _regimes(day: date, random: np.random.Generator) -> pd.DataFrame:
    names = [column.name for column in REGIMES.columns[2:-1]]
    values = dict(zip(names, random.uniform(size=len(names)), strict=True))
    return pd.DataFrame([{**_key(day), **values, "fit_as_of": FIRST}])


def _volatility(day: date, random: np.random.Generator) -> pd.DataFrame:
    values = random.uniform(size=len(MARKETS))
    return pd.DataFrame({**_key(day), "instrument_group": MARKETS, "volatility": values})


def _alerts(lake: Lake, folder: Path, altered_after: date | None) -> None:
    """Write an alert that ended, one that lasts, and one that is critical on the day after DAY."""
    book, next_day = AlertStore(lake, folder), DAY + timedelta(days=1)
    lasting, worse = "check_failed/monitoring/drift/within", "data_late"
    events: list[ConditionRaised | ConditionCleared] = [
        raised("run_failed/watch_daily", "warning", at(DAY, 8)),
        ConditionCleared("run_failed/watch_daily", "fine", at(DAY, 9)),
        raised(lasting, "warning", at(DAY, 21)),
        raised(worse, "warning", at(DAY, 23, 59)),
    ]
    if altered_after:
        events += [
            raised(worse, "critical", at(next_day, 0)),
            ConditionCleared(lasting, "over", at(next_day, 1)),
            raised("run_failed/refresh_daily", "critical", at(next_day, 2)),
        ]
    book.take_in(events, NOBODY)
