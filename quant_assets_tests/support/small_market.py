"""A small market that every shell test can afford: 109 days of closes, all 424 pairs, as a folder.

What is done with it belongs in the fixtures and tests.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.market.instruments import InstrumentSeries, column_name, parse_column
from quant_assets.sources.simulated.market import SimulatedMarket

FIRST_DAY, LAST_DAY = date(2023, 7, 31), date(2023, 12, 29)
FIRST_FIT_AFTER, REFIT_EVERY = 70, 20
Rows = list[list[str]]


def write_small_market(folder: Path) -> Path:
    """Write closes, and volumes of one US stock, so that some features lack their inputs."""
    market = SimulatedMarket(seed=7, first_day=FIRST_DAY, last_day=LAST_DAY)
    table = market.prices(FIRST_DAY, LAST_DAY)
    kept = [i for i, name in enumerate(table.columns) if parse_column(name).field == "close"]
    folder.mkdir(parents=True)
    columns = [table.columns[i] for i in kept]
    rows = (
        [date_id, *(_text(x) for x in values)]
        for date_id, values in zip(table.date_ids, table.values[:, kept], strict=True)
    )
    _write(folder / "train.csv", ["date_id", *columns], rows)
    pairs = market.pairs()
    legs = [
        " - ".join(column_name(InstrumentSeries(leg, "close")) for leg in pair if leg)
        for pair in zip(pairs.leg_a, pairs.leg_b, strict=True)
    ]
    _write(
        folder / "target_pairs.csv",
        ["target", "lag", "pair"],
        zip(pairs.targets, pairs.lags, legs, strict=True),
    )
    return folder


def small_settings(folder: Path, data_dir: Path) -> Settings:
    """Return settings with which a load of the small market takes seconds."""
    return Settings(
        data_dir=data_dir,
        source=str(folder),
        first_day=FIRST_DAY,
        first_fit_after=FIRST_FIT_AFTER,
        refit_every=REFIT_EVERY,
        threads=1,
    )


def change_train(folder: Path, change: Callable[[Rows], Rows | None]) -> None:
    """Rewrite ``train.csv``; its rows, the header's first, are changed in place or returned."""
    path = folder / "train.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    rows = change(rows) or rows
    _write(path, rows[0], rows[1:])


def change_later_prices(rows: Rows, row: int) -> None:
    """Multiply every price after a row by a random number, and remove some prices."""
    random = np.random.default_rng(1)
    for cells in rows[row + 2 :]:
        factors = np.exp(random.normal(0, 0.05, len(cells)))
        for i, factor in enumerate(factors[1:], start=1):
            kept = cells[i] and random.random() < 0.9
            cells[i] = repr(float(cells[i]) * float(factor)) if kept else ""


def _text(number: float) -> str:
    return "" if np.isnan(number) else repr(float(number))


def _write(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    lines = [",".join(map(str, row)) for row in (header, *rows)]
    path.write_text("\n".join(lines) + "\n")
