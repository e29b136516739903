"""Data quality: compared with plain loops, on bad days, and on single days."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.lake.readers.prices import raw_rows
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import MARKETS, list_competition_series
from quant_assets.monitoring.data.cells import Cells, read_cells
from quant_assets.monitoring.data.data_quality import (
    CHANCE_DEVIATIONS,
    FRESHNESS_DAYS,
    HISTORY_DAYS,
    MISSING_RATE,
    OUTLIER_RATE,
    WINDOW_DAYS,
    data_quality_rows,
    share_limits,
)
from quant_assets.monitoring.plots import plot_limits
from quant_assets.quality.cleaning import clean
from quant_assets.quality.rows import validated_rows
from quant_assets.sources.deliveries import PriceTable, UnreadCell
from quant_assets_tests.support import synthetic

COLUMNS = (
    *("FX_EURUSD", "FX_USDJPY", "LME_AH_Close", "LME_CA_Close"),
    *("US_Stock_CVX_adj_close", "US_Stock_CVX_adj_volume", "US_Stock_VT_adj_close"),
)
SERIES = list_competition_series(COLUMNS)
N = 300


def quiet(days: int = N) -> Cells:
    """Cells that are all present and sound."""
    all_days = trading_days(date(2020, 1, 1), date(2022, 1, 1))[:days]
    full = np.ones((days, len(SERIES)), dtype=bool)
    return Cells(all_days, np.arange(days), SERIES, full, full, ~full, ~full, ~full, full, full)


def troubled(seed: int) -> Cells:
    """Cells with every kind of fault, in stretches and alone."""
    random = np.random.default_rng(seed)
    cells = quiet()
    observed = random.random(cells.observed.shape) > 0.03
    for column, (first, last) in enumerate([(0, 90), (200, 300), (30, 60), (40, 70)]):
        observed[first:last, column] = False
    observed[100:109, 4:] = False
    return replace(
        cells,
        observed=observed,
        unusual=random.random(observed.shape) < 0.004,
        stale=observed & (random.random(observed.shape) < 0.05),
        unread=random.random(observed.shape) < 0.002,
        present=random.random(observed.shape) > 0.002,
    )


def compute_slowly(cells: Cells, row: int) -> Iterator[tuple[str, str, str | None, float, float]]:
    """Market, measure, series, value and limit of one day, in plain loops."""
    window = range(max(0, row - WINDOW_DAYS + 1), row + 1)
    for market in MARKETS:
        columns = [j for j, name in enumerate(COLUMNS) if name.startswith(market)]
        closes = [j for j in columns if SERIES.fields[j] == "close"]
        if not columns:
            continue

        def due(s: int, j: int, closes: list[int] = closes) -> bool:
            is_open = any(cells.observed[s, i] for i in closes)
            return is_open and any(cells.observed[max(0, s - WINDOW_DAYS) : s + 1, j])

        def silent(j: int) -> int:
            return next((row - s for s in range(row, -1, -1) if cells.observed[s, j]), 9999)

        lack = {j: [not cells.observed[s, j] for s in window if due(s, j)] for j in closes}
        unusual = {
            j: [cells.unusual[s, j] for s in window if cells.unusual[s, j] or cells.observed[s, j]]
            for j in columns
        }
        for measure, of_series, allowed in (
            ("missing", lack, MISSING_RATE),
            ("outliers", unusual, OUTLIER_RATE),
        ):
            together = [bad for of_column in of_series.values() for bad in of_column]
            share = np.mean(together) if together else np.nan
            spread = np.sqrt(allowed * (1 - allowed) / len(together)) if together else 0.0
            yield market, measure, None, share, allowed + CHANCE_DEVIATIONS * spread
            if share > allowed + CHANCE_DEVIATIONS * spread:
                for j, cells_of in of_series.items():
                    if cells_of and np.mean(cells_of) > allowed:
                        yield market, measure, COLUMNS[j], np.mean(cells_of), allowed
        wrong = {j: int(cells.unread[row, j] or not cells.present[row, j]) for j in columns}
        stale = {
            j: sum(cells.stale[s, j] for s in window)
            for j in closes
            if silent(j) < WINDOW_DAYS and cells.stale[row - silent(j), j]
        }
        ended = {j: silent(j) for j in closes if WINDOW_DAYS <= silent(j) < HISTORY_DAYS}
        yield (
            market,
            "freshness",
            None,
            min(HISTORY_DAYS, row + 1, *map(silent, closes)),
            FRESHNESS_DAYS,
        )
        yield market, "schema", None, sum(wrong.values()), 0
        yield market, "stale", None, len(stale), 0
        yield market, "ended", None, len(ended), 0
        for measure, values in (("schema", wrong), ("stale", stale), ("ended", ended)):
            for j, value in values.items():
                if value:
                    yield market, measure, COLUMNS[j], value, 0


@pytest.mark.parametrize("seed", [1, 2])
def test_measures_are_those_of_plain_loops(seed: int) -> None:
    cells = troubled(seed)
    rows = data_quality_rows(cells, N)
    for row in (0, 1, 5, 19, 20, 21, 45, 62, 85, 95, 104, 108, 109, 221, 260, 299):
        of_day = rows[rows["trading_day"] == cells.days[row]]
        expected = pd.DataFrame(
            compute_slowly(cells, row), columns=["market", "figure", "series", "value", "allowed"]
        ).sort_values(["market", "figure", "series"], na_position="first", ignore_index=True)
        pd.testing.assert_frame_equal(
            of_day[expected.columns].reset_index(drop=True),
            expected,
            check_dtype=False,
            rtol=0,
            atol=1e-12,
        )
        within = ~(expected["value"] > expected["allowed"])
        assert of_day["within"].tolist() == within.tolist()


def test_instruments_outside_of_the_universe_are_not_judged() -> None:
    cells = troubled(4)
    inside = np.ones(cells.observed.shape, dtype=bool)
    inside[200:, 0], inside[:, 3] = False, False
    judged = replace(cells, member=inside, listed=inside)
    rows = data_quality_rows(judged, N)
    late = rows["trading_day"] >= cells.days[200]
    assert not set(rows.loc[late, "series"].dropna()) & {COLUMNS[0], COLUMNS[3]}
    assert COLUMNS[3] not in set(rows["series"].dropna())
    # What is wrong with it changes nothing of the others, closes of its market aside.
    changed = cells.unusual.copy()
    changed[200:, 0] = True
    pd.testing.assert_frame_equal(rows, data_quality_rows(replace(judged, unusual=changed), N))


def test_a_market_without_instruments_is_not_late() -> None:
    cells = quiet()
    observed, listed = cells.observed.copy(), cells.member.copy()
    of_market = cells.markets == "LME"
    observed[200:, of_market] = False
    late = data_quality_rows(replace(cells, observed=observed), N)
    listed[200:, of_market] = False
    left = data_quality_rows(replace(cells, observed=observed, listed=listed, member=listed), N)

    def broken(rows: pd.DataFrame) -> set[str]:
        return set(rows.loc[~rows["within"], "figure"])

    assert broken(late) >= {"freshness", "ended"}
    assert broken(left) == set()


def test_a_day_alone_is_as_in_a_range() -> None:
    cells = troubled(3)
    whole = data_quality_rows(cells, N)
    for row in (3, 60, 251, 280, 299):
        part = slice(max(0, row - HISTORY_DAYS), row + 1)
        arrays = {
            name: getattr(cells, name)[part]
            for name in (field.name for field in fields(cells) if field.name != "series")
        }
        alone = data_quality_rows(replace(cells, **arrays), 1)
        expected = whole[whole["trading_day"] == cells.days[row]].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_quiet_days_have_a_row_for_each_market_and_measure() -> None:
    rows = data_quality_rows(quiet(), 2)
    assert rows.columns.tolist() == [column.name for column in DATA_QUALITY.columns]
    assert len(rows) == 2 * 3 * 6
    assert rows["within"].all()
    assert rows["series"].isna().all()
    assert (rows["value"] == 0).all()


def with_gaps(cells: Cells, *gaps: tuple[int, int]) -> Cells:
    """Without the closes of the given rows and columns."""
    observed = cells.observed.copy()
    observed[tuple(zip(*gaps, strict=True))] = False
    return replace(cells, observed=observed)


def test_a_gap_in_a_small_market_is_chance_and_its_series_failing_is_not() -> None:
    """A single cell of 40 is above the rate; a share of many cells has to be near it."""
    gap = with_gaps(quiet(), (100, 2))
    rows = data_quality_rows(gap, N)
    share = rows[(rows["market"] == "LME") & (rows["figure"] == "missing")]["value"]
    assert share.max() == 1 / 40 > MISSING_RATE
    assert rows["within"].all()
    several = with_gaps(quiet(), (100, 2), (101, 2), (103, 3))
    assert broken_on(several, 103) == {
        ("missing", name) for name in ("LME", "LME_AH_Close", "LME_CA_Close")
    }


def test_the_more_cells_the_nearer_a_limit_is_to_its_rate() -> None:
    limits = share_limits(MISSING_RATE, np.array([0.0, 80.0, 800.0, 80_000.0]))
    assert limits[0] == MISSING_RATE
    assert limits[1:] == pytest.approx([0.0434, 0.0206, 0.0111], abs=1e-4)


def broken_on(cells: Cells, row: int) -> set[tuple[str, str]]:
    rows = data_quality_rows(cells, N)
    on = rows[(rows["trading_day"] == cells.days[row]) & ~rows["within"]]
    return set(zip(on["figure"], on["series"].fillna(on["market"]), strict=True))


def test_a_closed_market_lacks_nothing_and_a_silent_market_is_not_fresh() -> None:
    cells = quiet()
    observed = cells.observed.copy()
    observed[100:106, 4:] = False
    silent = replace(cells, observed=observed)
    assert not broken_on(silent, 100 + FRESHNESS_DAYS - 1)
    assert broken_on(silent, 100 + FRESHNESS_DAYS) == {("freshness", "US")}
    assert not broken_on(silent, 106)


def test_a_market_closed_on_the_first_days_is_not_silent_for_longer_than_they_are() -> None:
    cells = quiet()
    observed = cells.observed.copy()
    observed[:FRESHNESS_DAYS, 4:] = False
    late = replace(cells, observed=observed)
    assert not broken_on(late, FRESHNESS_DAYS - 1)
    rows = data_quality_rows(late, N)
    fresh = rows[(rows["figure"] == "freshness") & (rows["market"] == "US")]["value"]
    assert fresh.tolist()[: FRESHNESS_DAYS + 1] == [1, 2, 3, 4, 5, 0]


def test_a_series_that_ends_is_missed_reported_and_forgotten() -> None:
    cells = quiet()
    observed = cells.observed.copy()
    observed[20:, 0] = False
    ending = replace(cells, observed=observed)
    missed = {("missing", "FX"), ("missing", "FX_EURUSD")}
    ended = {("ended", "FX"), ("ended", "FX_EURUSD")}
    # Of the 40 closes of two series two may be missing by chance.
    assert broken_on(ending, 21) == set()
    assert broken_on(ending, 22) == missed
    assert broken_on(ending, 19 + WINDOW_DAYS) == missed | ended
    assert broken_on(ending, 19 + 2 * WINDOW_DAYS - 3) == missed | ended
    assert broken_on(ending, 19 + 2 * WINDOW_DAYS) == ended
    assert broken_on(ending, 19 + HISTORY_DAYS) == set()


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """The small market with a gap, an unread cell, a negative price, a jump, and a stale series."""
    table = synthetic.until(synthetic.prices(), 120)
    values = table.values.copy()
    column = {name: i for i, name in enumerate(table.columns)}
    values[107:111, column["FX_EURUSD"]] = np.nan
    values[111, column["FX_USDJPY"]] = -1.0
    values[112, column["FX_ZARJPY"]] *= 3.0
    values[95:, column["LME_CA_Close"]] = values[95, column["LME_CA_Close"]]
    unread = (UnreadCell(110, "FX_EURUSD", "n/a"),)
    bad = PriceTable(table.days, table.date_ids, table.series, values, unread)
    with Lake(tmp_path / "lake") as opened:
        ends = table.days[0].item(), table.days[-1].item()
        opened.replace_days(RAW_PRICES, *ends, raw_rows(bad, "test"))
        opened.replace_days(VALIDATED_PRICES, *ends, validated_rows(clean(bad, "test"), ends[0]))
        yield opened


def test_bad_cells_of_the_lake_are_named(lake: Lake) -> None:
    days = synthetic.prices().days
    cells = read_cells(lake, days[0].item(), days[120].item())
    rows = data_quality_rows(cells, 121)
    fx = rows[(rows["market"] == "FX") & rows["series"].notna()]

    def named(figure: str, row: int) -> set[str]:
        of_day = rows[(rows["trading_day"] == days[row]) & (rows["figure"] == figure)]
        return set(of_day["series"].dropna())

    assert named("schema", 110) == {"FX_EURUSD"}
    assert named("schema", 111) == set()
    assert named("outliers", 112) >= {"FX_EURUSD", "FX_USDJPY", "FX_ZARJPY"}
    assert {"FX_EURUSD", "FX_USDJPY"} <= named("missing", 112)
    assert named("stale", 120) == {"LME_CA_Close"}
    assert not fx["within"].any()


def test_days_without_prices_have_no_rows(lake: Lake) -> None:
    cells = read_cells(lake, date(2030, 1, 1), date(2030, 2, 1))
    assert data_quality_rows(cells, 0).empty


def test_the_picture_is_a_small_png() -> None:
    picture = plot_limits(data_quality_rows(troubled(1), N))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000
