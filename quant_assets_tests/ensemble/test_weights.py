"""Weights of families, against one day after another, and how they come from the lake."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quant_assets.ensemble.blend import weights_of
from quant_assets.ensemble.weights import learned_weights
from quant_assets.lake.judgement_tables import TRACK_RECORD
from quant_assets.lake.lake import Lake
from quant_assets.typing import FloatArray

NAMES = ("good", "better", "bad")
DAYS = np.datetime64("2024-01-01") + np.arange(60)


@pytest.fixture
def ic() -> FloatArray:
    found = np.random.default_rng(3).normal([0.1, 0.2, -0.2], 0.3, size=(60, 3))
    found[:20, 1] = np.nan
    found[30] = np.nan
    return found


def slowly(ic: FloatArray, prior: int) -> list[float]:
    every = ic[~np.isnan(ic)]
    overall = every.mean() if len(every) else 0.0
    raw = []
    for column in ic.T:
        own = column[~np.isnan(column)]
        raw.append(max((own.sum() + prior * overall) / max(len(own) + prior, 1), 0.0))
    return [3 * x / sum(raw) if sum(raw) else 1.0 for x in raw]


@pytest.mark.parametrize("prior", [0, 1, 50])
def test_each_day_by_itself(ic: FloatArray, prior: int) -> None:
    expected = [slowly(ic[: row + 1], prior) for row in range(len(ic))]
    np.testing.assert_allclose(learned_weights(ic, prior), expected, rtol=1e-9)


def test_nothing_later_matters(ic: FloatArray) -> None:
    altered = ic.copy()
    altered[40:] = 1.0
    ours, theirs = learned_weights(ic, 20), learned_weights(altered, 20)
    np.testing.assert_array_equal(ours[:40], theirs[:40])
    assert (ours[40:] != theirs[40:]).any(axis=1).all()


def test_the_better_counts_more_and_the_bad_not_at_all(ic: FloatArray) -> None:
    last = learned_weights(ic, 10)[-1]
    assert last[1] > last[0] > last[2] == 0.0
    nearly_equal = learned_weights(np.abs(ic), 10**6)[-1]
    np.testing.assert_allclose(nearly_equal, 1.0, atol=1e-3)


def test_without_any_good_family_all_count_the_same() -> None:
    np.testing.assert_array_equal(learned_weights(np.full((5, 3), -0.1)), np.ones((5, 3)))
    np.testing.assert_array_equal(learned_weights(np.full((5, 3), np.nan)), np.ones((5, 3)))


@pytest.fixture
def lake(tmp_path: Path, ic: FloatArray) -> Iterator[Lake]:
    """The ICs as a track record: forecast three days before they are known."""
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


def test_a_day_is_weighted_by_what_was_released_by_then(lake: Lake, ic: FloatArray) -> None:
    found = weights_of(lake, NAMES, DAYS)
    known = ~np.isnan(ic).all(axis=1)
    np.testing.assert_array_equal(found[known], learned_weights(ic)[known])
    np.testing.assert_array_equal(found[30], found[29])
    before = weights_of(lake, NAMES, DAYS[:1] - 1)
    np.testing.assert_array_equal(before, np.ones((1, 3)))
    for row in (0, 25, 30, 59):
        np.testing.assert_array_equal(weights_of(lake, NAMES, DAYS[row : row + 1])[0], found[row])


def test_without_a_record_all_count_the_same(tmp_path: Path) -> None:
    with Lake(tmp_path) as opened:
        np.testing.assert_array_equal(weights_of(opened, NAMES, DAYS), np.ones((60, 3)))
