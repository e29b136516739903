"""A month of real stocks equals what DuckDB selects of the same file."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets_tests.support.described_folder import open_folder

STOCKS = Path(__file__).parents[4] / "shared" / "us-stocks-2014-2017"
FIELDS = ("open", "high", "low", "close", "volume")
pytestmark = pytest.mark.skipif(not STOCKS.exists(), reason=f"no {STOCKS}")


@pytest.fixture(scope="module")
def symbols() -> list[str]:
    with duckdb.connect() as connection:
        query = "SELECT DISTINCT symbol FROM read_parquet(?) ORDER BY hash(symbol) LIMIT 50"
        return [
            row[0] for row in connection.execute(query, [f"{STOCKS}/prices.parquet"]).fetchall()
        ]


def describe(symbols: list[str], calendar: str) -> str:
    quoted = ", ".join(f"'{symbol}'" for symbol in symbols)
    return (
        f"name: t\ninstruments: {{fields: [{', '.join(FIELDS)}], list: [{quoted}]}}\n"
        f"calendar: {{{calendar}}}\ntargets: {{returns: {{horizons: [1]}}}}\n"
    )


def test_a_month_of_fifty_stocks(symbols: list[str], tmp_path: Path) -> None:
    description = describe(symbols, "exchanges: [XNYS]")
    source = open_folder(tmp_path, description, f"{{folder: '{STOCKS}', other_days: skip}}")
    start, end = date(2017, 10, 1), date(2017, 10, 31)
    table = source.prices(start, end)
    assert table.values.shape == (22, 250)
    np.testing.assert_array_equal(table.date_ids, range(944, 966))
    query = (
        f"SELECT date, symbol, {', '.join(FIELDS)} FROM read_parquet(?) "
        "WHERE date BETWEEN ? AND ? AND list_contains(?, symbol)"
    )
    with duckdb.connect() as connection:
        values = [f"{STOCKS}/prices.parquet", start, end, symbols]
        rows = connection.execute(query, values).fetchall()
    expected = np.full(table.values.shape, np.nan)
    for day, symbol, *numbers in rows:
        row = int(np.flatnonzero(table.days == np.datetime64(day))[0])
        for field, number in zip(FIELDS, numbers, strict=True):
            expected[row, table.series.by_column[f"{symbol}_{field}"]] = number
    np.testing.assert_array_equal(table.values, expected)
    assert np.isfinite(expected).any()


def test_saturdays_are_refused_unless_the_data_say_the_days(tmp_path: Path) -> None:
    query = "SELECT DISTINCT symbol FROM read_parquet(?) WHERE dayofweek(date) = 6 ORDER BY 1"
    with duckdb.connect() as connection:
        rows = connection.execute(query, [f"{STOCKS}/prices.parquet"]).fetchall()
    symbols = sorted({"AAPL", *(row[0] for row in rows)})
    options = f"folder: '{STOCKS}'"
    with pytest.raises(SourceError, match=r"the first of 19 such days; XNYS is closed"):
        assert open_folder(tmp_path, describe(symbols, "exchanges: [XNYS]"), options).last_day
    source = open_folder(tmp_path, describe(symbols, "days: data"), options)
    assert (source.first_day, source.last_day) == (date(2014, 1, 2), date(2017, 11, 10))
    start, end = date(2014, 1, 1), date(2014, 1, 31)
    whole = source.prices(start, end)
    np.testing.assert_array_equal(whole.date_ids, range(len(whole.days)))
