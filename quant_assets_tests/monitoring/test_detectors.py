"""The detectors: compared with scikit-learn, equal to the bit, and finding planted faults."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.core.typing import FloatArray
from quant_assets.market.panel import PricePanel
from quant_assets.models.packing import pack, unpack
from quant_assets.monitoring.anomalies.detector_results import apply_detectors
from quant_assets.monitoring.anomalies.detectors import (
    AUTOENCODER,
    FOREST,
    KINDS,
    MIN_RETURN_DAYS,
    Detectors,
    learn_detectors,
    unpack_detectors,
)
from quant_assets.monitoring.anomalies.group_scores import group_members, group_scores
from quant_assets.monitoring.anomalies.indicators import (
    INDICATOR_BOUNDS,
    INDICATORS,
    LOOKBACK_DAYS,
    price_indicators,
)
from quant_assets.monitoring.anomalies.isolation_forest import (
    REPLACED_SHARE,
    SAMPLE_ROWS,
    cuts_expected,
    grow_forest,
    unpack_forest,
)
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.monitored_lake import ENERGY

SEED, FIT = 7, 300
STRANGE_DAYS = (310, 340, 370, 400)


@pytest.fixture(scope="module")
def panel() -> PricePanel:
    table = synthetic.prices()
    series = table.series.series
    names = tuple(sorted({name.instrument for name in series}))
    fields: dict[str, FloatArray] = {}
    for j, column in enumerate(series):
        empty = np.full((len(table.days), len(names)), np.nan)
        fields.setdefault(column.field, empty)[:, names.index(column.instrument)] = table.values[
            :, j
        ]
    groups = tuple(table.series.group_of[name] for name in names)
    return PricePanel(table.days, table.date_ids, names, groups, table.series.all_groups, fields)


@pytest.fixture(scope="module")
def indicators(panel: PricePanel) -> FloatArray:
    return price_indicators(panel)


@pytest.fixture(scope="module")
def detectors(indicators: FloatArray, panel: PricePanel) -> Detectors:
    return learn_detectors(indicators[: FIT + 1], panel.instruments, panel.groups, SEED)


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
    results = apply_detectors(detectors, newest, panel.instruments, panel.groups)
    return {level for result in results for level in result.market_rows()["severity"]}


def test_scores_are_scikit_learn_s(indicators: FloatArray) -> None:
    from sklearn.ensemble import IsolationForest

    rows = indicators[~np.isnan(indicators).any(axis=-1)]
    forest = grow_forest(rows, INDICATOR_BOUNDS, SEED)
    draw = np.random.default_rng(SEED)
    replaced = np.flatnonzero(draw.random(len(rows)) < REPLACED_SHARE)
    column = draw.integers(rows.shape[1], size=len(replaced))
    training = rows.copy()
    training[replaced, column] = draw.uniform(*INDICATOR_BOUNDS[column].T)
    theirs = IsolationForest(
        n_estimators=len(forest.feature), max_samples=min(SAMPLE_ROWS, len(rows)), random_state=SEED
    ).fit(training)
    np.testing.assert_allclose(forest.scores(rows), -theirs.score_samples(rows), rtol=1e-12)


def test_cuts_expected_of_few_rows() -> None:
    cuts = cuts_expected(np.array([1, 2, 3]))
    np.testing.assert_allclose(cuts, [0.0, 1.0, 2 * (np.log(2) + np.euler_gamma) - 4 / 3])


def test_a_row_s_score_does_not_depend_on_the_others(
    detectors: Detectors, indicators: FloatArray, panel: PricePanel
) -> None:
    whole = detectors.scores(indicators, panel.instruments)
    members = group_members(detectors.groups, panel.groups)
    for row in (150, 301, 429):
        alone = detectors.scores(indicators[row : row + 1], panel.instruments)
        for kind in KINDS:
            np.testing.assert_array_equal(alone[kind][0], whole[kind][row])
            np.testing.assert_array_equal(
                group_scores(alone[kind], members)[0],
                group_scores(whole[kind], members)[row],
            )


def test_indicators_depend_on_the_lookback_alone(panel: PricePanel, indicators: FloatArray) -> None:
    for row in (LOOKBACK_DAYS, 300, 429):
        cut = price_indicators(panel.rows(row - LOOKBACK_DAYS, row + 1))
        np.testing.assert_array_equal(cut[-1], indicators[row])
        np.testing.assert_array_equal(price_indicators(panel.rows(0, row + 1))[-1], indicators[row])


def test_indicators_do_not_depend_on_units(panel: PricePanel, indicators: FloatArray) -> None:
    scaled = {name: 8.0 * values for name, values in panel.fields.items()}
    np.testing.assert_allclose(
        price_indicators(replace(panel, fields=scaled)), indicators, rtol=1e-6, atol=1e-6
    )


def test_learning_twice_gives_the_same_bits(
    detectors: Detectors, indicators: FloatArray, panel: PricePanel
) -> None:
    again = learn_detectors(indicators[: FIT + 1], panel.instruments, panel.groups, SEED)
    assert pack(**again.arrays()) == pack(**detectors.arrays())


def test_what_is_stored_is_what_was_learnt(
    detectors: Detectors, indicators: FloatArray, panel: PricePanel
) -> None:
    back = unpack_detectors(unpack(pack(**detectors.arrays())))
    assert back.instruments == detectors.instruments
    assert back.groups == detectors.groups == ("FX", "JPX", "LME", "US", "all")
    for kind, scores in back.scores(indicators, panel.instruments).items():
        np.testing.assert_array_equal(scores, detectors.scores(indicators, panel.instruments)[kind])
        assert back.limits[kind].series == detectors.limits[kind].series
    rows = np.zeros((3, len(INDICATORS)))
    np.testing.assert_array_equal(
        unpack_forest(detectors.forest.arrays()).scores(rows), detectors.forest.scores(rows)
    )


def test_an_instrument_without_prices_has_no_score(
    detectors: Detectors, indicators: FloatArray, panel: PricePanel
) -> None:
    empty = panel.instruments.index(synthetic.EMPTY)
    assert synthetic.EMPTY not in detectors.instruments
    for scores in detectors.scores(indicators, panel.instruments).values():
        assert np.isnan(scores[:, empty]).all()


def test_further_instruments_change_no_other_s_score(
    detectors: Detectors, indicators: FloatArray, panel: PricePanel
) -> None:
    """Arrays are as wide as all that was ever given, later days included."""
    wider = np.concatenate([indicators[:, :3], indicators[:, 5:6], indicators[:, 3:]], axis=1)
    names = (*panel.instruments[:3], "US_Stock_NEW", *panel.instruments[3:])
    for kind, scores in detectors.scores(wider, names).items():
        expected = detectors.scores(indicators, panel.instruments)[kind]
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

    def multiply_last(name: str, values: FloatArray) -> None:
        values[-1, where] *= 10.0

    wrong = price_indicators(changed(panel, FIT + 10, multiply_last))[-1:]
    results = {
        result.kind: result
        for result in apply_detectors(detectors, wrong, panel.instruments, panel.groups)
    }
    rows = results[AUTOENCODER].series_rows()
    assert set(zip(rows["series"], rows["severity"], strict=True)) == {("FX_EURUSD", "warning")}
    assert rows["text"].str.startswith("return +").all()
    for result in results.values():
        assert "critical" not in set(result.market_rows()["severity"])


def test_a_group_of_one_instrument_has_no_group_score() -> None:
    scores = np.array([[1.0, 2.0, np.nan]])
    scored = ("oil", "solar", "all")
    of_groups = group_scores(scores, group_members(scored, ("oil", "solar", "solar")))
    assert np.isnan(of_groups[0, :-1]).all()
    assert of_groups[0, scored.index("all")] == 1.0


def test_names_of_groups_change_no_score(
    detectors: Detectors, indicators: FloatArray, panel: PricePanel
) -> None:
    """The groups are those of the instruments, in the order in which these come."""
    names = tuple(f"plant {i:02d}" for i in range(len(panel.instruments)))
    groups = tuple(ENERGY[group] for group in panel.groups)
    learnt = learn_detectors(indicators[: FIT + 1], names, groups, SEED)
    assert learnt.groups == (*ENERGY.values(), "all")
    for kind, limits in learnt.limits.items():
        np.testing.assert_array_equal(limits.warning, detectors.limits[kind].warning)
        np.testing.assert_array_equal(limits.critical, detectors.limits[kind].critical)
    newest = indicators[FIT + 1 :]
    for ours, theirs in zip(
        apply_detectors(learnt, newest, names, groups),
        apply_detectors(detectors, newest, panel.instruments, panel.groups),
        strict=True,
    ):
        for mine, expected in (
            (ours.market_rows(), theirs.market_rows()),
            (ours.series_rows(), theirs.series_rows()),
        ):
            assert mine["market"].tolist() == [ENERGY.get(m, m) for m in expected["market"]]
            columns = ["row", "score", "limit", "severity"]
            pd.testing.assert_frame_equal(mine[columns], expected[columns], check_exact=True)


def test_a_market_without_groups_is_scored_once(indicators: FloatArray, panel: PricePanel) -> None:
    groups = ("all",) * len(panel.groups)
    learnt = learn_detectors(indicators[: FIT + 1], panel.instruments, groups, SEED)
    assert learnt.groups == ("all",)
    for result in apply_detectors(learnt, indicators[FIT + 1 :], panel.instruments, groups):
        rows = result.market_rows()
        assert set(rows["market"]) == {"all"}
        assert not rows["row"].duplicated().any()
        assert set(result.series_rows()["market"]) <= {"all"}


def test_a_group_that_begins_later_has_no_score_yet(
    detectors: Detectors, indicators: FloatArray, panel: PricePanel
) -> None:
    """Neither a stored detector nor a detector of the same reference depends on it."""
    wider = np.concatenate([indicators, indicators[:, :2]], axis=1)
    wider[: FIT + 1, -2:] = np.nan
    names, groups = (*panel.instruments, "wind 1", "wind 2"), (*panel.groups, "wind", "wind")
    learnt = learn_detectors(wider[: FIT + 1], names, groups, SEED)
    assert pack(**learnt.arrays()) == pack(**detectors.arrays())
    for result in apply_detectors(learnt, wider[FIT + 1 :], names, groups):
        assert set(result.market_rows()["market"]) <= {*panel.groups, "all"}
        assert "wind" in set(result.groups)


@pytest.mark.parametrize("days", [0, 1, MIN_RETURN_DAYS - 1])
def test_a_short_reference_is_refused(indicators: FloatArray, panel: PricePanel, days: int) -> None:
    known = indicators[FIT - days : FIT]
    with pytest.raises(NotEnoughHistoryError, match=f"{MIN_RETURN_DAYS} days"):
        learn_detectors(known, panel.instruments, panel.groups, SEED)


def test_prices_that_never_move_are_refused(panel: PricePanel) -> None:
    constant = {name: np.ones_like(values) for name, values in panel.fields.items()}
    still = price_indicators(replace(panel, fields=constant))
    with pytest.raises(NotEnoughHistoryError, match="0 days"):
        learn_detectors(still, panel.instruments, panel.groups, SEED)


def test_without_volumes_and_ranges_returns_are_enough(panel: PricePanel) -> None:
    closes = replace(panel, fields={"close": panel.close})
    reference = price_indicators(closes)[: FIT + 1]
    learnt = learn_detectors(reference, panel.instruments, panel.groups, SEED)
    for kind, scores in learnt.scores(
        price_indicators(closes)[FIT + 1 :], panel.instruments
    ).items():
        assert np.isfinite(scores).any(axis=1).all(), kind
    assert "critical" in severities(learnt, changed(closes, FIT + 20, ten_times))
    assert np.isfinite(learnt.limits[FOREST].warning).any()
