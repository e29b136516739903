"""Kernels on their own: accuracy where it is hard, empty windows, constants."""

import numpy as np
import pytest

from quant_assets.features import kernels
from quant_assets_tests.support import feature_oracle


@pytest.fixture
def gappy() -> np.ndarray:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(300, 70))
    values[rng.random(values.shape) < 0.2] = np.nan
    return values


@pytest.mark.parametrize("window", [1, 2, 3, 7, 8, 20, 100])
def test_rolling_kernels_equal_loops(gappy: np.ndarray, window: int) -> None:
    columns = gappy[:, [0, 63, 64, 69]]
    mean, std = (x[:, [0, 63, 64, 69]] for x in kernels.rolling_mean_std(gappy, [window])[window])
    for ours, statistic in (
        (kernels.rolling_sum(columns, [window])[window], np.sum),
        (kernels.rolling_mean(columns, [window])[window], np.mean),
        (kernels.rolling_rms(columns, [window])[window], feature_oracle.rms),
        (kernels.rolling_max(columns, window), np.max),
        (mean, np.mean),
        (std, np.std),
    ):
        expected = feature_oracle.rolling(columns, window, statistic)
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-13)


def test_several_windows_equal_each_alone(gappy: np.ndarray) -> None:
    together = kernels.rolling_mean_std(gappy, [20, 60, 5])
    for window in (5, 20, 60):
        alone = kernels.rolling_mean_std(gappy, [window])[window]
        np.testing.assert_array_equal(together[window].std, alone.std)


def test_std_keeps_its_digits_far_from_zero() -> None:
    noise = np.random.default_rng(0).normal(scale=1e-3, size=(400, 1))
    far = kernels.rolling_mean_std(1e3 + noise, [250])[250].std
    offset = (1e3 + noise) - 1e3
    np.testing.assert_allclose(far, feature_oracle.rolling(offset, 250, np.std), rtol=1e-9)


def test_constant_has_zero_std_and_no_ratio() -> None:
    std = kernels.rolling_mean_std(np.full((50, 1), 0.1), [20])[20].std
    assert (std[9:] == 0).all()
    assert np.isnan(kernels.ratio(np.ones_like(std), std)).all()


def test_row_statistics() -> None:
    values = np.array([[1.0, 3.0, np.nan], [np.nan, 2.0, np.nan], [np.nan] * 3])
    np.testing.assert_array_equal(kernels.row_mean(values), [2.0, 2.0, np.nan])
    np.testing.assert_array_equal(kernels.row_std(values), [1.0, np.nan, np.nan])


def test_logarithm_takes_positive_finite_values_only() -> None:
    values = np.array([1.0, 0.0, -1.0, np.inf, np.nan])
    np.testing.assert_array_equal(kernels.positive_log(values), [0.0, *[np.nan] * 4])


def test_recent_takes_what_there_is() -> None:
    values = np.arange(3.0)
    assert kernels.tail_rows(values, 2).tolist() == [1.0, 2.0]
    assert kernels.tail_rows(values, 9).tolist() == [0.0, 1.0, 2.0]


def test_logarithm_gives_rows_in_memory_order() -> None:
    """Sums along a row depend on the memory layout, so ``positive_log`` fixes the layout."""
    turned = np.asfortranarray(np.ones((5, 3)))
    assert kernels.positive_log(turned).flags.c_contiguous
