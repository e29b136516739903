"""Intervals through the lake: made from what was released by the day, judged by labels later."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest

from quant_assets.ensemble.interval_rows import BOUNDS, interval_rows, read_coverage
from quant_assets.ensemble.intervals import intervals
from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.tables import ENSEMBLE_FORECASTS, INTERVALS
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Observations
from quant_assets_tests.support import synthetic

FIRST = 200


@pytest.fixture(scope="module")
def seen() -> Observations:
    return synthetic.observe(synthetic.prices())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, seen: Observations) -> Iterator[Lake]:
    """The small market with an ensemble forecast from row 200 on, and its intervals."""
    with Lake(tmp_path_factory.mktemp("lake")) as opened:
        synthetic.fill(opened, synthetic.prices())
        days = seen.days[FIRST:]
        values = np.random.default_rng(0).normal(size=(len(days), len(seen.targets)))
        made = Forecasts(days, values, np.full(len(days), days[0]), seen.targets)
        ends = days[0].item(), days[-1].item()
        opened.replace_days(ENSEMBLE_FORECASTS, *ends, forecast_rows(opened, made))
        opened.replace_days(INTERVALS, *ends, interval_rows(opened, *ends))
        yield opened


def day(seen: Observations, row: int) -> date:
    return seen.days[row].item()


def expected(seen: Observations, row: int) -> np.ndarray:
    """Bounds of a day by the arrays alone, from labels released by it."""
    known = seen.rows(0, row + 1)
    forecasts = np.full(known.released.shape, np.nan)
    forecasts[row] = 0.0
    return intervals(known.released, known.lags, forecasts)[row]


@pytest.mark.parametrize("row", [FIRST, 301, 429])
def test_a_day_alone_is_the_day_of_a_backfill(row: int, lake: Lake, seen: Observations) -> None:
    alone = interval_rows(lake, day(seen, row), day(seen, row))
    stored = lake.query(f"FROM {INTERVALS.quoted} WHERE date_id = {alone['date_id'][0]}")
    of_target = stored.set_index("target").loc[list(seen.targets)]
    bounds = np.stack([alone[name] for name in BOUNDS], axis=1)
    np.testing.assert_array_equal(of_target[list(BOUNDS)].to_numpy(), bounds)
    np.testing.assert_array_equal(bounds, expected(seen, row))
    assert np.isfinite(bounds).any()


def test_coverage_is_the_share_of_labels_within(lake: Lake, seen: Observations) -> None:
    days, truth = seen.days[FIRST:400], seen.labels()[FIRST:400]
    found = read_coverage(lake, days, seen.targets, truth)
    assert set(found) == {"80", "95"}
    for row in (0, 50, 150):
        bounds = expected(seen, FIRST + row)
        known = ~np.isnan(truth[row]) & ~np.isnan(bounds).any(axis=1)
        inside = (bounds[known, 0] <= truth[row, known]) & (truth[row, known] <= bounds[known, 1])
        assert found["80"][row] == pytest.approx(inside.mean())
    assert 0.7 < np.nanmean(found["80"]) < 0.9 < np.nanmean(found["95"])


def test_without_intervals_there_is_no_coverage(lake: Lake, seen: Observations) -> None:
    days, truth = seen.days[FIRST - 10 : FIRST], seen.labels()[FIRST - 10 : FIRST]
    assert np.isnan(list(read_coverage(lake, days, seen.targets, truth).values())).all()
