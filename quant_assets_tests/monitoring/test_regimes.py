"""The state of the markets: compared with pandas, and without later days."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.lake.schemas.monitoring_tables import REGIMES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import MARKETS, market_of
from quant_assets.models.markov_switching import fit_regimes
from quant_assets.monitoring.data.regimes import (
    mean_correlation,
    mean_correlations,
    regime_rows,
    turbulence_probabilities,
    volatilities,
)
from quant_assets.monitoring.plots import plot_regimes
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.monitored_lake import ALTERED_AFTER, FIT_ROWS

DAYS = synthetic.prices().days
SETTINGS = Settings(first_fit_after=int(FIT_ROWS[0]), refit_every=100)


def day(row: int) -> date:
    result: date = DAYS[row].item()
    return result


def rows_of(lake: Lake, first: int, last: int) -> pd.DataFrame:
    return regime_rows(lake, SETTINGS, day(first), day(last))


@pytest.fixture(scope="module")
def of_days(watched: Lake) -> pd.DataFrame:
    return rows_of(watched, 0, len(DAYS) - 1)


@pytest.fixture(scope="module")
def returns(watched: Lake) -> pd.DataFrame:
    """Daily returns by day and instrument."""
    rows = watched.query("SELECT trading_day, instrument, ret_1 FROM features.instruments")
    return rows.pivot(index="trading_day", columns="instrument", values="ret_1")


def gapped(seed: int = 0) -> FloatArray:
    draw = np.random.default_rng(seed)
    common = draw.normal(size=(60, 1))
    values = 0.01 * (5.0 + common + draw.normal(size=(60, 9)))
    values[draw.random(values.shape) < 0.2] = np.nan
    values[:40, 3] = np.nan
    values[:, 4] = 0.01
    values[:, 5] = np.nan
    return values


def by_pandas(values: FloatArray) -> float:
    """Mean correlation of pairs over the days that both have, at least thirty."""
    correlations = pd.DataFrame(values).corr(min_periods=30).to_numpy()
    return float(np.nanmean(correlations[np.triu_indices(len(correlations), 1)]))


@pytest.mark.parametrize("seed", range(3))
def test_mean_correlation_is_pandas_s(seed: int) -> None:
    values = gapped(seed)
    assert mean_correlation(values) == pytest.approx(by_pandas(values), abs=1e-9)


@pytest.mark.parametrize(
    "values",
    [np.full((60, 3), np.nan), np.ones((60, 3)), np.random.default_rng(0).normal(size=(60, 1))],
    ids=["empty", "constant", "one"],
)
def test_without_a_pair_there_is_no_correlation(values: FloatArray) -> None:
    assert np.isnan(mean_correlation(values))


def test_a_window_cut_from_a_longer_history_gives_the_same_bits() -> None:
    values = np.random.default_rng(1).normal(size=(200, 30))
    whole = mean_correlations(values, np.arange(200))
    assert np.isnan(whole[:59]).all()
    for row in (59, 100, 199):
        alone = mean_correlations(values[row - 59 : row + 1], np.array([59]))
        assert alone[0] == whole[row]


def test_there_is_a_row_a_day(of_days: pd.DataFrame) -> None:
    assert of_days.columns.tolist() == [column.name for column in REGIMES.columns]
    np.testing.assert_array_equal(of_days["trading_day"], DAYS)
    np.testing.assert_array_equal(of_days["date_id"], np.arange(len(DAYS)))


def test_volatilities_and_correlations_are_those_of_pandas(
    of_days: pd.DataFrame, returns: pd.DataFrame
) -> None:
    for market in MARKETS:
        mine = returns[[name for name in returns if market_of(str(name)) == market]]
        squares = mine.mean(axis=1).pow(2).rolling(20, min_periods=10).mean()
        expected = np.sqrt(252 * squares).to_numpy()
        np.testing.assert_allclose(of_days[f"volatility_{market}"], expected, rtol=1e-9)
    for row in (59, 200, 429):
        expected = by_pandas(returns.iloc[row - 59 : row + 1].to_numpy())
        assert of_days["correlation"][row] == pytest.approx(expected, abs=1e-9)
    change = of_days["correlation"].diff(20)
    np.testing.assert_allclose(of_days["correlation_change"], change, atol=1e-15)


def test_turbulence_is_judged_by_parameters_of_the_fit_before(
    of_days: pd.DataFrame, returns: pd.DataFrame
) -> None:
    market = 100.0 * returns.mean(axis=1).to_numpy()
    assert of_days["turbulence"][: FIT_ROWS[0]].isna().all()
    assert of_days["fit_as_of"][: FIT_ROWS[0]].isna().all()
    for row in (200, 299, 300, 429):
        fit = max(FIT_ROWS[row >= FIT_ROWS])
        expected = fit_regimes(market[: fit + 1]).filtered(market[: row + 1])[-1]
        assert of_days["turbulence"][row] == pytest.approx(expected, abs=1e-6)
        assert of_days["fit_as_of"][row] == DAYS[fit]


def test_a_rough_stretch_is_turbulent() -> None:
    draw = np.random.default_rng(2)
    rough = (np.arange(600) // 100) % 2 == 1
    values = draw.normal(0.0, np.where(rough, 3.0, 0.5))
    probabilities = turbulence_probabilities(values, np.array([399]), np.arange(400, 600))
    assert probabilities[20:100].mean() < 0.1
    assert probabilities[120:].mean() > 0.9


def test_without_a_fit_there_is_no_turbulence() -> None:
    probabilities = turbulence_probabilities(np.zeros(50), np.empty(0, np.int64), np.arange(50))
    assert np.isnan(probabilities).all()


def test_a_market_without_instruments_has_no_volatility() -> None:
    by_market = volatilities(np.ones((40, 1)), ("FX_EURUSD",))
    assert np.isfinite(by_market["FX"][20:]).all()
    assert np.isnan(by_market["US"]).all()


def test_nothing_later_matters(altered: Lake, of_days: pd.DataFrame) -> None:
    """Every price after a day differs, and so do the rows."""
    theirs = rows_of(altered, 0, len(DAYS) - 1)
    same = of_days["trading_day"] <= DAYS[ALTERED_AFTER]
    pd.testing.assert_frame_equal(of_days[same], theirs[same], check_exact=True)
    columns = of_days.columns.drop(["trading_day", "date_id", "fit_as_of"])
    assert (of_days[~same][columns] != theirs[~same][columns]).mean().min() > 0.9


@pytest.mark.parametrize("row", [10, 70, 200, 299, 300, 429])
def test_a_day_alone_is_as_in_a_range(watched: Lake, of_days: pd.DataFrame, row: int) -> None:
    alone = rows_of(watched, row, row)
    expected = of_days.iloc[[row]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_a_history_before_its_first_fit_has_correlations_only(watched: Lake) -> None:
    young = SETTINGS.model_copy(update={"first_fit_after": 10_000})
    rows = regime_rows(watched, young, day(400), day(429))
    assert rows["turbulence"].isna().all()
    assert rows["fit_as_of"].isna().all()
    assert rows["correlation"].notna().all()


def test_days_without_features_have_no_rows(watched: Lake) -> None:
    assert regime_rows(watched, SETTINGS, date(2030, 1, 1), date(2030, 2, 1)).empty


def test_the_picture_is_a_small_png(of_days: pd.DataFrame) -> None:
    picture = plot_regimes(of_days)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000


def test_kept_regimes_give_the_same_bits(
    watched: Lake, of_days: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = day(0), day(len(DAYS) - 1)
    stored = regime_rows(watched, SETTINGS, first, last, tmp_path)
    assert len(list(tmp_path.rglob("*.model"))) == len(FIT_ROWS)
    monkeypatch.setattr(
        "statsmodels.tsa.regime_switching.markov_regression.MarkovRegression",
        lambda *_, **__: pytest.fail("fitted again"),
    )
    kept = regime_rows(watched, SETTINGS, first, last, tmp_path)
    pd.testing.assert_frame_equal(stored, of_days, check_exact=True)
    pd.testing.assert_frame_equal(kept, of_days, check_exact=True)
