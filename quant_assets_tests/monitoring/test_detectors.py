"""The detectors: against scikit-learn, to the bit, and finding what was planted."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.typing import FloatArray
from quant_assets.market.panel import PricePanel
from quant_assets.models.packing import pack, unpack
from quant_assets.monitoring.anomalies.detector_results import apply_detectors
from quant_assets.monitoring.anomalies.detectors import (
    AUTOENCODER,
    FOREST,
    GROUPS,
    KINDS,
    LEAST_DAYS,
    Detectors,
    group_scores,
    learn_detectors,
    unpack_detectors,
)
from quant_assets.monitoring.anomalies.indicators import LOOKBACK, NAMES, REACH, price_indicators
from quant_assets.monitoring.anomalies.isolation_forest import (
    SAMPLE,
    STRANGE,
    cuts_expected,
    grow_forest,
    unpack_forest,
)
from quant_assets_tests.support import synthetic

SEED, FIT = 7, 300
STRANGE_DAYS = (310, 340, 370, 400)


@pytest.fixture(scope="module")
def panel() -> PricePanel:
    table = synthetic.prices()
    series = [synthetic.parse_column(column) for column in table.columns]
    names = tuple(sorted({one.instrument for one in series}))
    fields: dict[str, FloatArray] = {}
    for j, one in enumerate(series):
        empty = np.full((len(table.days), len(names)), np.nan)
        fields.setdefault(one.field, empty)[:, names.index(one.instrument)] = table.values[:, j]
    return PricePanel(table.days, table.date_ids, names, fields)


@pytest.fixture(scope="module")
def figures(panel: PricePanel) -> FloatArray:
    return price_indicators(panel)


@pytest.fixture(scope="module")
def detectors(figures: FloatArray, panel: PricePanel) -> Detectors:
    return learn_detectors(figures[: FIT + 1], panel.instruments, SEED)


def changed(panel: PricePanel, row: int, change: Callable[[str, FloatArray], None]) -> PricePanel:
    fields = {name: values[: row + 1].copy() for name, values in panel.fields.items()}
    for name, values in fields.items():
        change(name, values)
    return replace(panel.rows(0, row + 1), fields=fields)


def ten_times(name: str, values: FloatArray) -> None:
    if name not in ("volume", "open_interest"):
        values[-1, ::3] *= 10.0


def standing_still(name: str, values: FloatArray) -> None:
    for row in (-3, -2, -1):
        values[row] = values[-4]


def volumes(name: str, values: FloatArray) -> None:
    if name == "volume":
        values[-1] *= 100.0


def severities(detectors: Detectors, panel: PricePanel) -> set[str]:
    newest = price_indicators(panel)[-1:]
    judged = apply_detectors(detectors, newest, panel.instruments)
    return {level for one in judged for level in one.market_rows()["severity"]}


def test_scores_are_scikit_learn_s(figures: FloatArray) -> None:
    from sklearn.ensemble import IsolationForest

    rows = figures[~np.isnan(figures).any(axis=-1)]
    forest = grow_forest(rows, REACH, SEED)
    draw = np.random.default_rng(SEED)
    strange = np.flatnonzero(draw.random(len(rows)) < STRANGE)
    column = draw.integers(rows.shape[1], size=len(strange))
    learnt = rows.copy()
    learnt[strange, column] = draw.uniform(*REACH[column].T)
    theirs = IsolationForest(
        n_estimators=len(forest.feature), max_samples=min(SAMPLE, len(rows)), random_state=SEED
    ).fit(learnt)
    np.testing.assert_allclose(forest.scores(rows), -theirs.score_samples(rows), rtol=1e-12)


def test_cuts_expected_of_few_rows() -> None:
    found = cuts_expected(np.array([1, 2, 3]))
    np.testing.assert_allclose(found, [0.0, 1.0, 2 * (np.log(2) + np.euler_gamma) - 4 / 3])


def test_a_row_s_score_does_not_depend_on_the_others(
    detectors: Detectors, figures: FloatArray, panel: PricePanel
) -> None:
    whole = detectors.scores(figures, panel.instruments)
    for row in (150, 301, 429):
        alone = detectors.scores(figures[row : row + 1], panel.instruments)
        for kind in KINDS:
            np.testing.assert_array_equal(alone[kind][0], whole[kind][row])
            np.testing.assert_array_equal(
                group_scores(alone[kind], panel.instruments)[0],
                group_scores(whole[kind], panel.instruments)[row],
            )


def test_figures_depend_on_the_lookback_alone(panel: PricePanel, figures: FloatArray) -> None:
    for row in (LOOKBACK, 300, 429):
        cut = price_indicators(panel.rows(row - LOOKBACK, row + 1))
        np.testing.assert_array_equal(cut[-1], figures[row])
        np.testing.assert_array_equal(price_indicators(panel.rows(0, row + 1))[-1], figures[row])


def test_figures_know_no_unit(panel: PricePanel, figures: FloatArray) -> None:
    scaled = {name: 8.0 * values for name, values in panel.fields.items()}
    np.testing.assert_allclose(
        price_indicators(replace(panel, fields=scaled)), figures, rtol=1e-6, atol=1e-6
    )


def test_learning_twice_gives_the_same_bits(
    detectors: Detectors, figures: FloatArray, panel: PricePanel
) -> None:
    again = learn_detectors(figures[: FIT + 1], panel.instruments, SEED)
    assert pack(**again.arrays()) == pack(**detectors.arrays())


def test_what_is_stored_is_what_was_learnt(
    detectors: Detectors, figures: FloatArray, panel: PricePanel
) -> None:
    back = unpack_detectors(unpack(pack(**detectors.arrays())))
    assert back.instruments == detectors.instruments
    for kind, scores in back.scores(figures, panel.instruments).items():
        np.testing.assert_array_equal(scores, detectors.scores(figures, panel.instruments)[kind])
        assert back.limits[kind].series == detectors.limits[kind].series
    rows = np.zeros((3, len(NAMES)))
    np.testing.assert_array_equal(
        unpack_forest(detectors.forest.arrays()).scores(rows), detectors.forest.scores(rows)
    )


def test_an_instrument_without_prices_has_no_score(
    detectors: Detectors, figures: FloatArray, panel: PricePanel
) -> None:
    empty = panel.instruments.index(synthetic.EMPTY)
    assert synthetic.EMPTY not in detectors.instruments
    for scores in detectors.scores(figures, panel.instruments).values():
        assert np.isnan(scores[:, empty]).all()


def test_further_instruments_change_no_other_s_score(
    detectors: Detectors, figures: FloatArray, panel: PricePanel
) -> None:
    """Arrays are as wide as all that was ever given, later days included."""
    wider = np.concatenate([figures[:, :3], figures[:, 5:6], figures[:, 3:]], axis=1)
    names = (*panel.instruments[:3], "US_Stock_NEW", *panel.instruments[3:])
    for kind, scores in detectors.scores(wider, names).items():
        expected = detectors.scores(figures, panel.instruments)[kind]
        np.testing.assert_array_equal(np.delete(scores, 3, axis=1), expected)
    assert np.isnan(detectors.scores(wider, names)[AUTOENCODER][:, 3]).all()


@pytest.mark.parametrize("row", STRANGE_DAYS)
def test_ordinary_days_are_not_critical(detectors: Detectors, panel: PricePanel, row: int) -> None:
    assert "critical" not in severities(detectors, panel.rows(0, row + 1))


@pytest.mark.parametrize("row", STRANGE_DAYS)
@pytest.mark.parametrize("change", [ten_times, standing_still, volumes])
def test_a_planted_fault_is_critical(
    detectors: Detectors,
    panel: PricePanel,
    change: Callable[[str, FloatArray], None],
    row: int,
) -> None:
    assert "critical" in severities(detectors, changed(panel, row, change))


def test_a_single_wrong_price_is_a_warning_of_its_series(
    detectors: Detectors, panel: PricePanel
) -> None:
    where = panel.instruments.index("FX_EURUSD")

    def one(name: str, values: FloatArray) -> None:
        values[-1, where] *= 10.0

    wrong = price_indicators(changed(panel, FIT + 10, one))[-1:]
    judged = {one.kind: one for one in apply_detectors(detectors, wrong, panel.instruments)}
    found = judged[AUTOENCODER].series_rows()
    assert set(zip(found["series"], found["severity"], strict=True)) == {("FX_EURUSD", "warning")}
    assert found["text"].str.startswith("return +").all()
    for one_kind in judged.values():
        assert "critical" not in set(one_kind.market_rows()["severity"])


def test_a_market_of_one_instrument_is_not_judged_as_a_whole() -> None:
    scores = np.array([[1.0, 2.0, np.nan]])
    found = group_scores(scores, ("LME_AH", "FX_EURUSD", "FX_USDJPY"))
    assert np.isnan(found[0, :-1]).all()
    assert found[0, GROUPS.index("all")] == 1.0


@pytest.mark.parametrize("days", [0, 1, LEAST_DAYS - 1])
def test_a_short_reference_is_refused(figures: FloatArray, panel: PricePanel, days: int) -> None:
    known = figures[FIT - days : FIT]
    with pytest.raises(NotEnoughHistoryError, match=f"{LEAST_DAYS} days"):
        learn_detectors(known, panel.instruments, SEED)


def test_prices_that_never_move_are_refused(panel: PricePanel) -> None:
    constant = {name: np.ones_like(values) for name, values in panel.fields.items()}
    still = price_indicators(replace(panel, fields=constant))
    with pytest.raises(NotEnoughHistoryError, match="0 days"):
        learn_detectors(still, panel.instruments, SEED)


def test_without_volumes_and_ranges_returns_are_enough(panel: PricePanel) -> None:
    only = replace(panel, fields={"close": panel.close})
    found = learn_detectors(price_indicators(only)[: FIT + 1], panel.instruments, SEED)
    for kind, scores in found.scores(price_indicators(only)[FIT + 1 :], panel.instruments).items():
        assert np.isfinite(scores).any(axis=1).all(), kind
    assert "critical" in severities(found, changed(only, FIT + 20, ten_times))
    assert np.isfinite(found.limits[FOREST].warning).any()
