"""A small market in the competition's format, and the ways to change its files."""

from collections.abc import Callable
from datetime import date
from math import log
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.market.calendar import trading_days
from quant_assets.sources.competition.folder import CompetitionFolder

LAG_1 = "lagged_test_labels/test_labels_lag_1.csv"
# What is done to the folder, in which file, and what the message must say.
Fault = tuple[Callable[[Path], None], str, tuple[str, ...]]

ALWAYS = (date(2000, 1, 4), date(2030, 12, 31))
DAYS = 40
SERIES = (
    "LME_CA_Close",
    "JPX_Gold_Rolling-Spot_Futures_Open",
    "JPX_Gold_Rolling-Spot_Futures_Close",
    "US_Stock_CVX_adj_close",
    "US_Stock_CVX_adj_volume",
    "US_Stock_GOLD_adj_close",
    "FX_USDJPY",
)
PAIRS = (
    "US_Stock_CVX_adj_close - LME_CA_Close",
    "FX_USDJPY",
    "JPX_Gold_Rolling-Spot_Futures_Close - FX_USDJPY",
    "LME_CA_Close - JPX_Gold_Rolling-Spot_Futures_Close",
)


def text_of(cell: object) -> str:
    return "" if cell is None else str(cell)


def write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    lines = [",".join(header)] + [",".join(map(text_of, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def given_prices() -> list[dict[str, float | None]]:
    random = np.random.default_rng(7)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.01, (DAYS, len(SERIES))), axis=0))
    rows: list[dict[str, float | None]] = [
        dict(zip(SERIES, [round(float(x), 4) for x in row], strict=True)) for row in closes
    ]
    for i, row in enumerate(rows):
        row["US_Stock_GOLD_adj_close"] = None
        if i in (5, 20):
            row["LME_CA_Close"] = None
    return rows


def label(prices: list[dict[str, float | None]], row: int, lag: int, pair: str) -> float | None:
    """Compute a label by the competition's formula, step by step."""
    if row + lag + 1 >= len(prices):
        return None
    result, sign = 0.0, 1
    for leg in pair.split(" - "):
        before, after = prices[row + 1][leg], prices[row + lag + 1][leg]
        if before is None or after is None:
            return None
        result += sign * log(after / before)
        sign = -1
    return result


def price_rows(prices: list[dict[str, float | None]], first: int, stop: int) -> list[list[object]]:
    return [[i, *prices[i].values()] for i in range(first, stop)]


def make_folder(root: Path) -> Path:
    """Write forty days of seven series in the competition's format, with four targets."""
    prices = given_prices()
    targets = [f"target_{i}" for i in range(len(PAIRS))]
    write(root / "train.csv", ["date_id", *SERIES], price_rows(prices, 0, DAYS))
    scored = [[*row, "True"] for row in price_rows(prices, DAYS - 10, DAYS)]
    write(root / "test.csv", ["date_id", *SERIES, "is_scored"], scored)
    pairs = [[name, i + 1, PAIRS[i]] for i, name in enumerate(targets)]
    write(root / "target_pairs.csv", ["target", "lag", "pair"], pairs)
    labels: list[list[object]] = [
        [day, *(label(prices, day, i + 1, pair) for i, pair in enumerate(PAIRS))]
        for day in range(DAYS)
    ]
    write(root / "train_labels.csv", ["date_id", *targets], labels)
    for lag, (target, pair) in enumerate(zip(targets, PAIRS, strict=True), start=1):
        write(
            root / "lagged_test_labels" / f"test_labels_lag_{lag}.csv",
            ["date_id", target, "label_date_id"],
            [[d + lag + 1, label(prices, d, lag, pair), d] for d in range(30, DAYS - lag - 1)],
        )
    return root


def source_of(folder: Path) -> CompetitionFolder:
    return CompetitionFolder(folder, expected_targets=len(PAIRS))


def read_everything(folder: Path) -> None:
    source = source_of(folder)
    source.prices(*ALWAYS)
    source.pairs()
    source.published_labels(*ALWAYS)


def check_refused(folder: Path, fault: Fault) -> None:
    """Assert that a folder is read, and after a fault refused with place, expectation and hint."""
    break_it, file, words = fault
    read_everything(folder)
    break_it(folder)
    with pytest.raises(SourceError) as caught:
        read_everything(folder)
    message = str(caught.value)
    for word in (str(folder / file), "expected: ", "found: ", "hint: ", *words):
        assert word in message, message


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def change_lines(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(change(lines)) + "\n")

    return apply


def change_bytes(name: str, content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(content((folder / name).read_bytes()))

    return apply


def with_calendar(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        days = trading_days(date(2018, 1, 2), date(2018, 6, 1))[:DAYS]
        lines = [f"{i},{day}" for i, day in enumerate(days)]
        (folder / "calendar.csv").write_text("\n".join(["date_id,date", *change(lines)]) + "\n")

    return apply


def words_in_column(name: str, column: int, count: int) -> Callable[[Path], None]:
    def change(lines: list[str]) -> list[str]:
        for i in range(1, count + 1):
            fields = lines[i].split(",")
            fields[column] = "n/a"
            lines[i] = ",".join(fields)
        return lines

    return change_lines(name, change)
