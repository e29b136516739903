"""Distances compared with scipy and plain loops, and samples without distances."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from quant_assets.core.typing import FloatArray
from quant_assets.monitoring.drift.distances import (
    KS_LIMIT,
    MISSING_LIMIT,
    PSI_LIMIT,
    Distances,
    is_drifted,
    kolmogorov_smirnov,
    measure_distances,
    quantiles,
    stability_index,
    summarise_reference,
)


def ks(first: FloatArray, second: FloatArray) -> float:
    return float(ks_2samp(first, second, method="asymp").statistic)


samples = st.lists(st.integers(-6, 6) | st.floats(-3, 3), min_size=2, max_size=40)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def psi_by_loops(reference: FloatArray, current: FloatArray) -> float:
    """Deciles, bins and shares written out."""
    ordered = sorted(reference)
    edges = sorted({ordered[int(np.ceil(len(ordered) * i / 10)) - 1] for i in range(1, 10)})
    bounds = [-np.inf, *edges, np.inf]
    total = 0.0
    for low, high in pairwise(bounds):
        p = max(np.mean([low < x <= high for x in reference]), 1e-4)
        q = max(np.mean([low < x <= high for x in current]), 1e-4)
        total += (q - p) * np.log(q / p)
    return total


@settings(max_examples=200, deadline=None)
@given(samples, samples)
def test_kolmogorov_smirnov_is_scipy_s(first: list[float], second: list[float]) -> None:
    """With ties within a sample and across the two."""
    a, b = np.sort(np.array(first, float)), np.sort(np.array(second, float))
    assert kolmogorov_smirnov(a, b) == pytest.approx(ks(a, b), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_distances_are_those_of_plain_loops(seed: int) -> None:
    draw = random(seed)
    windows, current = draw.normal(size=(6, 50)), draw.normal(0.3, 1.2, 70)
    if seed % 2:
        windows, current = windows.round(), current.round()
    windows[draw.random(windows.shape) < 0.1] = np.nan
    current[:10] = np.nan
    reference = summarise_reference(windows)
    distances, reason = measure_distances(reference, current)
    known, now = windows[~np.isnan(windows)], current[10:]
    assert distances.psi == pytest.approx(psi_by_loops(known, now), abs=1e-9)
    assert distances.ks == pytest.approx(ks(known, now), abs=1e-9)
    assert distances.missing == pytest.approx(1 / 7 - np.isnan(windows).mean(), abs=1e-12)
    assert reason is None


@pytest.mark.parametrize("rounded", [False, True])
def test_limits_are_the_farthest_window_s(rounded: bool) -> None:
    """Each window compared with all others: PSI over the reference's deciles, KS to a percent."""
    draw = random(3)
    windows = draw.normal(draw.normal(0, 1.0, (7, 1)), 1.0, (7, 200))
    windows = windows.round() if rounded else windows
    reference = summarise_reference(windows)
    psi, distances = [], []
    for row in range(7):
        rest = np.delete(windows, row, axis=0).ravel()
        bounds = np.array([-np.inf, *reference.edges, np.inf])
        bins = [np.searchsorted(bounds, x, side="left") for x in (rest, windows[row])]
        p, q = (np.bincount(b, minlength=len(bounds))[1:] / len(b) for b in bins)
        psi.append(stability_index(p, q))
        distances.append(ks(rest, windows[row]))
    assert reference.limits.psi == pytest.approx(max(psi), abs=1e-9)
    assert 0 <= reference.limits.ks - max(distances) <= 0.01 + 1e-12


def test_equal_windows_have_the_general_limits() -> None:
    assert summarise_reference(random().normal(size=(8, 1000))).limits == (
        PSI_LIMIT,
        KS_LIMIT,
        MISSING_LIMIT,
    )


def test_the_limits_are_a_shift_of_half_a_deviation() -> None:
    """As the rules of thumb are explained."""
    reference = summarise_reference(random().normal(size=(10, 40_000)))
    shifted, _ = measure_distances(reference, random(1).normal(0.5, 1.0, 400_000))
    assert shifted.psi == pytest.approx(PSI_LIMIT, abs=0.03)
    assert shifted.ks == pytest.approx(KS_LIMIT, abs=0.01)


def test_a_window_like_the_reference_s_own_has_not_drifted_and_another_has() -> None:
    """The means of windows wander: a window among them is usual, one beyond them is not."""
    draw = random(4)
    windows = draw.normal(np.linspace(-2, 2, 12)[:, None], 1.0, (12, 300))
    reference = summarise_reference(windows)
    among, _ = measure_distances(reference, draw.normal(1.0, 1.0, 300))
    beyond, _ = measure_distances(reference, draw.normal(5.0, 1.0, 300))
    assert among.psi > PSI_LIMIT
    assert not is_drifted(among, reference.limits)
    assert is_drifted(beyond, reference.limits)


def test_exchangeable_windows_drift_by_chance_alone() -> None:
    """At most once in ``windows + 1`` times for each of the two distances."""
    draw = random(5)
    drifted = 0
    for _ in range(300):
        level = draw.normal(size=(13, 1))
        windows = level + 0.5 * draw.normal(size=(13, 100))
        reference = summarise_reference(windows[:12])
        drifted += is_drifted(measure_distances(reference, windows[12])[0], reference.limits)
    assert 0 < drifted / 300 < 2 / 13


@pytest.mark.parametrize(
    ("windows", "current", "psi", "ks", "reason"),
    [
        (np.full((4, 9), np.nan), np.ones(9), False, False, "no value in the reference"),
        (np.empty((0, 20)), np.ones(9), False, False, "no value in the reference"),
        (np.ones((4, 9)), np.ones(9), False, True, "constant in the reference"),
        (np.ones((4, 9)), np.zeros(9), False, True, "constant in the reference"),
        (np.eye(9), np.full(9, np.nan), False, False, "no value in the window"),
        (np.eye(9), np.full(9, np.inf), False, False, "no value in the window"),
        (np.eye(9), np.empty(0), False, False, "no value in the window"),
        (np.arange(36.0).reshape(4, 9), np.full(9, 1e30), True, True, None),
        (np.full((4, 9), np.nan), np.full(9, np.nan), False, False, "no value in the reference"),
    ],
)
def test_a_distance_is_finite_or_has_a_reason(
    windows: FloatArray, current: FloatArray, psi: bool, ks: bool, reason: str | None
) -> None:
    reference = summarise_reference(windows.astype(np.float32))
    distances, why = measure_distances(reference, current.astype(np.float32))
    assert why == reason
    assert (np.isfinite(distances.psi), np.isfinite(distances.ks)) == (psi, ks)
    assert np.isfinite(distances.missing)
    assert np.isfinite(reference.limits).all()


def test_another_value_after_a_constant_has_drifted() -> None:
    reference = summarise_reference(np.ones((4, 9)))
    assert not is_drifted(measure_distances(reference, np.ones(9))[0], reference.limits)
    assert is_drifted(measure_distances(reference, np.zeros(9))[0], reference.limits)


def test_a_column_without_values_has_drifted() -> None:
    reference = summarise_reference(random().normal(size=(4, 100)))
    distances, _ = measure_distances(reference, np.full(100, np.nan))
    assert distances.missing == 1.0
    assert is_drifted(distances, reference.limits)


def test_a_single_window_has_the_general_limits() -> None:
    windows = np.full((3, 50), np.nan)
    windows[1] = random().normal(size=50)
    assert summarise_reference(windows).limits == (PSI_LIMIT, KS_LIMIT, MISSING_LIMIT)


def test_infinite_cells_count_as_missing() -> None:
    windows = random().normal(size=(4, 50))
    gaps = windows.copy()
    windows[2, :7] = np.inf
    gaps[2, :7] = np.nan
    current = random(1).normal(size=50)
    assert measure_distances(summarise_reference(windows), current) == measure_distances(
        summarise_reference(gaps), current
    )


def test_an_undefined_distance_is_not_beyond_a_limit() -> None:
    undefined = Distances(np.nan, np.nan, np.nan)
    assert not is_drifted(undefined, Distances(PSI_LIMIT, KS_LIMIT, MISSING_LIMIT))


def test_quantiles_are_values_of_the_sample() -> None:
    ordered = np.arange(1.0, 101.0)
    np.testing.assert_array_equal(quantiles(ordered, np.arange(1, 100)), ordered[:99])
    np.testing.assert_array_equal(quantiles(ordered[:3], np.array([1, 34, 99])), [1.0, 2.0, 3.0])


def test_cells_outside_of_the_universe_are_not_missing() -> None:
    windows = np.random.default_rng(6).normal(size=(8, 100))
    windows[:, :10] = np.nan
    whole = summarise_reference(windows)
    inside = summarise_reference(windows, counted=8 * 95)
    assert (whole.missing, inside.missing) == pytest.approx((0.1, 5 / 95))
    np.testing.assert_array_equal(whole.ordered, inside.ordered)
    assert whole.limits == inside.limits
