"""Two deliveries of the same cells: what counts as a difference, and which days have no row."""

from dataclasses import replace

import numpy as np
import pytest

from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY
from quant_assets.market.instruments import list_competition_series
from quant_assets.monitoring.data.disagreement import disagreement_rows
from quant_assets.sources.deliveries import PriceTable

COLUMNS = ("FX_EURUSD", "LME_AH_Close", "LME_CA_Close")
USED = PriceTable(
    np.array(["2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[D]"),
    np.arange(3),
    list_competition_series(COLUMNS),
    np.array([[1.1, 2000.0, 8000.0], [1.2, np.nan, np.nan], [1.3, 2100.0, 8100.0]]),
)


def changed(row: int, column: int, value: float) -> PriceTable:
    values = USED.values.copy()
    values[row, column] = value
    return replace(USED, values=values)


def test_without_a_second_delivery_there_is_no_row() -> None:
    rows = disagreement_rows(USED, None)
    assert rows.empty
    assert rows.columns.tolist() == [column.name for column in DATA_QUALITY.columns]


def test_deliveries_that_agree_are_within_the_limit() -> None:
    rows = disagreement_rows(USED, USED)
    assert rows["value"].tolist() == [0.0] * 5
    assert rows["within"].all()
    # On the second day the market had no number in either delivery.
    days_and_markets = set(zip(rows["date_id"], rows["market"], strict=True))
    assert days_and_markets == {(0, "LME"), (2, "LME"), (0, "FX"), (1, "FX"), (2, "FX")}


@pytest.mark.parametrize("value", [2000.01, np.nan, 20000.0, -2000.0])
def test_a_differing_cell_is_named(value: float) -> None:
    rows = disagreement_rows(USED, changed(0, 1, value))
    broken = rows[~rows["within"].astype(bool)]
    assert broken["series"].where(broken["series"].notna(), None).tolist() == [None, COLUMNS[1]]
    assert broken["value"].tolist() == [0.5, 1.0]
    assert set(broken["date_id"]) == {0}


def test_a_number_where_there_was_none_is_a_difference() -> None:
    rows = disagreement_rows(USED, changed(1, 1, 2050.0))
    of_day = rows[(rows["date_id"] == 1) & (rows["market"] == "LME") & rows["series"].isna()]
    assert of_day["value"].tolist() == [1.0]


def test_rounding_is_no_difference() -> None:
    rows = disagreement_rows(USED, changed(0, 1, 2000.0 * (1 + 1e-9)))
    assert rows["within"].all()


def test_only_days_and_series_that_both_have_are_compared() -> None:
    second = PriceTable(
        np.array(["2024-01-04", "2024-01-05"], "datetime64[D]"),
        np.arange(2, 4),
        list_competition_series(("LME_CA_Close", "LME_ZS_Close")),
        np.array([[8200.0, 1.0], [8300.0, 1.0]]),
    )
    rows = disagreement_rows(USED, second)
    assert rows["date_id"].tolist() == [2, 2]
    assert rows["value"].tolist() == [1.0, 1.0]
