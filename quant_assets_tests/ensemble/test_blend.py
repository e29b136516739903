"""The blend of families, also where some have no forecast."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import blend_forecasts, rank_average, read_members
from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.readers.prices import pairs_rows
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support import synthetic

N, M = 12, 40


def random_scores(seed: int, days: int = N) -> FloatArray:
    return np.random.default_rng(seed).normal(scale=10.0**seed, size=(days, M))


def average(members: list[FloatArray]) -> FloatArray:
    return rank_average(members, np.ones((len(members[0]), len(members))))


def standardised(row: FloatArray) -> FloatArray:
    return (2 * rankdata(row) - len(row) - 1) / len(row)


def test_blend_is_the_mean_of_ranks_whatever_their_scale() -> None:
    members = [random_scores(seed) for seed in range(3)]
    expected = np.mean([[standardised(row) for row in member] for member in members], axis=0)
    np.testing.assert_allclose(average(members), expected, rtol=0, atol=1e-15)
    stretched = [np.exp(members[0]), *members[1:]]
    np.testing.assert_array_equal(average(stretched), average(members))


def test_a_family_without_forecast_does_not_count() -> None:
    first, second = random_scores(0), random_scores(1)
    second[3:6] = np.nan
    first[5:8] = np.nan
    blended = average([first, second])
    np.testing.assert_array_equal(blended[3:5], average([first])[3:5])
    np.testing.assert_array_equal(blended[6:8], average([second])[6:8])
    assert np.isnan(blended[5]).all()
    assert np.isfinite(np.delete(blended, 5, axis=0)).all()


def test_a_day_does_not_depend_on_others() -> None:
    members = [random_scores(seed) for seed in range(3)]
    members[1][4] = np.nan
    bulk = average(members)
    for row in range(N):
        alone = average([member[row : row + 1] for member in members])
        np.testing.assert_array_equal(alone, bulk[row : row + 1])


def test_weights_count_by_day() -> None:
    first, second = random_scores(0), random_scores(1)
    weights = np.tile([1.0, 1.0], (N, 1))
    weights[3:5] = [3.0, 1.0]
    weights[6] = [0.0, 2.0]
    blended = rank_average([first, second], weights)
    np.testing.assert_array_equal(blended[:3], average([first, second])[:3])
    np.testing.assert_array_equal(blended[6], average([second])[6])
    expected = [
        (3 * standardised(a) + standardised(b)) / 4 for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(blended[3:5], expected[3:5], rtol=0, atol=1e-15)


def test_families_without_weight_stand_in_where_no_other_has_a_forecast() -> None:
    first, second, third = (random_scores(seed) for seed in range(3))
    third[2:4] = np.nan
    second[3] = np.nan
    blended = rank_average([first, second, third], np.tile([0.0, 0.0, 2.0], (N, 1)))
    np.testing.assert_array_equal(blended[2], average([first, second])[2])
    np.testing.assert_array_equal(blended[3], average([first])[3])
    np.testing.assert_array_equal(blended[4:], average([third])[4:])


def test_no_days() -> None:
    assert average([np.empty((0, M))] * 2).shape == (0, M)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path) as opened:
        opened.replace_all(RAW_TARGET_PAIRS, pairs_rows(synthetic.pairs()))
        synthetic.number_days(opened, synthetic.prices().days[:N], first_id=0)
        yield opened


def store(lake: Lake, name: str, rows: slice, values: FloatArray, fit_row: int) -> None:
    days = synthetic.prices().days
    fit_as_of = np.full(len(days[rows]), days[fit_row])
    forecasts = Forecasts(days[rows], values, fit_as_of, synthetic.pairs().targets)
    ends = days[rows][0].item(), days[rows][-1].item()
    lake.replace_days(forecasts_table(name), *ends, forecast_rows(lake, forecasts))


def test_blend_of_stored_forecasts(lake: Lake) -> None:
    """One family begins later, one has no forecast; ``fit_as_of`` is the newest."""
    days = synthetic.prices().days[:N]
    first, second = random_scores(0), random_scores(1, days=N - 5)
    store(lake, "first", slice(0, N), first, fit_row=0)
    store(lake, "second", slice(5, N), second, fit_row=4)
    result = blend_forecasts(lake, ["first", "second", "never"], days[2].item(), days[-1].item())
    np.testing.assert_array_equal(result.days, days[2:])
    np.testing.assert_array_equal(result.values[:3], average([first[2:5]]))
    np.testing.assert_array_equal(result.values[3:], average([first[5:], second]))
    assert result.fit_as_of.tolist() == [days[0].item()] * 3 + [days[4].item()] * (N - 5)
    assert result.targets == synthetic.pairs().targets


def test_members_make_up_the_blend(lake: Lake) -> None:
    """One family begins later, and one never has a forecast."""
    days = synthetic.prices().days[:N]
    store(lake, "first", slice(0, N), random_scores(0), fit_row=0)
    store(lake, "second", slice(5, N), random_scores(1, days=N - 5), fit_row=4)
    names, ends = ["first", "second", "never"], (days[2].item(), days[-1].item())
    result, parts = read_members(lake, names, *ends)
    np.testing.assert_array_equal(result, days[2:])
    count = 3 - np.isnan(list(parts.values())).sum(axis=0)
    assert count[:, 0].tolist() == [1] * 3 + [2] * (N - 5)
    mean = np.nansum(list(parts.values()), axis=0) / count
    np.testing.assert_allclose(mean, blend_forecasts(lake, names, *ends).values, rtol=0, atol=1e-15)


def test_without_any_forecast_there_is_no_day(lake: Lake) -> None:
    days = synthetic.prices().days
    result = blend_forecasts(lake, ["never", "ever"], days[0].item(), days[-1].item())
    assert result.values.shape == (0, 40)
    assert len(result.days) == len(result.fit_as_of) == 0
    none, parts = read_members(lake, ["never", "ever"], days[0].item(), days[-1].item())
    assert len(none) == 0
    assert {name: part.shape for name, part in parts.items()} == {"never": (0, 40), "ever": (0, 40)}
