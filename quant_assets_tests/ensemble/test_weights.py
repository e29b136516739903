"""Weights of families, against a computation day by day, and read from the lake."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.ensemble.blend import read_weights
from quant_assets.ensemble.weights import MIN_DAYS, learned_weights
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.store.lake import Lake

NAMES = ("good", "better", "bad")
DAYS = np.datetime64("2024-01-01") + np.arange(60)


@pytest.fixture
def ic() -> FloatArray:
    ic = np.random.default_rng(3).normal([0.1, 0.2, -0.2], 0.3, size=(60, 3))
    ic[:20, 1] = np.nan
    ic[30] = np.nan
    return ic


def slowly(ic: FloatArray, prior: int) -> list[float]:
    """Compute the weights after the last day with loops over families and pairs."""
    k = ic.shape[1]
    own = [column[~np.isnan(column)] for column in ic.T]
    if max(map(len, own)) <= MIN_DAYS:
        return [1.0] * k
    some = [len(x) >= 2 for x in own]
    deviations = [x.std() if has else np.nan for x, has in zip(own, some, strict=True)]
    typical = np.nanmean(deviations)
    ratios = [x.mean() / x.std() if has else np.nan for x, has in zip(own, some, strict=True)]
    mean = np.nanmean(ratios)
    shrunk = [
        (len(x) * r + prior * mean) / (len(x) + prior) if has else mean
        for x, r, has in zip(own, ratios, some, strict=True)
    ]
    correlation = np.eye(k)
    for i in range(k):
        for j in range(k):
            both = ~np.isnan(ic[:, i]) & ~np.isnan(ic[:, j])
            if i != j and both.any() and some[i] and some[j]:
                product = (ic[both, i] * ic[both, j]).mean() - own[i].mean() * own[j].mean()
                value = np.clip(product / deviations[i] / deviations[j], -1, 1)
                correlation[i, j] = value * both.sum() / (both.sum() + prior)
    solved = np.linalg.inv(correlation) @ np.maximum(shrunk, 0.0)
    raw = np.maximum(solved / np.where(some, deviations, typical), 0.0)
    return list(raw / raw.sum() * k) if raw.sum() > 0 else [1.0] * k


@pytest.mark.parametrize("prior", [1, 50, 500])
def test_each_day_by_itself(ic: FloatArray, prior: int) -> None:
    expected = [slowly(ic[: row + 1], prior) for row in range(len(ic))]
    np.testing.assert_allclose(learned_weights(ic, prior), expected, rtol=1e-9, atol=1e-12)


def test_nothing_later_matters(ic: FloatArray) -> None:
    altered = ic.copy()
    altered[40:] = 1.0
    ours, theirs = learned_weights(ic, 20), learned_weights(altered, 20)
    np.testing.assert_array_equal(ours[:40], theirs[:40])
    assert (ours[40:] != theirs[40:]).any(axis=1).all()


def test_the_better_counts_more(ic: FloatArray) -> None:
    last = learned_weights(ic, 10)[-1]
    assert last[1] > last[0] > last[2] >= 0.0


def test_the_steadier_of_two_that_are_equally_good_counts_more() -> None:
    """With the same ratio of mean to deviation, half the deviation gives twice the weight."""
    first = np.random.default_rng(5).normal(0.1, 0.2, size=400)
    other = np.random.default_rng(6).normal(size=400)
    other = first.mean() + first.std() * (other - other.mean()) / other.std()
    last = learned_weights(np.stack([first, other / 2], axis=1), 500)[-1]
    assert last[1] / last[0] == pytest.approx(2.0)


def test_two_that_are_alike_count_as_one() -> None:
    ic = np.random.default_rng(5).normal(0.1, 0.2, size=(2000, 2))
    twin = ic[:, :1] + np.random.default_rng(6).normal(0, 0.01, size=(2000, 1))
    last = learned_weights(np.concatenate([ic, twin], axis=1), 1)[-1]
    alone = learned_weights(ic, 1)[-1]
    assert (last[0] + last[2]) / last[1] == pytest.approx(alone[0] / alone[1], rel=0.05)


def test_the_first_days_are_equal(ic: FloatArray) -> None:
    np.testing.assert_array_equal(learned_weights(ic)[:MIN_DAYS], np.ones((MIN_DAYS, 3)))


def test_without_any_good_family_all_count_the_same() -> None:
    random = np.random.default_rng(0).normal(size=(60, 3))
    np.testing.assert_array_equal(learned_weights(-np.abs(random)), np.ones((60, 3)))
    np.testing.assert_array_equal(learned_weights(np.full((5, 3), np.nan)), np.ones((5, 3)))


@pytest.fixture
def lake(tmp_path: Path, ic: FloatArray) -> Iterator[Lake]:
    """A lake whose track record holds the ICs, each known three days after its forecast."""
    row, column = np.nonzero(~np.isnan(ic))
    rows = {
        "trading_day": DAYS[row] - 3,
        "date_id": row,
        "family": np.array(NAMES)[column],
        "ic": ic[row, column],
        "released_on": DAYS[row],
    }
    with Lake(tmp_path) as opened:
        opened.replace_days(TRACK_RECORD, DAYS[0].item(), DAYS[-1].item(), rows)
        yield opened


def test_a_day_is_weighted_by_what_was_known_by_then(lake: Lake, ic: FloatArray) -> None:
    weights = read_weights(lake, NAMES, DAYS)
    known = ~np.isnan(ic).all(axis=1)
    np.testing.assert_array_equal(weights[known], learned_weights(ic)[known])
    np.testing.assert_array_equal(weights[30], weights[29])
    before = read_weights(lake, NAMES, DAYS[:1] - 1)
    np.testing.assert_array_equal(before, np.ones((1, 3)))
    for row in (0, 25, 30, 59):
        np.testing.assert_array_equal(
            read_weights(lake, NAMES, DAYS[row : row + 1])[0], weights[row]
        )


def test_without_a_record_all_count_the_same(tmp_path: Path) -> None:
    with Lake(tmp_path) as opened:
        np.testing.assert_array_equal(read_weights(opened, NAMES, DAYS), np.ones((60, 3)))
