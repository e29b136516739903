"""Twelve features written plainly in pandas, polars and DuckDB SQL, over long tables.

Each version is written as by a user who knows the library: whole columns, windows by group, a join
for each leg, no row-wise Python. ``benchmarks.features`` times and compares them.
"""

import math
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl

INSTRUMENT_COLUMNS = (
    *("ret_20", "vol_20", "momentum_250_20", "parkinson_20"),
    *("rsi_14", "bollinger_20", "volume_z_20"),
)
TARGET_COLUMNS = ("diff_ret_20", "sum_vol_20", "spread_z_60", "spread_volatility", "label_mean_250")
_LEG_COLUMNS = ["log_close", "r", "ret_20", "vol_20"]
_RANGE = 4 * math.log(2)


@dataclass(frozen=True)
class Tables:
    """Long tables, sorted by unit and day; instruments and targets are numbered.

    Attributes:
        prices: instrument, day, close, high, low, volume.
        pairs: target, lag, a, b (b empty for a single leg).
        released: target, day, value: labels by the day on which they become known.
    """

    prices: Any
    pairs: Any
    released: Any


def with_pandas(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute instrument and target features with ``groupby().rolling()``."""

    def roll(frame: pd.DataFrame, unit: str, column: str, window: int, how: str) -> Any:
        groups = frame.groupby(unit, sort=False)[column]
        rolling = groups.rolling(window, min_periods=(window + 1) // 2)
        values = rolling.std(ddof=0) if how == "std" else getattr(rolling, how)()
        return values.to_numpy()

    def z(frame: pd.DataFrame, unit: str, column: str, window: int) -> Any:
        std = roll(frame, unit, column, window, "std")
        return (frame[column] - roll(frame, unit, column, window, "mean")) / std

    p = tables.prices.assign(log_close=np.log(tables.prices["close"]))
    by_instrument = p.groupby("instrument", sort=False)
    raw = by_instrument["log_close"].diff()
    p["squared"] = raw**2
    p["limit"] = 8 * np.sqrt(roll(p, "instrument", "squared", 60, "mean"))
    limit = by_instrument["limit"].shift()
    limit = limit.where(limit > 0)
    p["r"] = raw.clip(-limit, limit)
    p["squared"] = p["r"] ** 2
    p["gain"], p["move"] = p["r"].clip(lower=0), p["r"].abs()
    p["range_squared"] = np.log(p["high"] / p["low"]) ** 2
    p["log_volume"] = np.log(p["volume"].where(p["volume"] > 0))
    p["ret_20"] = roll(p, "instrument", "r", 20, "sum")
    p["vol_20"] = np.sqrt(roll(p, "instrument", "squared", 20, "mean"))
    p["momentum_250_20"] = roll(p, "instrument", "r", 250, "sum") - p["ret_20"]
    p["parkinson_20"] = np.sqrt(roll(p, "instrument", "range_squared", 20, "mean") / _RANGE)
    moves = roll(p, "instrument", "move", 14, "sum")
    p["rsi_14"] = roll(p, "instrument", "gain", 14, "sum") / moves - 0.5
    p["bollinger_20"] = z(p, "instrument", "log_close", 20)
    p["volume_z_20"] = z(p, "instrument", "log_volume", 20)

    leg = p[["instrument", "day", *_LEG_COLUMNS]]
    t = tables.pairs.merge(leg, left_on="a", right_on="instrument", how="left")
    other = leg.rename(columns={name: f"{name}_b" for name in _LEG_COLUMNS})
    t = t.merge(other, left_on=["b", "day"], right_on=["instrument", "day"], how="left")
    t.loc[t["b"].isna(), [f"{name}_b" for name in _LEG_COLUMNS]] = 0.0
    t["diff_ret_20"] = t["ret_20"] - t["ret_20_b"]
    t["sum_vol_20"] = t["vol_20"] + t["vol_20_b"]
    t["spread"] = t["log_close"] - t["log_close_b"]
    t["spread_z_60"] = z(t, "target", "spread", 60)
    t["squared"] = (t["r"] - t["r_b"]) ** 2
    t["spread_volatility"] = np.sqrt(roll(t, "target", "squared", 60, "mean") * t["lag"])
    label = tables.released[["target", "day"]].copy()
    label["label_mean_250"] = roll(tables.released, "target", "value", 250, "mean") / roll(
        tables.released, "target", "value", 250, "std"
    )
    t = t.merge(label, on=["target", "day"])
    return p[["instrument", "day", *INSTRUMENT_COLUMNS]], t[["target", "day", *TARGET_COLUMNS]]


def with_polars(tables: Tables) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compute instrument and target features with lazy expressions and ``over``."""

    def mean(values: pl.Expr, window: int) -> pl.Expr:
        return values.rolling_mean(window, min_samples=(window + 1) // 2)

    def total(values: pl.Expr, window: int) -> pl.Expr:
        return values.rolling_sum(window, min_samples=(window + 1) // 2)

    def std(values: pl.Expr, window: int) -> pl.Expr:
        return values.rolling_std(window, min_samples=(window + 1) // 2, ddof=0)

    def z(values: pl.Expr, window: int) -> pl.Expr:
        return (values - mean(values, window)) / std(values, window)

    r, raw, log_close = pl.col("r"), pl.col("raw"), pl.col("log_close")
    volume = pl.when(pl.col("volume") > 0).then(pl.col("volume").log())
    limit = (8 * mean(raw**2, 60).sqrt()).shift().over("instrument")
    total_20 = total(r, 20)
    own = {
        "ret_20": total_20,
        "vol_20": mean(r**2, 20).sqrt(),
        "momentum_250_20": total(r, 250) - total_20,
        "parkinson_20": (mean((pl.col("high") / pl.col("low")).log() ** 2, 20) / _RANGE).sqrt(),
        "rsi_14": total(r.clip(0), 14) / total(r.abs(), 14) - 0.5,
        "bollinger_20": z(log_close, 20),
        "volume_z_20": z(volume, 20),
    }
    p = (
        tables.prices.lazy()
        .with_columns(log_close=pl.col("close").log())
        .with_columns(raw=log_close.diff().over("instrument"))
        .with_columns(limit=pl.when(limit > 0).then(limit).otherwise(np.inf).fill_null(np.inf))
        .with_columns(r=raw.clip(-pl.col("limit"), pl.col("limit")))
        .with_columns(values.over("instrument").alias(name) for name, values in own.items())
    )
    leg = p.select("instrument", "day", *_LEG_COLUMNS)
    other = leg.rename({name: f"{name}_b" for name in _LEG_COLUMNS})

    def second(name: str) -> pl.Expr:
        return pl.when(pl.col("b").is_null()).then(0.0).otherwise(pl.col(f"{name}_b"))

    square = (r - second("r")) ** 2
    label = pl.col("value")
    of_target = {
        "spread_z_60": z(log_close - second("log_close"), 60),
        "spread_volatility": (mean(square, 60) * pl.col("lag")).sqrt(),
        "label_mean_250": mean(label, 250) / std(label, 250),
    }
    t = (
        tables.pairs.lazy()
        .join(leg, left_on="a", right_on="instrument")
        .join(other, left_on=["b", "day"], right_on=["instrument", "day"], how="left")
        .join(tables.released.lazy(), on=["target", "day"], how="left")
        .sort("target", "day")
        .with_columns(
            *(values.over("target").alias(name) for name, values in of_target.items()),
            diff_ret_20=pl.col("ret_20") - second("ret_20"),
            sum_vol_20=pl.col("vol_20") + second("vol_20"),
        )
    )
    both = (
        p.select("instrument", "day", *INSTRUMENT_COLUMNS),
        t.select("target", "day", *TARGET_COLUMNS),
    )
    instruments, targets = pl.collect_all(both)
    return instruments, targets


def with_duckdb(connection: duckdb.DuckDBPyConnection) -> tuple[Any, Any]:
    """Compute instrument and target features with window functions, over loaded tables."""

    def over(aggregate: str, values: str, window: int, unit: str = "instrument") -> str:
        frame = f"(PARTITION BY {unit} ORDER BY day ROWS {window - 1} PRECEDING)"
        enough = f"count({values}) OVER {frame} >= {(window + 1) // 2}"
        return f"CASE WHEN {enough} THEN {aggregate}({values}) OVER {frame} END"

    def z(values: str, window: int, unit: str = "instrument") -> str:
        mean, std = over("avg", values, window, unit), over("stddev_pop", values, window, unit)
        return f"({values} - {mean}) / nullif({std}, 0)"

    label = f"{over('avg', 'value', 250, 'target')} / "
    label += f"nullif({over('stddev_pop', 'value', 250, 'target')}, 0)"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE legs AS
        WITH logs AS (
            SELECT *, ln(close) AS log_close, ln(high / low) ** 2 AS range_squared,
                ln(CASE WHEN volume > 0 THEN volume END) AS log_volume,
                log_close - lag(log_close) OVER (PARTITION BY instrument ORDER BY day) AS raw
            FROM prices),
        bounds AS (SELECT *, 8 * sqrt({over("avg", "(raw * raw)", 60)}) AS bound FROM logs),
        limits AS (
            SELECT *, coalesce(nullif(lag(bound) OVER (PARTITION BY instrument ORDER BY day), 0),
                'Infinity'::DOUBLE) AS cap
            FROM bounds),
        returns AS (
            SELECT *, CASE WHEN raw > cap THEN cap WHEN raw < -cap THEN -cap ELSE raw END AS r
            FROM limits)
        SELECT instrument, day, log_close, r,
            {over("sum", "r", 20)} AS ret_20,
            sqrt({over("avg", "(r * r)", 20)}) AS vol_20,
            {over("sum", "r", 250)} - ret_20 AS momentum_250_20,
            sqrt({over("avg", "range_squared", 20)} / {_RANGE}) AS parkinson_20,
            {over("sum", "greatest(r, r * 0)", 14)}
                / nullif({over("sum", "abs(r)", 14)}, 0) - 0.5 AS rsi_14,
            {z("log_close", 20)} AS bollinger_20,
            {z("log_volume", 20)} AS volume_z_20
        FROM returns""")
    instruments = connection.sql(
        f"SELECT instrument, day, {', '.join(INSTRUMENT_COLUMNS)} FROM legs"
    ).to_arrow_table()
    targets = connection.sql(f"""
        WITH joined AS (
            SELECT target, lag, released.day, value,
                a.ret_20 - CASE WHEN b IS NULL THEN 0 ELSE second.ret_20 END AS diff_ret_20,
                a.vol_20 + CASE WHEN b IS NULL THEN 0 ELSE second.vol_20 END AS sum_vol_20,
                a.log_close - CASE WHEN b IS NULL THEN 0 ELSE second.log_close END AS spread,
                a.r - CASE WHEN b IS NULL THEN 0 ELSE second.r END AS move
            FROM pairs JOIN released USING (target)
            JOIN legs AS a ON a.instrument = pairs.a AND a.day = released.day
            LEFT JOIN legs AS second
                ON second.instrument = pairs.b AND second.day = released.day)
        SELECT target, day, diff_ret_20, sum_vol_20,
            {z("spread", 60, "target")} AS spread_z_60,
            sqrt({over("avg", "(move * move)", 60, "target")} * lag) AS spread_volatility,
            {label} AS label_mean_250
        FROM joined""").to_arrow_table()
    return instruments, targets
