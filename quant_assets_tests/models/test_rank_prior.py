"""The variants of the rank prior, against slow and obvious versions."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from quant_assets.core.errors import UnknownNameError
from quant_assets.core.typing import FloatArray
from quant_assets.models.families import rank_prior
from quant_assets.models.label_transforms import decorrelation_matrix, ranked_labels
from quant_assets.models.protocol import FeatureBlock, Observations, Resources
from quant_assets.models.registry import DAILY, load_family

WINDOW, PRIOR_DAYS = 200, 60


def score(observations: Observations, **changed: object) -> FloatArray:
    parameters = {**rank_prior.defaults, "window": WINDOW, **changed}
    return rank_prior.fit(observations, parameters, Resources()).score


def ranks_of(observations: Observations) -> FloatArray:
    return ranked_labels(observations.rows(len(observations.days) - WINDOW, len(observations.days)))


def slow_mean(observations: Observations) -> FloatArray:
    columns = [column[~np.isnan(column)] for column in ranks_of(observations).T]
    return np.array([column.sum() / (len(column) + PRIOR_DAYS) for column in columns])


def test_the_mean_counts_known_days_and_prior_days(observations: Observations) -> None:
    ours = score(observations, variant="mean", prior_days=PRIOR_DAYS)
    np.testing.assert_allclose(ours, slow_mean(observations), rtol=1e-12)


def test_diagonal_divides_by_each_deviation(observations: Observations) -> None:
    deviation = [np.std(column[~np.isnan(column)]) for column in ranks_of(observations).T]
    np.testing.assert_allclose(
        score(observations, variant="diagonal"), slow_mean(observations) / deviation, rtol=1e-12
    )


def test_ledoit_wolf_is_the_library_s_covariance(observations: Observations) -> None:
    """Equal up to a factor, which changes no rank."""
    days = ranks_of(observations)
    days = np.nan_to_num(days[(~np.isnan(days)).any(axis=1)])
    expected = np.linalg.solve(LedoitWolf().fit(days).covariance_, slow_mean(observations))
    expected *= np.cov(days.T, ddof=0).trace() / days.shape[1]
    np.testing.assert_allclose(
        score(observations, variant="ledoit_wolf"), expected, rtol=1e-6, atol=1e-9
    )


def test_full_shrinkage_leaves_the_mean(observations: Observations) -> None:
    np.testing.assert_allclose(
        score(observations, shrinkage=1.0), slow_mean(observations), rtol=1e-12
    )
    assert not np.allclose(score(observations, shrinkage=0.4), slow_mean(observations), rtol=0.1)


def test_no_other_weights_have_a_better_ratio_on_the_days_they_are_from() -> None:
    """Mean over deviation of the product of scores and ranks, as in the competition's score."""
    random = np.random.default_rng(1)
    mixing = random.normal(size=(12, 12))
    ranks = 0.3 * random.normal(size=12) + random.normal(size=(500, 12)) @ mixing
    best = ranks.mean(axis=0) @ decorrelation_matrix(ranks, 1e-9)

    def ratio(weights: FloatArray) -> float:
        return float(np.mean(ranks @ weights) / np.std(ranks @ weights))

    others = best + 0.1 * np.linalg.norm(best) * random.normal(size=(200, 12))
    assert max(ratio(other) for other in others) < ratio(best)
    assert ratio(ranks.mean(axis=0)) < ratio(best)


def test_an_unknown_variant_is_named_with_the_nearest(observations: Observations) -> None:
    with pytest.raises(UnknownNameError, match="did you mean diagonal"):
        score(observations, variant="diagonl")


def test_families_that_are_fitted_daily_read_no_features(observations: Observations) -> None:
    """Families that are fitted daily give the same fit with and without features."""

    def emptied(block: FeatureBlock) -> FeatureBlock:
        return FeatureBlock((), block.values[..., :0])

    bare = replace(
        observations,
        target=emptied(observations.target),
        instrument=emptied(observations.instrument),
        market=emptied(observations.market),
    )
    for name in DAILY:
        fitted = [
            load_family(name).fit(known, load_family(name).defaults, Resources()).to_bytes()
            for known in (observations, bare)
        ]
        assert fitted[0] == fitted[1]
