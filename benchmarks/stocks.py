"""Thousands of stocks: features beside polars, DuckDB SQL and qlib, the lake beside Parquet files.

``python -m benchmarks.stocks prices.parquet --symbols 250 1000`` measures the most liquid symbols
of a long price file. ``--qlib`` names a Python that has qlib; it needs no other package.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import plain_qlib
from benchmarks.features import Market, compare, read_market
from benchmarks.figures import Figure, in_fresh_process, seconds
from benchmarks.stock_files import Size, copy_liquid, write_market
from benchmarks.stock_lake import compare_stores
from quant_assets.core.settings import load_settings
from quant_assets.features.instruments import instrument_features
from quant_assets.sources.registry import open_source

LIBRARIES = ("polars", "duckdb")
REPEATS = 3
QLIB_FIELDS = ("open", "high", "low", "close", "volume")


def load(prices: Path, size: Size, folder: Path) -> Market:
    """Load the most liquid stocks of a price file, by a description of their market.

    Args:
        prices: a Parquet file of prices in long layout.
        size: number of symbols and days.
        folder: an empty folder.
    """
    (folder / "prices").mkdir()
    copy_liquid(prices, size, folder / "prices" / "prices.parquet")
    description = write_market(folder)
    settings = load_settings(source=str(description), data_dir=folder / "data")
    return read_market(open_source(settings))


def compare_qlib(market: Market, python: Path, folder: Path) -> Iterator[Figure]:
    """Measure seven features of instruments and qlib's Alpha158, all on one core.

    Args:
        market: the market.
        python: an interpreter that has qlib.
        folder: an empty folder.
    """
    panel = market.panel
    fields = {name: panel.field(name) for name in QLIB_FIELDS}
    fields["vwap"] = (fields["high"] + fields["low"] + fields["close"]) / 3
    # Names of symbols become names of files.
    names = [f"S{i:05d}" for i in range(len(panel.instruments))]
    plain_qlib.write_data(folder / "qlib", [str(day) for day in panel.days], names, fields)
    ours = instrument_features(panel)
    np.savez(folder / "expected.npz", **{name: ours[name] for name in plain_qlib.EXPRESSIONS})
    taken = seconds(lambda: instrument_features(panel))
    script = Path(plain_qlib.__file__).resolve()
    answer = subprocess.run(
        [python, script, folder], check=True, capture_output=True, text=True
    ).stdout
    theirs = json.loads(answer.splitlines()[-1])
    count, alpha = len(plain_qlib.EXPRESSIONS), int(theirs["Alpha158, features"])
    yield Figure(f"all {len(ours)} features of instruments, ours, one core", taken, "s")
    yield Figure(f"{count} of them, qlib, one core", theirs["features, seconds"], "s")
    yield Figure(f"{count} of them, whole process, qlib", theirs["features, memory"], "GB")
    share = theirs["smallest share that agrees"]
    yield Figure(f"values that agree to {plain_qlib.TOLERANCE:g}, qlib", share, at_least=0.99)
    yield Figure(f"Alpha158, {alpha} features, qlib, one core", theirs["Alpha158, seconds"], "s")
    yield Figure("Alpha158, whole process, qlib", theirs["Alpha158, memory"], "GB")
    ratio = theirs["Alpha158, seconds"] / alpha / (taken / len(ours))
    yield Figure("a feature of Alpha158 / one of ours", ratio, "x", at_least=3)


def measure(prices: Path, size: Size, qlib: Path | None) -> list[Figure]:
    """Measure the stocks of one size; qlib is left out without an interpreter that has it."""
    with tempfile.TemporaryDirectory() as folder:
        market = load(prices, size, Path(folder))
        figures = compare(market, LIBRARIES, REPEATS) + compare_stores(market, Path(folder))
        if qlib is not None:
            figures += compare_qlib(market, qlib, Path(folder))
    return figures


def main() -> None:
    """Measure markets of the sizes given on the command line, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stocks", description=__doc__)
    parser.add_argument("prices", type=Path, help="a Parquet file of prices in long layout")
    parser.add_argument("--symbols", type=int, nargs="+", default=[250])
    parser.add_argument("--days", type=int, default=974)
    parser.add_argument("--qlib", type=Path, help="a Python that has qlib")
    given = parser.parse_args()
    for symbols in given.symbols:
        size = Size(symbols, given.days, given.days // 2, given.days // 4)
        print(f"\n{symbols} symbols", flush=True)
        for figure in in_fresh_process(measure, given.prices.resolve(), size, given.qlib):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
