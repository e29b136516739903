"""Labels as rows of the day on which they become known, and compared with the source's labels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.core.typing import FloatArray
from quant_assets.lake.readers.labels import TOLERANCE, compare_labels, label_rows
from quant_assets.lake.readers.point_in_time import read_known_labels
from quant_assets.lake.schemas.feature_tables import LABELS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.panel import PricePanel
from quant_assets.market.targets import TargetPairs, align_to_forecast_day, delay_of
from quant_assets_tests.support import synthetic

DAYS = 25


@pytest.fixture(scope="module")
def panel() -> PricePanel:
    table = synthetic.until(synthetic.prices(), DAYS - 1)
    return synthetic.panel_of(table, table.values)


@pytest.fixture(scope="module", params=[(1, 2, 3, 4), (1, 3, 10), (5, 20)], ids=str)
def pairs(request: pytest.FixtureRequest) -> TargetPairs:
    return synthetic.pairs(request.param)


@pytest.fixture(scope="module")
def known_labels(pairs: TargetPairs) -> FloatArray:
    """Labels whose value is 100 times the row on which they become known, plus the target."""
    values = np.arange(DAYS)[:, None] * 100.0 + np.arange(40)
    for row in range(DAYS):
        values[row, row <= pairs.lags] = np.nan
    values[20, 3] = np.nan
    return values


def rows_from(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, row: int
) -> pd.DataFrame:
    rows = label_rows(panel, pairs, known_labels, panel.days[row].item())
    return pd.DataFrame(
        {
            name: x.to_numpy(zero_copy_only=False) if name == "target" else x
            for name, x in rows.items()
        }
    )


@pytest.mark.parametrize("start", [0, 1, 2, 3, 6, 24])
def test_a_row_for_each_label_released_from_a_day_on(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, start: int
) -> None:
    rows = rows_from(panel, pairs, known_labels, start)
    expected = [
        (
            panel.days[row - lag - 1],
            row - lag - 1,
            f"target_{j}",
            known_labels[row, j],
            panel.days[row],
        )
        for row in range(start, DAYS)
        for j, lag in enumerate(pairs.lags)
        if row > lag
    ]
    assert len(rows) == len(expected)
    columns = [column.name for column in LABELS.columns]
    pd.testing.assert_frame_equal(
        rows[columns], pd.DataFrame(expected, columns=columns), check_dtype=False
    )


def test_days_written_alone_or_together_read_the_same(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, tmp_path: Path
) -> None:
    days = panel.days
    with Lake(tmp_path / "together") as lake:
        rows = label_rows(panel, pairs, known_labels, days[0].item())
        lake.replace_days(LABELS, days[0].item(), days[-1].item(), rows)
        together = read_known_labels(lake, days, pairs)
    with Lake(tmp_path / "alone") as lake:
        for row in (9, 7, 8):
            first = max(row - delay_of(pairs.lags), 0)
            part = panel.rows(first, row + 1)
            rows = label_rows(part, pairs, known_labels[first : row + 1], days[row].item())
            lake.replace_days(LABELS, days[row].item(), days[row].item(), rows)
        alone = read_known_labels(lake, days[7:10], pairs)
    np.testing.assert_array_equal(together, known_labels)
    np.testing.assert_array_equal(alone, known_labels[7:10])


def test_labels_are_asked_for_from_the_day_on_which_the_first_can_be_known(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, tmp_path: Path
) -> None:
    days, first = panel.days, int(pairs.lags.min()) + 1
    with Lake(tmp_path) as lake:
        rows = label_rows(panel, pairs, known_labels, days[first + 1].item())
        lake.replace_days(LABELS, days[0].item(), days[-1].item(), rows)
        assert np.isnan(read_known_labels(lake, days[:first], pairs)).all()
        with pytest.raises(LakeError, match=str(days[first])):
            read_known_labels(lake, days, pairs)


@pytest.fixture
def published(pairs: TargetPairs, known_labels: FloatArray) -> FloatArray:
    return align_to_forecast_day(known_labels, pairs.lags)


def test_labels_that_agree(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, published: FloatArray
) -> None:
    """Labels agree within the tolerance; labels known after the last day are not compared."""
    published += TOLERANCE / 2
    published[-1] = 77.0
    disagreement = compare_labels(panel.days, known_labels, pairs, published)
    assert disagreement.agree
    assert disagreement.compared == sum(DAYS - lag - 1 for lag in pairs.lags)
    assert disagreement.worst == pytest.approx(TOLERANCE / 2, rel=1e-3)
    assert disagreement.as_metadata()["tolerance"] == TOLERANCE


@pytest.mark.parametrize("value", [5.0, np.nan])
def test_labels_that_do_not_agree(
    value: float,
    panel: PricePanel,
    pairs: TargetPairs,
    known_labels: FloatArray,
    published: FloatArray,
) -> None:
    published[4, 11] = value
    disagreement = compare_labels(panel.days, known_labels, pairs, published)
    assert not disagreement.agree
    assert disagreement.only_one_empty == int(np.isnan(value))


def test_an_empty_label_that_is_published_does_not_agree(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray, published: FloatArray
) -> None:
    row = 20 - pairs.lags[3] - 1
    assert np.isnan(published[row, 3])
    published[row, 3] = 0.0
    assert compare_labels(panel.days, known_labels, pairs, published).only_one_empty == 1


def test_nothing_published_agrees(
    panel: PricePanel, pairs: TargetPairs, known_labels: FloatArray
) -> None:
    assert compare_labels(panel.days, known_labels, pairs, None).agree
    few = compare_labels(panel.days[:3], known_labels[:3], pairs, known_labels[:3])
    assert (few.compared, few.agree) == (0, True)
