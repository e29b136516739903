"""Intervals through the lake, against intervals computed from the labels known on the day."""

from collections.abc import Iterator
from datetime import date
from unittest.mock import Mock

import numpy as np
import pytest

from quant_assets.ensemble import adaptation
from quant_assets.ensemble.interval_rows import BOUNDS, interval_rows, read_coverage
from quant_assets.ensemble.intervals import intervals
from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.forecast_tables import ADAPTATION, ENSEMBLE_FORECASTS, INTERVALS
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Observations
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.history_rows import as_history

FIRST = 200


@pytest.fixture(scope="module")
def observations() -> Observations:
    return synthetic.observe(synthetic.prices())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, observations: Observations) -> Iterator[Lake]:
    """The small market with an ensemble forecast from row 200 on, and its intervals."""
    with Lake(tmp_path_factory.mktemp("lake")) as opened:
        synthetic.fill(opened, synthetic.prices())
        days = observations.days[FIRST:]
        values = np.random.default_rng(0).normal(size=(len(days), len(observations.targets)))
        forecasts = Forecasts(days, values, np.full(len(days), days[0]), observations.targets)
        ends = days[0].item(), days[-1].item()
        opened.replace_days(ENSEMBLE_FORECASTS, *ends, forecast_rows(opened, forecasts))
        opened.replace_days(INTERVALS, *ends, as_history(interval_rows(opened, *ends)[0]))
        yield opened


def day(observations: Observations, row: int) -> date:
    return observations.days[row].item()


def expected(observations: Observations, row: int) -> np.ndarray:
    """Compute the bounds of a day from arrays, with the labels known on the day."""
    known = observations.rows(0, row + 1)
    forecasts = np.full(known.known_labels.shape, np.nan)
    forecasts[row] = 0.0
    return intervals(known.known_labels, known.lags, forecasts)[row]


@pytest.mark.parametrize("row", [FIRST, 301, 429])
def test_a_day_alone_is_the_day_of_a_backfill(
    row: int, lake: Lake, observations: Observations
) -> None:
    alone, _ = interval_rows(lake, day(observations, row), day(observations, row))
    stored = lake.query(f"FROM {INTERVALS.quoted} WHERE date_id = {alone['date_id'][0]}")
    of_target = stored.set_index("target").loc[list(observations.targets)]
    bounds = np.stack([alone[name] for name in BOUNDS], axis=1)
    np.testing.assert_array_equal(of_target[list(BOUNDS)].to_numpy(), bounds)
    np.testing.assert_array_equal(bounds, expected(observations, row))
    assert np.isfinite(bounds).any()


def test_a_day_goes_on_from_the_stored_adaptation_while_labels_are_unchanged(
    lake: Lake, observations: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = observations.days[-1].item()
    from_the_first, whole = interval_rows(lake, newest, newest)
    assert len(whole["trading_day"]) == len(observations.days)
    quantiles = Mock(wraps=adaptation.mixed_quantiles)
    monkeypatch.setattr(adaptation, "mixed_quantiles", quantiles)
    for kept in (len(observations.days), len(observations.days) - 3):
        part = {name: values[:kept] for name, values in whole.items()}
        lake.replace_all(ADAPTATION, part)
        rows, state = interval_rows(lake, newest, newest)
        assert len(state["trading_day"]) == len(observations.days) - kept
        assert quantiles.call_count < 20
        for name in BOUNDS:
            np.testing.assert_array_equal(rows[name], from_the_first[name])
    part["labels"] = ["another", *part["labels"][1:]]
    lake.replace_all(ADAPTATION, part)
    _, state = interval_rows(lake, newest, newest)
    np.testing.assert_array_equal(state["missed_80"], whole["missed_80"])


def test_coverage_is_the_share_of_labels_within(lake: Lake, observations: Observations) -> None:
    days, truth = observations.days[FIRST:400], observations.labels()[FIRST:400]
    result = read_coverage(lake, days, observations.targets, truth)
    assert set(result) == {"80", "95"}
    for row in (0, 50, 150):
        bounds = expected(observations, FIRST + row)
        known = ~np.isnan(truth[row]) & ~np.isnan(bounds).any(axis=1)
        inside = (bounds[known, 0] <= truth[row, known]) & (truth[row, known] <= bounds[known, 1])
        assert result["80"][row] == pytest.approx(inside.mean())
    assert 0.7 < np.nanmean(result["80"]) < 0.9 < np.nanmean(result["95"])


def test_without_intervals_there_is_no_coverage(lake: Lake, observations: Observations) -> None:
    days, truth = observations.days[FIRST - 10 : FIRST], observations.labels()[FIRST - 10 : FIRST]
    assert np.isnan(list(read_coverage(lake, days, observations.targets, truth).values())).all()
