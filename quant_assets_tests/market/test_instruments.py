"""Names of series, as the competition writes them."""

from pathlib import Path

import pytest

from quant_assets.core.errors import UnknownNameError
from quant_assets.market.instruments import InstrumentSeries, column_name, market_of, parse_column
from quant_assets.sources.simulated.universe import series_columns


@pytest.mark.parametrize(
    ("column", "instrument", "field"),
    [
        ("LME_AH_Close", "LME_AH", "close"),
        ("JPX_Gold_Rolling-Spot_Futures_Close", "JPX_Gold_Rolling-Spot_Futures", "close"),
        ("JPX_Gold_Mini_Futures_settlement_price", "JPX_Gold_Mini_Futures", "settlement"),
        ("JPX_RSS3_Rubber_Futures_open_interest", "JPX_RSS3_Rubber_Futures", "open_interest"),
        ("US_Stock_X_adj_volume", "US_Stock_X", "volume"),
        ("FX_USDJPY", "FX_USDJPY", "close"),
    ],
)
def test_a_column_is_an_instrument_and_a_field(column: str, instrument: str, field: str) -> None:
    assert parse_column(column) == InstrumentSeries(instrument, field)
    assert column_name(InstrumentSeries(instrument, field)) == column
    assert market_of(column) == market_of(instrument) == column.split("_", maxsplit=1)[0]


def test_every_column_of_the_competition_comes_back() -> None:
    assert len(series_columns()) == 557
    assert [column_name(parse_column(column)) for column in series_columns()] == list(
        series_columns()
    )


@pytest.mark.parametrize("name", ["US_Stock_X_close", "LME_AH", "LME_Close_", "NYSE_X_close", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="expected: one of"):
        parse_column(name)


def test_a_field_that_the_market_has_not() -> None:
    with pytest.raises(UnknownNameError, match="unknown field"):
        column_name(InstrumentSeries("LME_AH", "volume"))


def test_the_page_on_data_lists_every_ending_of_a_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    rows = {row.split("|")[1].strip(): row for row in page.splitlines() if row.startswith("|")}
    for column in series_columns():
        ending = column.removeprefix(parse_column(column).instrument)
        assert f"`{ending}`" in rows[market_of(column)] or not ending, column
