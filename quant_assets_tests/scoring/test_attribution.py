"""Attribution: shares of planted parts, and shares of stored fits through the lake."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import read_members
from quant_assets.features.catalogue import CATALOGUE
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import COMPETITION_GROUPS
from quant_assets.models.families import bayesian_svar
from quant_assets.models.protocol import Resources
from quant_assets.models.registry import FAMILIES
from quant_assets.scoring.attribution import (
    ATTRIBUTED_DAYS,
    FamilyParts,
    attribution_rows,
    first_attributed_day,
    group_inputs,
    read_family_parts,
    variance_shares,
)
from quant_assets_tests.support import leg_market, synthetic
from quant_assets_tests.support.fitted_lake import ALTERED_AFTER, FIT_ROWS, FittedLake

GROUPS = group_inputs(COMPETITION_GROUPS)
FIRST, LAST = ALTERED_AFTER - 3, ALTERED_AFTER + 1


def day(fitted: FittedLake, row: int) -> date:
    return fitted.days[row].item()


def unwanted(warning: str) -> None:
    raise AssertionError(warning)


def rows_of(fitted: FittedLake, first: int, last: int) -> pd.DataFrame:
    """Attribution rows of every family and of the ensemble, sorted."""
    ends = day(fitted, first), day(fitted, last)
    of_families = read_family_parts(fitted.lake, fitted.settings, FAMILIES, *ends, unwanted)
    blended = FamilyParts("ensemble", *read_members(fitted.lake, FAMILIES, *ends))
    rows = attribution_rows(fitted.lake, [blended, *of_families])
    return rows.sort_values(["trading_day", "family", "inputs"], ignore_index=True)


@pytest.fixture(scope="module")
def of_days(fitted: FittedLake) -> pd.DataFrame:
    """Attribution rows of the last days that both markets share, and of the next day."""
    return rows_of(fitted, FIRST, LAST)


@pytest.fixture(scope="module")
def young_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake with features of some days and no fits."""
    with Lake(tmp_path_factory.mktemp("young")) as opened:
        synthetic.fill(opened, synthetic.until(synthetic.prices(), 110))
        yield opened


def planted(days: int, targets: int) -> dict[str, FloatArray]:
    """Uncorrelated parts of variance 1 and 9, and a constant part."""
    random = np.random.default_rng(5)
    rows = []
    for _ in range(days):
        around = random.normal(size=(targets, 2))
        q, _ = np.linalg.qr(around - around.mean(axis=0))
        rows.append(q.T)
    small, large = np.moveaxis(np.array(rows), 1, 0)
    return {"small": small, "large": 3.0 * large, "constant": np.full((days, targets), 7.0)}


def test_planted_shares_are_found() -> None:
    result = variance_shares(planted(4, 30))
    np.testing.assert_allclose(result["small"], 0.1, atol=1e-12)
    np.testing.assert_allclose(result["large"], 0.9, atol=1e-12)
    np.testing.assert_allclose(result["constant"], 0.0, atol=1e-12)


def test_shares_are_those_of_the_covariance() -> None:
    random = np.random.default_rng(6)
    parts = {name: random.normal(size=(3, 20)) for name in "abc"}
    parts["a"] *= 3.0
    parts["against"] = -0.5 * parts["a"]
    score = sum(parts.values())
    result = variance_shares(parts)
    for name, part in parts.items():
        for row in range(3):
            covariance = np.cov(part[row], score[row])
            assert result[name][row] == pytest.approx(
                covariance[0, 1] / covariance[1, 1], rel=1e-12
            )
    assert (result["against"] < 0).all()


def test_a_part_missing_on_a_day_has_no_share_of_it() -> None:
    parts = planted(3, 30)
    parts["small"][1] = np.nan
    result = variance_shares(parts)
    assert np.isnan(result["small"]).tolist() == [False, True, False]
    assert result["large"][1] == pytest.approx(1.0)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9])
def test_equal_scores_rest_on_nothing(level: float) -> None:
    """Shares are NaN also if scores are equal but for rounding."""
    noise = level * 1e-15 * np.random.default_rng(0).normal(size=(2, 10))
    result = variance_shares(
        {"a": np.full((2, 10), level) + noise, "b": np.full((2, 10), 3.0 * level)}
    )
    assert all(np.isnan(share).all() for share in result.values())


def test_inputs_are_shown_in_the_groups_of_their_features() -> None:
    units = {f.name: f.group for f in CATALOGUE if f.level in ("instrument", "target")}
    assert units.items() <= GROUPS.items()
    assert GROUPS["factor_LME_5"] == GROUPS["factor_all_5"] == "factor"
    assert GROUPS["US_minus_JPX_1"] == "cross-market"


def test_returns_that_follow_one_market_rest_on_it() -> None:
    """US returns continue for some days and Tokyo follows; metals and currencies are noise."""
    coefficients = np.zeros((4, 4))
    coefficients[[1, 3], 3] = 0.7
    observations = leg_market.observe(leg_market.vector_autoregression(coefficients, 1500, seed=2))
    model = bayesian_svar.fit(observations, bayesian_svar.defaults, Resources())
    result = variance_shares(model.contributions(observations, 250, GROUPS))
    assert set(result) == {"drift", "FX", "JPX", "LME", "US"}
    assert np.median(result.pop("US")) > 0.8
    assert all(np.median(share) < 0.2 for share in result.values())


def test_shares_of_a_day_sum_to_one(of_days: pd.DataFrame) -> None:
    sums = of_days.groupby(["family", "trading_day"])["share"].sum().unstack()
    assert set(sums.index) == {"ensemble", *FAMILIES}
    assert sums.shape[1] == 5
    np.testing.assert_allclose(sums, 1.0, atol=1e-9)


def test_rows_are_those_of_the_table(of_days: pd.DataFrame) -> None:
    assert of_days.columns.tolist() == [column.name for column in ATTRIBUTION.columns]
    dated = of_days.drop_duplicates("trading_day")
    assert dated["date_id"].tolist() == list(range(FIRST, LAST + 1))
    assert not of_days.duplicated(["trading_day", "family", "inputs"]).any()


def test_the_ensemble_rests_on_its_members(fitted: FittedLake, of_days: pd.DataFrame) -> None:
    """Families have equal weights before any IC is known."""
    ranks = np.stack([standardised_ranks(fitted.forecasts[name].values) for name in FAMILIES])
    at = np.searchsorted(fitted.forecasts["ridge"].days, fitted.days[FIRST])
    of_ensemble = of_days[of_days["family"] == "ensemble"].set_index("inputs")
    mean = ranks[:, at].mean(axis=0)
    for name, rank in zip(FAMILIES, ranks[:, at], strict=True):
        covariance = np.cov(rank / len(FAMILIES), mean)
        share = of_ensemble.loc[name, "share"].iloc[0]
        assert share == pytest.approx(covariance[0, 1] / covariance[1, 1], rel=1e-9)


def test_nothing_later_matters(altered: FittedLake, of_days: pd.DataFrame) -> None:
    """Every price after a day is changed."""
    theirs = rows_of(altered, FIRST, LAST)
    same = of_days["trading_day"] <= altered.days[ALTERED_AFTER]
    assert len(theirs) == len(of_days)
    assert same.sum() == 4 * len(of_days) / 5
    pd.testing.assert_frame_equal(of_days[same], theirs[same], check_exact=True)
    moving = ~same & ~of_days["family"].eq("rank_prior") & (of_days["share"].abs() > 1e-9)
    assert (of_days[moving]["share"] != theirs[moving]["share"]).all()


def test_a_day_alone_is_attributed_as_in_a_range(fitted: FittedLake, of_days: pd.DataFrame) -> None:
    for row in (FIRST, LAST):
        alone = rows_of(fitted, row, row)
        expected = of_days[of_days["date_id"] == row].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_the_fit_in_force_is_attributed(fitted: FittedLake) -> None:
    """Days before the first fit have no parts; later days have those of the fit in force."""
    ends = day(fitted, 190), day(fitted, 310)
    result = list(read_family_parts(fitted.lake, fitted.settings, ["ridge"], *ends, unwanted))
    periods = [fitted.days[FIT_ROWS[0] : FIT_ROWS[1]], fitted.days[FIT_ROWS[1] : 311]]
    for parts, days in zip(result, periods, strict=True):
        np.testing.assert_array_equal(parts.days, days)
        score = np.sum(list(parts.parts.values()), axis=0)
        np.testing.assert_allclose(score, fitted.forecasts["ridge"].on(days), rtol=0, atol=1e-12)


def test_a_family_without_a_fit_has_no_rows(young_lake: Lake, fitted: FittedLake) -> None:
    ends = day(fitted, 100), day(fitted, 110)
    assert not list(read_family_parts(young_lake, fitted.settings, FAMILIES, *ends, unwanted))
    days, parts = read_members(young_lake, FAMILIES, *ends)
    rows = attribution_rows(young_lake, [FamilyParts("ensemble", days, parts)])
    assert rows.columns.tolist() == [column.name for column in ATTRIBUTION.columns]
    assert rows.empty


def test_a_family_with_a_bad_fit_is_left_out(fitted: FittedLake, tmp_path: Path) -> None:
    empty = fitted.settings.model_copy(update={"data_dir": tmp_path})
    said: list[str] = []
    ends = day(fitted, 300), day(fitted, 301)
    assert not list(
        read_family_parts(fitted.lake, empty, ["ridge", "rank_prior"], *ends, said.append)
    )
    assert [text.split(":")[0] for text in said] == [
        "ridge is not attributed",
        "rank_prior is not attributed",
    ]


def test_of_a_range_the_newest_days_are_attributed(fitted: FittedLake) -> None:
    end = day(fitted, 300)
    assert first_attributed_day(fitted.lake, day(fitted, 0), end) == day(
        fitted, 301 - ATTRIBUTED_DAYS
    )
    assert first_attributed_day(fitted.lake, day(fitted, 295), end) == day(fitted, 295)
    assert first_attributed_day(fitted.lake, end, end) == end
