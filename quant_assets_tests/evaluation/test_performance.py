"""Daily performance and the scoreboard of a small lake, against one day after another."""

from math import log

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from quant_assets.evaluation.performance import judged_days, performance, scoreboard
from quant_assets.evaluation.significance import block_bootstrap
from quant_assets.lake.forecasts import forecast_rows
from quant_assets.lake.prices import read_panel
from quant_assets.lake.tables import PERFORMANCE, SCOREBOARD, forecasts_table
from quant_assets.market.targets import MAX_LAG
from quant_assets.models.registry import FAMILIES
from quant_assets.typing import FloatArray
from quant_assets_tests.evaluation.conftest import FIT_ROWS, Desk
from quant_assets_tests.market import world

DELAY = MAX_LAG + 1


def truth_of(desk: Desk) -> FloatArray:
    """Labels by the formula, from the validated prices, one after another."""
    panel = read_panel(desk.lake, "value", *world.ALWAYS)
    close = dict(zip(panel.instruments, panel.close.T, strict=True))
    pairs = world.pairs()
    truth = np.full((len(desk.days), len(pairs)), np.nan)
    for j, (lag, a, b) in enumerate(zip(pairs.lags, pairs.leg_a, pairs.leg_b, strict=True)):
        for t in range(len(desk.days) - lag - 1):
            value = log(close[a][t + lag + 1] / close[a][t + 1])
            truth[t, j] = value - (log(close[b][t + lag + 1] / close[b][t + 1]) if b else 0.0)
    return truth


@pytest.fixture(scope="module")
def expected(desk: Desk) -> pd.DataFrame:
    """IC of each day and family, by scipy."""
    truth = truth_of(desk)
    rows = []
    for name in FAMILIES:
        forecasts = desk.forecasts[name]
        for row in range(FIT_ROWS[0], len(desk.days) - DELAY):
            known = ~np.isnan(truth[row])
            values = forecasts.values[row - FIT_ROWS[0]]
            ic = spearmanr(values[known], truth[row][known]).statistic
            rows.append((desk.days[row], row, name, ic, desk.days[row + DELAY]))
    return pd.DataFrame(rows, columns=[column.name for column in PERFORMANCE.columns])


def ends(desk: Desk, first: int, last: int) -> tuple:
    return desk.days[first].item(), desk.days[last].item()


def check_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    keys = ["family", "trading_day"]
    ours, theirs = (x.sort_values(keys, ignore_index=True) for x in (found, expected))
    for name in ("trading_day", "date_id", "family", "released_on"):
        assert ours[name].tolist() == theirs[name].tolist()
    np.testing.assert_allclose(ours["ic"], theirs["ic"], rtol=0, atol=1e-12)


def test_all_days_at_once(desk: Desk, expected: pd.DataFrame) -> None:
    check_same(performance(desk.lake, FAMILIES, *ends(desk, 0, -1)), expected)


@pytest.mark.parametrize("length", [1, 2, 5, 6, 30])
def test_a_range_of_release_days(length: int, desk: Desk, expected: pd.DataFrame) -> None:
    first = 250
    found = performance(desk.lake, FAMILIES, *ends(desk, first, first + length - 1))
    of_range = expected["date_id"].between(first - DELAY, first - DELAY + length - 1)
    assert of_range.sum() == length * len(FAMILIES)
    check_same(found, expected[of_range])


def test_labels_released_later_are_not_read(desk: Desk, altered: Desk) -> None:
    """With other prices after row 330 the performance known on row 330 is the same."""
    ranges = (ends(x, 205, 330) for x in (desk, altered))
    ours, theirs = (
        performance(x.lake, FAMILIES, *days)
        for x, days in zip((desk, altered), ranges, strict=True)
    )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert ours["released_on"].max() == pd.Timestamp(desk.days[330])


def test_days_without_forecasts_have_no_row(desk: Desk) -> None:
    assert performance(desk.lake, FAMILIES, *ends(desk, 0, FIT_ROWS[0] + DELAY - 1)).empty
    assert performance(desk.lake, FAMILIES, *ends(desk, 0, 3)).empty
    first = performance(desk.lake, FAMILIES, *ends(desk, 0, FIT_ROWS[0] + DELAY))
    assert first["date_id"].tolist() == [FIT_ROWS[0]] * len(FAMILIES)


def test_other_forecasts_are_judged_on_the_days_of_the_first_family(
    desk: Desk, expected: pd.DataFrame
) -> None:
    start, end = ends(desk, 190, 240)
    judged, release = judged_days(desk.lake, start, end)
    np.testing.assert_array_equal(judged, desk.days[185:236])
    np.testing.assert_array_equal(release, desk.days[190:241])
    perfect = np.nan_to_num(truth_of(desk)[185:236])
    found = performance(desk.lake, FAMILIES[:1], start, end, {"oracle": perfect})
    oracle = found[found["family"] == "oracle"]
    assert oracle["date_id"].tolist() == list(range(FIT_ROWS[0], 236))
    np.testing.assert_allclose(oracle["ic"], 1.0, rtol=0, atol=1e-12)
    of_first = (expected["family"] == FAMILIES[0]) & expected["date_id"].between(185, 235)
    check_same(found[found["family"] == FAMILIES[0]], expected[of_first])


def test_a_constant_forecast_has_no_row(desk: Desk) -> None:
    forecasts = desk.forecasts["ridge"]
    values = forecasts.values.copy()
    values[20] = 1.0
    flat = type(forecasts)(forecasts.days, values, forecasts.fit_as_of, forecasts.targets)
    table = forecasts_table("flat_once")
    rows = forecast_rows(desk.lake, flat)
    desk.lake.replace_days(table, *ends(desk, 0, -1), rows)
    found = performance(desk.lake, ["flat_once"], *ends(desk, 0, -1))
    assert set(range(200, 426)) - set(found["date_id"]) == {220}


def test_scoreboard(desk: Desk, expected: pd.DataFrame) -> None:
    shuffled = expected.sample(frac=1.0, random_state=1)
    board = scoreboard(shuffled).set_index("family")
    assert list(board.columns) == [c.name for c in SCOREBOARD.columns if c.name != "family"]
    assert board["score"].is_monotonic_decreasing
    assert set(board.index) == set(FAMILIES)
    for name, row in board.iterrows():
        ic = expected.loc[expected["family"] == name, "ic"].to_numpy()
        assert row["days"] == len(ic) == len(desk.days) - FIT_ROWS[0] - DELAY
        assert row["mean_ic"] == pytest.approx(ic.mean(), rel=1e-12)
        assert row["std_ic"] == pytest.approx(ic.std(ddof=0), rel=1e-12)
        assert row["score"] == pytest.approx(ic.mean() / ic.std(ddof=0), rel=1e-12)
        assert row["score_250"] == pytest.approx(row["score"], rel=1e-12)
        assert (row["low"], row["high"]) == block_bootstrap(ic)
        assert row["low"] < row["score"] < row["high"]
        assert (row["first_day"], row["last_day"]) == (desk.days[200], desk.days[-1 - DELAY])
    desk.lake.replace_all(SCOREBOARD, dict(board.reset_index()))
    stored = desk.lake.query(f"FROM {SCOREBOARD.quoted}")
    assert stored["family"].tolist() == list(board.index)


def test_recent_score_is_of_the_last_250_days() -> None:
    ic = np.random.default_rng(0).normal(0.05, 0.1, size=400)
    days = np.datetime64("2020-01-01") + np.arange(400)
    rows = pd.DataFrame({"family": "a", "trading_day": days, "ic": ic})
    (found,) = scoreboard(rows)["score_250"]
    assert found == pytest.approx(ic[150:].mean() / ic[150:].std(), rel=1e-12)


@pytest.mark.parametrize("ic", [[0.1], [0.1, 0.1, 0.1], [0.25] * 60])
def test_days_too_few_or_too_equal_have_no_score(ic: list[float]) -> None:
    days = np.datetime64("2020-01-01") + np.arange(len(ic))
    board = scoreboard(pd.DataFrame({"family": "a", "trading_day": days, "ic": ic}))
    assert board["days"].tolist() == [len(ic)]
    assert board[["score", "low", "high", "score_250"]].isna().all(axis=None)
