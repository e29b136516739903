"""Daily performance of a small lake, against a computation day by day."""

from collections.abc import Sequence
from datetime import date
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from quant_assets.core.typing import FloatArray
from quant_assets.lake.readers.forecasts import forecast_rows
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.readers.prices import read_panel
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import delay_of
from quant_assets.models.registry import FAMILIES
from quant_assets.scoring.daily_performance import performance_rows, read_other_track_records
from quant_assets.scoring.judged_days import find_scored_days, read_scored_forecasts
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import FIT_ROWS, FittedLake

DELAY = delay_of(synthetic.pairs().lags)


def truth_of(fitted: FittedLake) -> FloatArray:
    """Compute labels by the formula from validated prices, label by label."""
    panel = read_panel(fitted.lake, "value", *synthetic.ALWAYS)
    close = dict(zip(panel.instruments, panel.close.T, strict=True))
    pairs = synthetic.pairs()
    truth = np.full((len(fitted.days), len(pairs)), np.nan)
    for j, (lag, a, b) in enumerate(zip(pairs.lags, pairs.leg_a, pairs.leg_b, strict=True)):
        for t in range(len(fitted.days) - lag - 1):
            value = log(close[a][t + lag + 1] / close[a][t + 1])
            truth[t, j] = value - (log(close[b][t + lag + 1] / close[b][t + 1]) if b else 0.0)
    return truth


@pytest.fixture(scope="module")
def expected(fitted: FittedLake) -> pd.DataFrame:
    """Compute the IC of each day and family with scipy."""
    truth = truth_of(fitted)
    rows = []
    for name in FAMILIES:
        forecasts = fitted.forecasts[name]
        for row in range(FIT_ROWS[0], len(fitted.days) - DELAY):
            known = ~np.isnan(truth[row])
            values = forecasts.values[row - FIT_ROWS[0]]
            ic = spearmanr(values[known], truth[row][known]).statistic
            rows.append((fitted.days[row], row, name, ic, fitted.days[row + DELAY]))
    return pd.DataFrame(rows, columns=[column.name for column in TRACK_RECORD.columns])


def ends(fitted: FittedLake, first: int, last: int) -> tuple:
    return fitted.days[first].item(), fitted.days[last].item()


def judged(fitted: FittedLake, names: Sequence[str], start: date, end: date) -> pd.DataFrame:
    return performance_rows(read_scored_forecasts(fitted.lake, names, start, end))


def check_same(result: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(result.columns) == list(expected.columns)
    keys = ["family", "trading_day"]
    ours, theirs = (x.sort_values(keys, ignore_index=True) for x in (result, expected))
    for name in ("trading_day", "date_id", "family", "released_on"):
        assert ours[name].tolist() == theirs[name].tolist()
    np.testing.assert_allclose(ours["ic"], theirs["ic"], rtol=0, atol=1e-12)


def test_all_days_at_once(fitted: FittedLake, expected: pd.DataFrame) -> None:
    check_same(judged(fitted, FAMILIES, *ends(fitted, 0, -1)), expected)


@pytest.mark.parametrize("length", [1, 2, 5, 6, 30])
def test_a_range_of_days_on_which_labels_become_known(
    length: int, fitted: FittedLake, expected: pd.DataFrame
) -> None:
    first = 250
    result = judged(fitted, FAMILIES, *ends(fitted, first, first + length - 1))
    of_range = expected["date_id"].between(first - DELAY, first - DELAY + length - 1)
    assert of_range.sum() == length * len(FAMILIES)
    check_same(result, expected[of_range])


def test_labels_known_later_are_not_read(fitted: FittedLake, altered: FittedLake) -> None:
    """With other prices after row 330 the performance known on row 330 is the same."""
    ranges = (ends(x, 205, 330) for x in (fitted, altered))
    ours, theirs = (
        judged(x, FAMILIES, *days) for x, days in zip((fitted, altered), ranges, strict=True)
    )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert ours["released_on"].max() == pd.Timestamp(fitted.days[330])


def test_days_without_forecasts_have_no_row(fitted: FittedLake) -> None:
    assert judged(fitted, FAMILIES, *ends(fitted, 0, FIT_ROWS[0] + DELAY - 1)).empty
    assert judged(fitted, FAMILIES, *ends(fitted, 0, 3)).empty
    first = judged(fitted, FAMILIES, *ends(fitted, 0, FIT_ROWS[0] + DELAY))
    assert first["date_id"].tolist() == [FIT_ROWS[0]] * len(FAMILIES)


def test_other_forecasts_are_judged_on_the_days_of_the_families(
    fitted: FittedLake, expected: pd.DataFrame
) -> None:
    start, end = ends(fitted, 190, 240)
    days, known_on = find_scored_days(read_known_days(fitted.lake, end), start, DELAY)
    np.testing.assert_array_equal(days, fitted.days[185:236])
    np.testing.assert_array_equal(known_on, fitted.days[190:241])
    perfect = np.nan_to_num(truth_of(fitted)[185:236])
    result = performance_rows(
        read_scored_forecasts(fitted.lake, FAMILIES[:1], start, end), {"oracle": perfect}
    )
    oracle = result[result["family"] == "oracle"]
    assert oracle["date_id"].tolist() == list(range(FIT_ROWS[0], 236))
    np.testing.assert_allclose(oracle["ic"], 1.0, rtol=0, atol=1e-12)
    of_first = (expected["family"] == FAMILIES[0]) & expected["date_id"].between(185, 235)
    check_same(result[result["family"] == FAMILIES[0]], expected[of_first])


def test_a_constant_forecast_has_no_row(fitted: FittedLake) -> None:
    forecasts = fitted.forecasts["ridge"]
    values = forecasts.values.copy()
    values[20] = 1.0
    flat = type(forecasts)(forecasts.days, values, forecasts.fit_as_of, forecasts.targets)
    table = forecasts_table("flat_once")
    rows = forecast_rows(fitted.lake, flat)
    fitted.lake.replace_days(table, *ends(fitted, 0, -1), rows)
    result = judged(fitted, ["flat_once"], *ends(fitted, 0, -1))
    assert set(range(200, 426)) - set(result["date_id"]) == {220}


def test_the_track_record_of_other_families_is_kept(tmp_path: Path) -> None:
    known = date(2024, 3, 8), date(2024, 3, 11)
    names, on = ["ridge", "lightgbm"] * 2, [known[0], known[0], known[1], known[1]]
    rows = {
        "trading_day": [date(2024, 3, 1)] * 4,
        "date_id": [1] * 4,
        "family": names,
        "ic": [0.1, 0.2, 0.3, 0.4],
        "released_on": on,
    }
    with Lake(tmp_path) as lake:
        assert read_other_track_records(lake, ["ridge"], *known).empty
        lake.replace_days(TRACK_RECORD, *known, rows)
        result = read_other_track_records(lake, ["ridge"], known[0], known[0])
    assert result[["family", "ic"]].to_numpy().tolist() == [["lightgbm", 0.2]]
