"""Listings: which instrument a symbol means on a day, and when an instrument can trade."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import MarketError
from quant_assets.market.description.instruments import Instrument
from quant_assets.market.description.listings import (
    FormerName,
    Listing,
    SymbolSpan,
    list_symbols,
    listing_days,
)
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import parse_description
from quant_assets.market.universe import UniverseState, find_unlisted

REST = "calendar: {days: data}\ntargets: {returns: {horizons: [1]}}\n"
TEXT = (
    """\
name: listings
instruments:
  list:
    - XOM
    - {name: GM, listed: 2010-11-18}
    - name: old GM
      delisted: 2009-06-01
      renamed: {GM: 2009-06-02}
    - {name: META, listed: 2012-05-18, renamed: {FB: 2022-06-09}}
"""
    + REST
)
TABLE = """\
ticker,from,to,old
XOM,,,
GM,2010-11-18,,
old GM,,2009-06-01,GM 2009-06-02
META,2012-05-18,,FB 2022-06-09
"""
COLUMNS = "{name: ticker, listed: from, delisted: to, renamed: old}"
FAULTS = (
    ("delisted: 2009-06-01", "delisted: 2009-6-1", "line 7, key", ("not a day",)),
    (
        "delisted: 2009-06-01",
        "delisted: 2009-06-01\n      listed: 2009-06-02",
        "line 7, key instruments.list[2].delisted",
        ("delisted before it is listed", "2009-06-02 or later", "2009-06-01"),
    ),
    (
        "renamed: {GM: 2009-06-02}",
        "renamed: {XOM: 2009-06-02}",
        "line 6, key instruments.list[2].name",
        (
            "two instruments have one symbol on one day",
            "'XOM' from the beginning on",
            "'XOM' on line 4 and",
        ),
    ),
    (
        "renamed: {FB: 2022-06-09}",
        "renamed: {META: 2022-06-09}",
        "line 9, key instruments.list[3].renamed.META",
        ("renamed to the name that it has", "'META', which follows"),
    ),
    (
        "renamed: {FB: 2022-06-09}",
        "renamed: {FB: 2012-05-18}",
        "line 9, key instruments.list[3].renamed.FB",
        ("on which it had no name yet", "2012-05-19 or later"),
    ),
    ("renamed: {FB: 2022-06-09}", "renamed: [FB]", "line 9", ("not a map",)),
    ("listed: 2010-11-18", "listd: 2010-11-18", "line 5", ("did you mean listed or delisted?",)),
    (
        "listed: 2010-11-18",
        "listed: 2005-01-03",
        "line 6, key instruments.list[2].name",
        ("'GM' on 2005-01-03", "'GM' on line 5 and 'old GM' on line 6"),
    ),
)
META = Instrument("META", listing=Listing(former_names=(FormerName("FB", date(2022, 6, 9)),)))


def describe(text: str = TEXT, folder: Path = Path()) -> MarketDescription:
    return parse_description(text, folder / "market.yaml")


def span(symbol: str, instrument: str, first: str = "", last: str = "") -> SymbolSpan:
    days = (
        (date.fromisoformat(first) if first else date.min),
        (date.fromisoformat(last) if last else date.max),
    )
    return SymbolSpan(symbol, instrument, *days)


def test_a_symbol_means_the_instrument_that_has_it_on_the_day() -> None:
    assert set(list_symbols(describe().instruments())) == {
        span("XOM", "XOM"),
        span("GM", "old GM", last="2009-06-01"),
        span("GM", "GM", first="2009-06-02"),
        span("old GM", "old GM", first="2009-06-02"),
        span("FB", "META", last="2022-06-08"),
        span("META", "META", first="2022-06-09"),
    }


def test_a_former_symbol_is_free_for_another_instrument_from_the_day_on() -> None:
    other = Instrument("FB", listing=Listing(date(2025, 7, 1)))
    spans = list_symbols([META, other])
    assert [each for each in spans if each.symbol == "FB"] == [
        span("FB", "META", last="2022-06-08"),
        span("FB", "FB", first="2022-06-09"),
    ]


def test_a_name_may_come_back() -> None:
    former = FormerName("A", date(2020, 1, 2)), FormerName("B", date(2021, 1, 4))
    assert list_symbols([Instrument("A", listing=Listing(former_names=former))]) == (
        span("A", "A", last="2020-01-01"),
        span("A", "A", first="2021-01-04"),
        span("B", "A", first="2020-01-02", last="2021-01-03"),
    )


def test_a_table_says_the_same_as_a_list(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    text = f"name: listings\ninstruments: {{table: t.csv, columns: {COLUMNS}}}\n{REST}"
    assert describe(text, tmp_path).instruments() == describe().instruments()


def test_columns_of_listings_are_labels_unless_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,listed\nXOM,2020-01-02\n")
    market = describe(f"name: t\ninstruments: {{table: t.csv}}\n{REST}", tmp_path)
    assert market.instruments() == (Instrument("XOM", (("listed", "2020-01-02"),)),)
    assert market.listings == {}


@pytest.mark.parametrize(("old", "new", "where", "words"), FAULTS)
def test_a_fault_names_its_place(old: str, new: str, where: str, words: tuple[str, ...]) -> None:
    with pytest.raises(MarketError) as caught:
        describe(TEXT.replace(old, new))
    for word in (where, *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("X,2020-01-02,2020-01-01,", ("t.csv, line 2, key to", "2020-01-02 or later")),
        ("X,,,Y", ("t.csv, line 2, key old", "not a former name", "FB 2022-06-09")),
        ("X,,,Y 2020-13-01", ("t.csv, line 2, key old", "not a day")),
        ("X,,,\nY,,,X 2020-01-02", ("t.csv, line 3, key ticker", "'X' on line 2 and 'Y'")),
    ],
)
def test_a_fault_in_a_table_names_its_place(
    row: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(f"ticker,from,to,old\n{row}\n")
    with pytest.raises(MarketError) as caught:
        describe(f"name: t\ninstruments: {{table: t.csv, columns: {COLUMNS}}}\n{REST}", tmp_path)
    for word in words:
        assert word in str(caught.value)


def test_an_instrument_can_trade_from_its_first_to_its_last_day() -> None:
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06"], "datetime64[D]")
    listings = {"A": Listing(date(2020, 1, 2), date(2020, 1, 3)), "B": Listing()}
    states = find_unlisted(days, *listing_days(("A", "B", "C"), listings))
    before, has, after = (
        UniverseState.NOT_YET_LISTED,
        UniverseState.LISTED,
        UniverseState.DELISTED,
    )
    assert states.T.tolist() == [[before, has, has, after], [has] * 4, [has] * 4]
    assert [listings["A"].has(day) for day in days.tolist()] == [False, True, True, False]


def test_a_delisting_changes_no_day_before_it() -> None:
    days = np.arange("2020-01-01", "2020-02-01", dtype="datetime64[D]")
    nothing = listing_days(("A",), {})
    for last in days.tolist():
        delisted = listing_days(("A",), {"A": Listing(delisted=last)})
        until = days <= np.datetime64(last)
        np.testing.assert_array_equal(
            find_unlisted(days, *delisted)[until], find_unlisted(days, *nothing)[until]
        )
        assert (find_unlisted(days, *delisted)[~until] == UniverseState.DELISTED).all()
