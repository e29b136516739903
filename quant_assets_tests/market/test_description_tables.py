"""The tables of a description: what they mean, and the errors of those that cannot be used."""

from pathlib import Path

import pytest

from quant_assets.core.errors import MarketError
from quant_assets.features.table_inputs import (
    fields_of,
    list_table_inputs,
    require_distinct_inputs,
)
from quant_assets.market.description.reading import parse_description
from quant_assets.market.description.tables import TableFile, TableSeries

TEXT = """\
name: test
instruments: {list: [A, B]}
calendar: {days: data}
targets: {returns: {horizons: [1]}}
tables:
  rates:
    file: rates.csv
    columns: {date: observation_date}
    fields: [DGS10, T10Y2Y]
    release_lag_days: 1
  fundamentals:
    file: fundamentals.parquet
    columns: {symbol: ticker, known_at: filing_date}
    fields: {value: "Book / Market"}
    max_age_days: 400
    other_symbols: skip
  macro:
    fred: {series: [UNRATE]}
  oil:
    eia: {series: [RWTC], route: petroleum/pri/spt}
    release_lag_days: 2
"""
FAULTS = (
    (
        "release_lag_days: 1",
        "release_lag: 1",
        10,
        "rates.release_lag",
        "did you mean release_lag_days?",
    ),
    ("    release_lag_days: 1\n", "", 6, "rates", "nothing says when values are known"),
    ("known_at: filing_date}", "date: day}", 11, "fundamentals", "nothing says when values"),
    ("max_age_days: 400", "release_lag_days: 3", 11, "fundamentals", "two keys say when values"),
    ("max_age_days: 400", "max_age_days: 0", 15, "fundamentals.max_age_days", "at least 1"),
    ("{date: observation_date}", "{dat: day}", 8, "rates.columns.dat", "did you mean date?"),
    ("    fields: [DGS10, T10Y2Y]\n", "", 6, "rates", "a key is missing"),
    ("[DGS10, T10Y2Y]", "[DGS10, DGS10]", 9, "rates.fields[1]", "a field is named twice"),
    ("[DGS10, T10Y2Y]", "[DGS10, observation_date]", 6, "rates", "a column has two meanings"),
    ("[DGS10, T10Y2Y]", "[10-year rate]", 9, "rates.fields[0]", "not the name of a field"),
    ("observation_date}", "day, field: series}", 6, "rates", "`field` and `value` under"),
    ("    release_lag_days: 2\n", "", 19, "oil", "nothing says when values are known"),
    ("route: petroleum", "rout: petroleum", 20, "oil.eia.rout", "did you mean route?"),
    ("fred: {series", "fred: {serie", 18, "macro.fred.serie", "did you mean series?"),
    ("file: rates.csv", "fil: rates.csv", 6, "rates", "exactly one of file, fred, eia"),
    ("  rates:", '  "the rates":', 6, "the rates", "not the name of a table"),
    ("other_symbols: skip", "other_symbols: skp", 16, "fundamentals.other_symbols", "mean skip?"),
)


def test_tables_say_where_their_rows_are_and_when_they_were_known() -> None:
    rates, fundamentals, macro, oil = parse_description(TEXT, Path("m.yaml")).tables
    assert rates.place == TableFile(
        "rates.csv", (("date", "observation_date"),), ("DGS10", "T10Y2Y")
    )
    assert (rates.release_lag_days, rates.by_instrument) == (1, False)
    assert isinstance(fundamentals.place, TableFile)
    assert fundamentals.place.column("date") == "date"
    assert fundamentals.place.column("known_at") == "filing_date"
    assert fundamentals.place.fields == ("Book / Market",)
    assert (fundamentals.fields, fundamentals.max_age_days) == (("value",), 400)
    assert fundamentals.by_instrument
    assert macro.place == TableSeries("fred")
    assert macro.release_lag_days is None
    assert oil.place == TableSeries("eia", route="petroleum/pri/spt")


@pytest.mark.parametrize(("old", "new", "line", "key", "words"), FAULTS)
def test_a_fault_names_line_and_key(old: str, new: str, line: int, key: str, words: str) -> None:
    assert old in TEXT
    with pytest.raises(MarketError) as caught:
        parse_description(TEXT.replace(old, new, 1), Path("m.yaml"))
    assert caught.value.where == f"m.yaml, line {line}, key tables.{key}"
    assert words in str(caught.value)


def test_inputs_are_named_by_table_and_field() -> None:
    tables = parse_description(TEXT, Path("m.yaml")).tables
    inputs = [(f.level, f.name) for _, _, f in list_table_inputs(fields_of(tables))]
    assert inputs == [
        ("target", "diff_fundamentals_value"),
        ("market", "macro_UNRATE_z_250"),
        ("market", "macro_UNRATE_change_20"),
        ("market", "oil_RWTC_z_250"),
        ("market", "oil_RWTC_change_20"),
        ("market", "rates_DGS10_z_250"),
        ("market", "rates_DGS10_change_20"),
        ("market", "rates_T10Y2Y_z_250"),
        ("market", "rates_T10Y2Y_change_20"),
    ]


@pytest.mark.parametrize(("table", "field"), [("ret", '"1"'), ("rates_DGS10", "x"), ("ret_1", "x")])
def test_inputs_have_different_names(table: str, field: str) -> None:
    text = TEXT.replace("  fundamentals:", f"  {table}:").replace("{value:", f"{{{field}:")
    market = parse_description(text, Path("m.yaml"))
    if table == "ret":
        with pytest.raises(MarketError, match="two inputs of models have one name") as caught:
            require_distinct_inputs(market.tables, market.all_groups)
        assert caught.value.where == "m.yaml, line 11, key tables.ret"
    else:
        require_distinct_inputs(market.tables, market.all_groups)


def test_the_reading_changes_with_what_decides_the_rows() -> None:
    def readings(text: str) -> list[str]:
        return [table.reading for table in parse_description(text, Path("m.yaml")).tables]

    stored = readings(TEXT)
    same = TEXT.replace("rates.csv", "r.csv").replace("[DGS10, T10Y2Y]", "[DGS10]")
    assert readings(same.replace("400", "90")) == stored
    other = readings(TEXT.replace("release_lag_days: 1", "release_lag_days: 2"))
    assert (other[0] != stored[0], other[1:]) == (True, stored[1:])
