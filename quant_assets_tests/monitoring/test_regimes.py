"""The state of the markets and volatilities: compared with pandas, and without later days."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.lake.schemas.monitoring_tables import GROUP_VOLATILITY, REGIMES
from quant_assets.lake.schemas.table import Column
from quant_assets.lake.store.lake import Lake
from quant_assets.models.markov_switching import fit_regimes
from quant_assets.monitoring.data import regimes
from quant_assets.monitoring.data.daily_returns import read_daily_returns
from quant_assets.monitoring.data.group_volatility import group_volatility_rows, volatilities
from quant_assets.monitoring.data.regimes import (
    mean_correlation,
    mean_correlations,
    regime_rows,
    turbulence_probabilities,
)
from quant_assets.monitoring.plots import plot_regimes
from quant_assets.orchestration.assets.data_quality import build
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.monitored_lake import ALTERED_AFTER, ENERGY, FIT_ROWS

DAYS = synthetic.prices().days
SETTINGS = Settings(first_fit_after=int(FIT_ROWS[0]), refit_every=100)


def day(row: int) -> date:
    result: date = DAYS[row].item()
    return result


def rows_of(lake: Lake, first: int, last: int) -> pd.DataFrame:
    return regime_rows(lake, SETTINGS, read_daily_returns(lake, day(last)), day(first))


def volatilities_of(lake: Lake, first: int, last: int) -> pd.DataFrame:
    return group_volatility_rows(read_daily_returns(lake, day(last)), day(first))


@pytest.fixture(scope="module")
def of_days(watched: Lake) -> pd.DataFrame:
    return rows_of(watched, 0, len(DAYS) - 1)


@pytest.fixture(scope="module")
def of_groups(watched: Lake) -> pd.DataFrame:
    return volatilities_of(watched, 0, len(DAYS) - 1)


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


@pytest.mark.parametrize("columns", [1, 7, 1024])
@pytest.mark.parametrize("seed", range(3))
def test_mean_correlation_is_pandas_s(
    seed: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regimes, "_COLUMNS_AT_ONCE", columns)
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


def volatility_by_pandas(returns: pd.DataFrame) -> pd.Series:
    """Volatility of the mean return, of the days that have one."""
    squares = returns.mean(axis=1).pow(2).rolling(20, min_periods=10).mean()
    return np.sqrt(252 * squares).dropna()


def test_volatilities_are_those_of_pandas(of_groups: pd.DataFrame, returns: pd.DataFrame) -> None:
    assert of_groups.columns.tolist() == [column.name for column in GROUP_VOLATILITY.columns]
    assert set(of_groups["instrument_group"]) == {"LME", "JPX", "US", "FX"}
    np.testing.assert_array_equal(DAYS[of_groups["date_id"]], of_groups["trading_day"])
    for group, rows in of_groups.groupby("instrument_group"):
        expected = volatility_by_pandas(returns.filter(regex=f"^{group}_"))
        np.testing.assert_array_equal(rows["trading_day"], expected.index)
        np.testing.assert_allclose(rows["volatility"], expected, rtol=1e-9)


def test_groups_have_the_names_that_are_stored_with_the_series(
    energy: Lake, of_groups: pd.DataFrame
) -> None:
    renamed = of_groups.assign(instrument_group=of_groups["instrument_group"].map(ENERGY))
    result = volatilities_of(energy, 0, len(DAYS) - 1)
    pd.testing.assert_frame_equal(result, renamed, check_exact=True)


def test_a_market_without_groups_has_one_volatility(
    ungrouped: Lake, of_days: pd.DataFrame, returns: pd.DataFrame
) -> None:
    result = volatilities_of(ungrouped, 0, len(DAYS) - 1)
    assert set(result["instrument_group"]) == {"all"}
    np.testing.assert_allclose(result["volatility"], volatility_by_pandas(returns), rtol=1e-9)
    pd.testing.assert_frame_equal(rows_of(ungrouped, 0, len(DAYS) - 1), of_days, check_exact=True)


def test_correlations_are_those_of_pandas(of_days: pd.DataFrame, returns: pd.DataFrame) -> None:
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


def test_a_group_without_returns_has_no_volatility() -> None:
    returns = np.stack([np.ones(40), np.full(40, np.nan)], axis=1)
    by_group = volatilities(returns, ("oil", "solar"))
    assert list(by_group) == ["oil", "solar"]
    assert np.isfinite(by_group["oil"][20:]).all()
    assert np.isnan(by_group["solar"]).all()


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


def test_volatilities_of_a_day_alone_are_as_in_a_range(
    watched: Lake, altered: Lake, of_groups: pd.DataFrame
) -> None:
    """Prices of later days, which differ in the second lake, change nothing."""
    for row in (5, 70, ALTERED_AFTER):
        expected = of_groups[of_groups["date_id"] == row].reset_index(drop=True)
        for lake in (watched, altered):
            alone = volatilities_of(lake, row, row)
            pd.testing.assert_frame_equal(alone, expected, check_exact=True, check_dtype=row > 5)


def test_a_history_before_its_first_fit_has_correlations_only(watched: Lake) -> None:
    young = SETTINGS.model_copy(update={"first_fit_after": 10_000})
    rows = regime_rows(watched, young, read_daily_returns(watched, day(429)), day(400))
    assert rows["turbulence"].isna().all()
    assert rows["fit_as_of"].isna().all()
    assert rows["correlation"].notna().all()


def test_days_without_features_have_no_rows(watched: Lake) -> None:
    for first, last in (date(2030, 1, 1), date(2030, 2, 1)), (date(2000, 1, 3),) * 2:
        returns = read_daily_returns(watched, last)
        assert regime_rows(watched, SETTINGS, returns, first).empty
        assert group_volatility_rows(returns, first).empty


def test_a_table_with_volatilities_as_columns_keeps_them_for_its_days(tmp_path: Path) -> None:
    """A lake of an earlier version has a column for each market; new days have rows instead."""
    column = Column("volatility_LME", "DOUBLE", "as an earlier version declared it")
    older = replace(REGIMES, columns=(*REGIMES.columns[:3], column, *REGIMES.columns[3:]))
    values = {c.name: [0.5] for c in older.columns if c.type == "DOUBLE"}
    keys = {"trading_day": [day(197)], "date_id": [197], "fit_as_of": [None]}
    partitions = trading_partitions(LONDON_AND_TOKYO, day(0), day(199), day(199))
    with Lake(tmp_path / "lake") as lake:
        synthetic.fill(lake, synthetic.until(synthetic.prices(), 199))
        lake.replace_days(older, day(197), day(197), {**keys, **values})
        (asset,) = (a for a in build(partitions, ()) if dg.AssetKey(REGIMES.key) in a.keys)
        result = dg.materialize(
            [asset],
            resources={"lake": lake, "settings": SETTINGS},
            tags={
                "dagster/asset_partition_range_start": str(day(198)),
                "dagster/asset_partition_range_end": str(day(199)),
            },
        )
        stored = lake.query(f"FROM {REGIMES.quoted} ORDER BY trading_day")
        of_groups = lake.query(f"FROM {GROUP_VOLATILITY.quoted} ORDER BY ALL")
        pd.testing.assert_frame_equal(of_groups, volatilities_of(lake, 198, 199), check_dtype=False)
    assert stored["volatility_LME"].notna().tolist() == [True, False, False]
    assert stored["correlation"].notna().all()
    metadata = {
        event.asset_key.path[-1]: event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key and event.partition == str(day(199))
    }
    assert set(metadata) == {"regimes", "group_volatility"}
    newest = of_groups[of_groups["instrument_group"] == "LME"]["volatility"].iloc[-1]
    assert metadata["group_volatility"]["volatility_LME"].value == newest
    assert str(metadata["regimes"]["states"].value).startswith("![plot]")


def test_the_picture_is_a_small_png(of_days: pd.DataFrame, of_groups: pd.DataFrame) -> None:
    picture = plot_regimes(of_days, of_groups)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000


def test_kept_regimes_give_the_same_bits(
    watched: Lake, of_days: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = day(0), day(len(DAYS) - 1)
    returns = read_daily_returns(watched, last)
    stored = regime_rows(watched, SETTINGS, returns, first, tmp_path)
    assert len(list(tmp_path.rglob("*.model"))) == len(FIT_ROWS)
    monkeypatch.setattr(
        "statsmodels.tsa.regime_switching.markov_regression.MarkovRegression",
        lambda *_, **__: pytest.fail("fitted again"),
    )
    kept = regime_rows(watched, SETTINGS, returns, first, tmp_path)
    pd.testing.assert_frame_equal(stored, of_days, check_exact=True)
    pd.testing.assert_frame_equal(kept, of_days, check_exact=True)
