"""Replays days of a loaded market through gRPC, and compares them with the assets' submissions.

    QUANT_DATA_DIR=... python -m benchmarks.kaggle_replay --days 134

The first pass sends the days in order. The second starts again at the first one, as the forecasting
phase of the competition does. Every stored submission must be equal to the last bit.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from quant_assets.commands.kaggle_server import run_server
from quant_assets.core.settings import load_settings, require_market
from quant_assets.kaggle.batches import LABEL_DAY, Served, read_served_days
from quant_assets.kaggle.frames import SCORED
from quant_assets.kaggle.gateway import Replay, replay_days
from quant_assets.kaggle.problems import DAY_COLUMN
from quant_assets.kaggle.transport import Client
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import delay_of
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.protocol import Source
from quant_assets.sources.registry import open_source

LIMIT = 2.0
"""Seconds of a call but the first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--output", type=Path, help="folder for the two submissions")
    options = parser.parse_args()
    with TemporaryDirectory() as work:
        run(options.days, options.output or Path(work))


def run(days: int, output: Path) -> None:
    """Replay days twice, and end the program with 1 if an answer differs or is late."""
    settings = load_settings()
    require_market(settings, loaded=True)
    folder, source = Path(settings.source), open_source(settings)
    served = build_days(folder, source, days)
    if (folder / "test.csv").exists():
        of_file = read_served_days(folder)
        served = of_file if len(of_file.date_ids) == days else served
    passes = []
    with run_server(folder) as server, Client(server.addresses, 60) as client:
        for number in (1, 2):
            file = output / f"submission_{number}.parquet"
            began = time.monotonic()
            passes.append(replay_days(served, client, file))
            print(
                f"pass {number}: {passes[-1].describe()}; {time.monotonic() - began:.1f} s in all"
            )
    first, second = (pl.read_parquet(replay.file) for replay in passes)
    with Lake(settings.lake_dir, read_only=True) as lake:
        equal, stored = compare(lake, first)
    print(f"equal to the last bit: {equal} of {stored} stored submissions, of {len(first)} days")
    print(f"equal after the restart: {first.equals(second)}")
    late = slowest(passes)
    print(f"slowest later call: {late:.2f} s, limit {LIMIT:g} s")
    if equal < stored or not first.equals(second) or late > LIMIT:
        raise SystemExit(1)


def build_days(folder: Path, source: Source, count: int) -> Served:
    """Return the newest days of a source as the gateway would read them."""
    table = source.prices(source.first_day, source.last_day)
    columns: dict[str, pl.Series] = {DAY_COLUMN: pl.Series(table.date_ids[-count:])}
    for name, values in zip(table.columns, table.values[-count:].T, strict=True):
        filled = pl.Series(values).fill_nan(None)
        # A column without a number holds texts for a reader that guesses.
        columns[name] = filled if filled.null_count() < count else filled.cast(pl.String)
    test = pl.DataFrame(columns).with_columns(pl.lit(True).alias(SCORED))
    return Served(folder, test, tuple(build_labels(source, table, count)))


def build_labels(source: Source, table: PriceTable, count: int) -> list[pl.DataFrame]:
    """Return the labels that become known on the newest days, a frame for each lag."""
    pairs = source.pairs()
    labels = source.published_labels(source.first_day, source.last_day)
    if labels is None:
        labels = np.full((len(table.days), len(pairs)), np.nan)
    frames = []
    for lag in np.unique(pairs.lags):
        of_lag, delay = np.flatnonzero(pairs.lags == lag), delay_of(np.array([lag]))
        rows = np.arange(len(table.days) - count + delay, len(table.days))
        columns = {
            pairs.targets[i]: pl.Series(labels[rows - delay, i]).fill_nan(None) for i in of_lag
        }
        ids = {DAY_COLUMN: table.date_ids[rows]}
        frames.append(pl.DataFrame(ids | columns | {LABEL_DAY: table.date_ids[rows - delay]}))
    return frames


def compare(lake: Lake, answers: pl.DataFrame) -> tuple[int, int]:
    """Return how many stored submissions equal the answers, and how many there are."""
    rows = lake.arrow(
        f"SELECT date_id, target, value FROM {SUBMISSIONS.quoted} WHERE date_id >= ?",
        [int(answers[DAY_COLUMN][0])],
    )
    stored = pl.DataFrame(rows).with_columns(pl.col("target").cast(pl.String))
    long = answers.unpivot(index=DAY_COLUMN, variable_name="target", value_name="answer")
    joined = stored.join(long, on=[DAY_COLUMN, "target"], how="inner")
    equal = joined.group_by(DAY_COLUMN).agg((pl.col("value") == pl.col("answer")).all())
    return int(equal["value"].sum()), len(equal)


def slowest(passes: list[Replay]) -> float:
    return float(max(replay.seconds[1:].max() for replay in passes))


if __name__ == "__main__":
    main()
