"""Pooled learners keep all labels of a small market, and the same part of each day of a large."""

import numpy as np

from quant_assets.models.label_transforms import sample_known, take_known

LABELS = np.random.default_rng(1).normal(size=(6, 200))
LABELS[2, 50:] = np.nan


def test_few_labels_are_all_kept() -> None:
    assert sample_known(LABELS, 7) is LABELS


def test_many_labels_are_thinned_alike_on_every_day() -> None:
    kept = sample_known(LABELS, 7, limit=210)
    known = ~np.isnan(kept)
    np.testing.assert_array_equal(known.sum(axis=1), [40, 40, 10, 40, 40, 40])
    np.testing.assert_array_equal(kept[known], LABELS[known])
    np.testing.assert_array_equal(kept, sample_known(LABELS, 7, limit=210))
    assert not np.array_equal(known, ~np.isnan(sample_known(LABELS, 8, limit=210)))


def test_features_of_known_labels_come_in_the_order_of_labels() -> None:
    features = np.random.default_rng(2).normal(size=(*LABELS.shape, 3))
    expected = features[~np.isnan(LABELS)]
    np.testing.assert_array_equal(take_known(features, LABELS), expected)
