"""Judged days and their labels for several horizons, against labels computed one by one."""

from collections.abc import Iterator
from math import log

import numpy as np
import pytest

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.readers.prices import read_pairs, read_panel
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs
from quant_assets.scoring.judged_days import (
    find_scored_days,
    read_scored_forecasts,
    read_scored_labels,
)
from quant_assets_tests.support import synthetic

DAYS = 60


@pytest.fixture(scope="module", params=[(1, 3, 10), (5, 20)], ids=str)
def horizons(request: pytest.FixtureRequest) -> tuple[int, ...]:
    return tuple(request.param)


@pytest.fixture(scope="module")
def days() -> DayArray:
    return synthetic.prices().days[:DAYS]


@pytest.fixture(scope="module")
def forecasts(days: DayArray) -> FloatArray:
    return np.random.default_rng(1).normal(size=(DAYS, 40))


@pytest.fixture(scope="module")
def lake(
    horizons: tuple[int, ...],
    days: DayArray,
    forecasts: FloatArray,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lake]:
    """The first days of the small market, with a forecast for each."""
    with Lake(tmp_path_factory.mktemp("lake")) as opened:
        synthetic.fill(opened, synthetic.until(synthetic.prices(), DAYS - 1), horizons)
        fit_as_of = np.full(DAYS, days[0])
        made = Forecasts(days, forecasts, fit_as_of, synthetic.pairs(horizons).targets)
        ends = days[0].item(), days[-1].item()
        opened.replace_days(forecasts_table("ridge"), *ends, forecast_rows(opened, made))
        yield opened


def slow_labels(lake: Lake, pairs: TargetPairs) -> FloatArray:
    """Compute all labels by the formula from validated prices; NaN if not known by the last day."""
    panel = read_panel(lake, "value", *synthetic.ALWAYS)
    close = dict(zip(panel.instruments, panel.close.T, strict=True))
    labels = np.full((DAYS, len(pairs)), np.nan)
    for j, (lag, a, b) in enumerate(zip(pairs.lags, pairs.leg_a, pairs.leg_b, strict=True)):
        for t in range(DAYS - lag - 1):
            value = log(close[a][t + lag + 1] / close[a][t + 1])
            labels[t, j] = value - (log(close[b][t + lag + 1] / close[b][t + 1]) if b else 0.0)
    return labels


@pytest.mark.parametrize("delay", [2, 5, 11, 21])
def test_a_day_is_judged_once_its_last_label_is_known(delay: int, days: DayArray) -> None:
    forecast_days, known_on = find_scored_days(days, days[30].item(), delay)
    np.testing.assert_array_equal(known_on, days[30:])
    np.testing.assert_array_equal(forecast_days, days[30 - delay : DAYS - delay])
    for short in (days[:delay], days[:0]):
        assert all(len(x) == 0 for x in find_scored_days(short, days[0].item(), delay))


@pytest.mark.parametrize("first", [0, 20, 21, 40, 59])
def test_labels_of_judged_days_are_the_formulas(
    lake: Lake, days: DayArray, horizons: tuple[int, ...], first: int
) -> None:
    pairs, delay = read_pairs(lake), horizons[-1] + 1
    forecast_days, known_on, labels = read_scored_labels(lake, days, pairs, days[first].item())
    rows = np.arange(max(first - delay, 0), DAYS - delay)
    np.testing.assert_array_equal(forecast_days, days[rows])
    np.testing.assert_array_equal(known_on, days[rows + delay])
    np.testing.assert_allclose(labels, slow_labels(lake, pairs)[rows], rtol=0, atol=1e-12)
    assert np.isfinite(labels).mean() > 0.5


@pytest.mark.parametrize("last", [30, 45])
def test_forecasts_are_judged_by_the_labels_known_on_the_last_day(
    lake: Lake, days: DayArray, forecasts: FloatArray, horizons: tuple[int, ...], last: int
) -> None:
    delay = horizons[-1] + 1
    scored = read_scored_forecasts(lake, ["ridge"], days[25].item(), days[last].item())
    assert scored is not None
    rows = np.arange(25 - delay, last + 1 - delay)
    np.testing.assert_array_equal(scored.days, days[rows])
    np.testing.assert_array_equal(scored.released_on, days[rows + delay])
    np.testing.assert_array_equal(scored.forecasts["ridge"], forecasts[rows])
    np.testing.assert_array_equal(scored.forecasts_before["ridge"], forecasts[rows - 1])
    expected = slow_labels(lake, scored.pairs)[rows]
    np.testing.assert_allclose(scored.labels, expected, rtol=0, atol=1e-12)
