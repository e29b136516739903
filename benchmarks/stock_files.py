"""Price files of markets with many stocks, and their descriptions, for benchmarks."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import yaml
from pyarrow.parquet import write_table

HORIZONS = (1, 5, 20)


@dataclass(frozen=True)
class Size:
    """The size of a market.

    Attributes:
        symbols: number of instruments; there are three times as many targets.
        days: number of trading days, of which the last comes after the load.
        first_fit_after: days before the first fit.
        refit_every: days from a fit to the next.
    """

    symbols: int
    days: int
    first_fit_after: int
    refit_every: int

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables of the commands."""
        return {
            "QUANT_FIRST_FIT_AFTER": str(self.first_fit_after),
            "QUANT_REFIT_EVERY": str(self.refit_every),
        }


def write_market(folder: Path) -> Path:
    """Write a description of the market whose prices lie in ``folder``; return its path.

    Args:
        folder: has a file ``prices/prices.parquet``.
    """
    prices = folder / "prices" / "prices.parquet"
    sql = f"SELECT DISTINCT symbol FROM '{prices}' ORDER BY 1"
    names = [name for (name,) in duckdb.sql(sql).fetchall()]
    first = duckdb.sql(f"SELECT min(date) FROM '{prices}'").fetchall()[0][0]
    description = {
        "name": "stocks",
        "source": {"files": {"folder": "prices"}},
        "instruments": {"fields": ["open", "high", "low", "close", "volume"], "list": names},
        "calendar": {"days": "data", "first_day": first},
        "targets": {"returns": {"horizons": list(HORIZONS)}},
        "submission": "long",
    }
    file = folder / "market.yaml"
    file.write_text(yaml.safe_dump(description, sort_keys=False))
    return file


def copy_liquid(source: Path, size: Size, destination: Path) -> None:
    """Copy the newest days of the symbols with the largest turnover that have prices throughout.

    Args:
        source: a Parquet file with the columns symbol, date, open, high, low, close and volume.
        size: number of symbols and days.
        destination: file to write.
    """
    duckdb.sql(
        f"""COPY (
            WITH recent AS (
                FROM '{source}' WHERE isodow(date) < 6 AND date IN (
                    SELECT DISTINCT date FROM '{source}' WHERE isodow(date) < 6
                    ORDER BY date DESC LIMIT {size.days})),
            liquid AS (
                SELECT symbol FROM recent GROUP BY symbol
                ORDER BY count(*) > 0.9 * {size.days} DESC, sum(close::DOUBLE * volume) DESC, symbol
                LIMIT {size.symbols})
            SELECT symbol, date, open, high, low, close, volume
            FROM recent WHERE symbol IN (FROM liquid) ORDER BY symbol, date
        ) TO '{destination}'"""
    )


def write_random(size: Size, destination: Path) -> None:
    """Write random walks as prices, on the weekdays from 2020 on.

    Args:
        size: number of symbols and days.
        destination: file to write.
    """
    rng = np.random.default_rng(0)
    days = np.busday_offset("2020-01-01", np.arange(size.days), roll="forward")
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (size.symbols, size.days)), axis=1)).ravel()
    columns = {
        "symbol": np.repeat([f"S{i:05d}" for i in range(size.symbols)], size.days),
        "date": np.tile(days, size.symbols),
        "open": close * 1.001,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": rng.integers(10**5, 10**6, len(close)),
    }
    write_table(pa.table(columns), destination)
