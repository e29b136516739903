"""Several sources of a market: files and vendors on loopback, joined cell by cell."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import MarketError, SourceError
from quant_assets.core.typing import FloatArray
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import parse_description
from quant_assets.monitoring.data.source_agreement import compare_sources
from quant_assets.sources.deliveries import Action, JoinedPrices, UnreadCell
from quant_assets.sources.files.source import open_files
from quant_assets.sources.http.bar_options import read_bar_options
from quant_assets.sources.http.bar_source import open_bars_at
from quant_assets.sources.joined.opening import join_sources
from quant_assets.sources.joined.options import SourceRule, read_source_rules
from quant_assets.sources.joined.source import JoinedSource
from quant_assets.sources.protocol import (
    DeliversBars,
    JoinsSources,
    KeepsResponses,
    Source,
    TakesTime,
)
from quant_assets.sources.registry import open_choice
from quant_assets_tests.support.bar_vendor import BarVendor, open_bar_vendor, set_keys
from quant_assets_tests.support.described_folder import END, START, write_rows
from quant_assets_tests.support.vendor_server import ManualClock, Scripted

DAYS = [day.date() for day in pd.bdate_range("2026-02-02", periods=12)]
SYMBOLS = ("AAA", "BBB")
MARKET = """\
name: several
instruments:
  fields: [close, volume]
  list:
    - {{name: AAA, labels: {{kind: stock}}}}
    - {{name: BBB, labels: {{kind: stock}}}}
calendar: {{days: data}}
targets: {{returns: {{horizons: [1]}}}}
source:
{sources}
"""
VENDORS = """\
  - tiingo: {{url: "{tiingo}", first_day: 2026-02-02}}
  - alpaca: {{url: "{alpaca}", first_day: 2026-02-02}}
"""


@dataclass
class Vendors:
    """Two vendors of the same bars on one clock, and where their answers are kept."""

    folder: Path
    tiingo: BarVendor
    alpaca: BarVendor
    sources: str = VENDORS
    clock: ManualClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = self.alpaca.clock = self.tiingo.clock

    @property
    def market(self) -> MarketDescription:
        sources = self.sources.format(tiingo=self.tiingo.url, alpaca=self.alpaca.url)
        return parse_description(MARKET.format(sources=sources), self.folder / "market.yaml")

    def open(self) -> JoinedSource:
        """Open the sources as in a new process, and ask for all that is old."""
        market = self.market
        assert market.source
        assert market.source.options
        rules = read_source_rules(market.source.options, market)
        source = join_sources(rules, market, self.open_part, self.clock)
        source.complete(lambda _: None)
        return source

    def open_part(self, rule: SourceRule, market: MarketDescription) -> Source:
        name = rule.choice.name
        if name == "files":
            return open_files(rule.choice.options, market, self.folder)
        vendor = getattr(import_module(f"quant_assets.sources.http.{name}"), name.upper())
        options = read_bar_options(vendor, rule.choice.options, market)
        return open_bars_at(vendor, options, market, self.folder / rule.name, self.clock)


@pytest.fixture
def vendors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendors]:
    set_keys(monkeypatch)
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(open_bar_vendor(name, DAYS, SYMBOLS))
            for name in ("tiingo", "alpaca")
        )
        yield Vendors(tmp_path, first, second)


def is_down(_: str) -> Scripted:
    return Scripted("down", 503)


def read(source: JoinedSource) -> JoinedPrices:
    return source.prices(START, END)


def names_of(table: JoinedPrices) -> list[list[str]]:
    """Return the name of the source of each cell."""
    return [[table.names[place] for place in row] for row in table.places.tolist()]


def closes_of(vendor: BarVendor, symbol: str) -> FloatArray:
    closes: FloatArray = vendor.bars[symbol][:, 3]
    return closes


def write_prices(folder: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write rows of day, symbol, close, volume and split."""
    header = ("date", "symbol", "close", "volume", "split")
    write_rows(folder / "prices" / "p.csv", [header, *rows])


def test_it_is_a_source_with_what_its_sources_have(vendors: Vendors) -> None:
    source: Source = vendors.open()
    assert isinstance(source, KeepsResponses)
    assert isinstance(source, TakesTime)
    assert isinstance(source, JoinsSources)
    assert not isinstance(source, DeliversBars)
    assert source.name == "tiingo, alpaca"
    assert {record.source for record in source.responses()} == {"tiingo", "alpaca"}
    assert (source.first_day, source.last_day) == (DAYS[0], DAYS[-1])
    assert source.waiting() == ""
    assert len(source.pairs()) == 2
    assert source.look() == vendors.open().look()


def test_a_cell_has_the_number_of_the_first_source_that_has_one(vendors: Vendors) -> None:
    vendors.alpaca.bars = {name: bars + 1.0 for name, bars in vendors.alpaca.bars.items()}
    vendors.tiingo.bars["BBB"][3] = np.nan
    vendors.tiingo.bars["AAA"][5, 4] = np.nan
    table = read(vendors.open())
    assert table.columns == ("AAA_close", "AAA_volume", "BBB_close", "BBB_volume")
    assert table.days.tolist() == DAYS
    assert table.date_ids.tolist() == list(range(len(DAYS)))
    first, second = (
        np.column_stack([vendor.bars[name][:, [3, 4]] for name in SYMBOLS])
        for vendor in (vendors.tiingo, vendors.alpaca)
    )
    later = np.isnan(first)
    assert int(later.sum()) == 3
    np.testing.assert_array_equal(table.values, np.where(later, second, first))
    assert names_of(table) == np.where(later, "alpaca", "tiingo").tolist()
    assert table.describe_later_sources() == (
        f"3 prices are of alpaca, as sources before have none; days 2, the newest {DAYS[5]}"
    )


def test_some_days_are_as_all_days(vendors: Vendors) -> None:
    vendors.tiingo.bars["BBB"][3] = np.nan
    source = vendors.open()
    whole, part = read(source), source.prices(DAYS[2], DAYS[4])
    np.testing.assert_array_equal(part.values, whole.values[2:5])
    np.testing.assert_array_equal(part.places, whole.places[2:5])
    assert part.date_ids.tolist() == [2, 3, 4]


def test_a_day_waits_for_the_first_source_until_it_is_late(vendors: Vendors) -> None:
    for bars in vendors.tiingo.bars.values():
        bars[-1] = np.nan
    source = vendors.open()
    assert source.last_day == DAYS[-2]
    assert source.waiting() == f"{DAYS[-1]} waits for tiingo until 2026-02-18 03:59 UTC"
    look, digest = source.look(), source.fingerprint()
    vendors.clock.move(hours=1)
    assert source.last_day == DAYS[-1]
    assert source.waiting() == f"tiingo lacks {DAYS[-1]}, and other sources count"
    assert (source.look() == look, source.fingerprint() == digest) == (False, False)
    table = read(source)
    assert names_of(table)[-1] == ["alpaca"] * 4
    assert table.values[-1, 0] == closes_of(vendors.alpaca, "AAA")[-1]


def test_a_first_source_that_goes_down_keeps_its_days(vendors: Vendors) -> None:
    vendors.alpaca.bars = {name: bars * 1.01 for name, bars in vendors.alpaca.bars.items()}
    vendors.tiingo.until(DAYS[-2])
    before = read(vendors.open())
    vendors.tiingo.fail = is_down
    vendors.tiingo.until(DAYS[-1], 23)
    vendors.clock.move(hours=2)
    source = vendors.open()
    after = read(source)
    np.testing.assert_array_equal(after.values[:-1], before.values)
    np.testing.assert_array_equal(after.places[:-1], before.places)
    assert names_of(after)[-1] == ["alpaca"] * 4
    assert "tiingo: asked at" in source.waiting()
    # What the first source has later counts from then on.
    vendors.tiingo.fail = lambda _: None
    vendors.clock.move(hours=7)
    assert names_of(read(vendors.open()))[-1] == ["tiingo"] * 4


def test_a_vendor_that_never_answered_is_passed_over(vendors: Vendors) -> None:
    vendors.tiingo.fail = is_down
    vendors.clock.move(hours=2)
    source = vendors.open()
    assert {name for row in names_of(read(source)) for name in row} == {"alpaca"}
    assert f"tiingo lacks {DAYS[-1]}" in source.waiting()
    assert "tiingo: symbols of a vendor are not read yet" in source.waiting()
    vendors.alpaca.fail = is_down
    for folder in ("tiingo", "alpaca"):
        shutil.rmtree(vendors.folder / folder)
    with pytest.raises(SourceError, match="no source has prices"):
        _ = vendors.open().last_day


def test_a_later_day_of_the_second_source_changes_nothing_earlier(vendors: Vendors) -> None:
    vendors.tiingo.bars["BBB"][4] = np.nan
    before = read(vendors.open())
    for name, bars in vendors.alpaca.bars.items():
        vendors.alpaca.bars[name] = bars.copy()
        vendors.alpaca.bars[name][6:, :4] *= 1.5
    vendors.tiingo.bars["AAA"][7:9] = np.nan
    shutil.rmtree(vendors.folder / "alpaca")
    shutil.rmtree(vendors.folder / "tiingo")
    after = read(vendors.open())
    np.testing.assert_array_equal(after.values[:6], before.values[:6])
    np.testing.assert_array_equal(after.places[:6], before.places[:6])
    assert (after.values[7:9, 0] == closes_of(vendors.alpaca, "AAA")[7:9]).all()


def test_splits_and_dividends_are_those_of_the_source_of_the_close(vendors: Vendors) -> None:
    vendors.tiingo.dividends = {"AAA": {DAYS[2]: 0.5}, "BBB": {DAYS[4]: 0.25}}
    vendors.alpaca.dividends = {"AAA": {DAYS[2]: 0.7}, "BBB": {DAYS[4]: 0.75, DAYS[5]: 0.1}}
    vendors.tiingo.bars["BBB"][4] = np.nan
    actions = read(vendors.open()).actions
    assert sorted(actions, key=lambda action: action.row) == [
        Action(2, "AAA", 1.0, 0.5),
        Action(4, "BBB", 1.0, 0.75),
    ]


def test_sources_cover_instruments_and_fields(vendors: Vendors) -> None:
    vendors.sources = """\
  - tiingo: {{url: "{tiingo}", first_day: 2026-02-02}}
    instruments: {{kind: stock}}
    fields: [close]
  - alpaca: {{url: "{alpaca}", first_day: 2026-02-02}}
    instruments: [AAA]
    name: second
  - files: {{folder: prices, columns: {{split: split}}}}
    fields: [volume]
"""
    write_prices(vendors.folder, [(str(day), name, 1, 7, 1) for day in DAYS for name in SYMBOLS])
    source = vendors.open()
    assert set(names_of(read(source))[0]) == {"tiingo", "second", "files"}
    assert names_of(read(source))[0] == ["tiingo", "second", "tiingo", "files"]
    assert sorted(set(vendors.alpaca.symbols_asked)) == ["AAA"]


FILES = """\
  - files: {{folder: prices, columns: {{split: split}}}}
  - alpaca: {{url: "{alpaca}", first_day: 2026-02-02}}
"""


def test_text_counts_where_no_source_has_a_number(vendors: Vendors) -> None:
    vendors.sources = FILES
    rows = [[str(day), name, 1.0, 7.0, 1.0] for day in DAYS for name in SYMBOLS]
    rows[4][2], rows[6][2] = "n/a", "n/a"
    vendors.alpaca.bars["AAA"][2] = np.nan
    write_prices(vendors.folder, rows)
    table = read(vendors.open())
    assert table.unread == [UnreadCell(2, "AAA_close", "n/a")]
    assert names_of(table)[3][0] == "alpaca"
    assert table.values[3, 0] == closes_of(vendors.alpaca, "AAA")[3]


def test_history_in_files_goes_on_with_a_vendor(vendors: Vendors) -> None:
    vendors.sources = FILES
    rows = [(str(day), name, 1, 7, 1) for day in DAYS[:5] for name in SYMBOLS]
    write_prices(vendors.folder, rows)
    vendors.clock.move(hours=1)
    source = vendors.open()
    table = read(source)
    assert table.days.tolist() == DAYS
    assert [names[0] for names in names_of(table)] == ["files"] * 5 + ["alpaca"] * 7
    # Files that cannot be read are an error: their days would take the prices of the vendor.
    (vendors.folder / "prices" / "p.csv").write_text("date,symbol,split\n2026-02-02,AAA,1\n")
    with pytest.raises(SourceError):
        source.days()


def test_prices_as_traded_do_not_mix_with_others(vendors: Vendors) -> None:
    vendors.sources = FILES.replace(", columns: {{split: split}}", "")
    with pytest.raises(MarketError, match="differ by splits and dividends") as refused:
        vendors.open()
    assert refused.value.found == "'AAA' as traded of alpaca, and not of files"


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ("  - ecb", "a list has one source"),
        ("  - ecb\n  - ecb", "two sources have one name"),
        ("  - ecb\n  - {files: {}, yahoo: {}}", "a source of several has one kind"),
        ("  - ecb\n  - {instruments: [AAA]}", "a source of several has one kind"),
        ("  - ecb\n  - {files: {}, name: a/b}", "not the name of a source"),
        ("  - ecb\n  - {files: {}, tolerance: 2}", "not a number that fits"),
        ("  - ecb\n  - {files: {}, instruments: [CCC]}", "unknown instrument"),
        ("  - ecb\n  - {files: {}, instruments: {kind: bond}}", "no instrument has these labels"),
        ("  - ecb\n  - {files: {}, instruments: {sector: x}}", "unknown key"),
        ("  - ecb\n  - {files: {}, fields: [open]}", "unknown field of its instruments"),
        (
            "  - {files: {}, instruments: [AAA]}\n  - {ecb: {}, fields: [close]}",
            "no source covers a series",
        ),
    ],
)
def test_a_wrong_list_is_refused(sources: str, problem: str, tmp_path: Path) -> None:
    market = parse_description(MARKET.format(sources=sources), tmp_path / "market.yaml")
    assert market.source
    with pytest.raises(MarketError) as refused:
        open_choice(market.source, market, tmp_path)
    assert refused.value.problem == problem
    assert "market.yaml, line " in str(refused.value.where)


def test_bars_are_those_of_the_source_that_delivers_them(tmp_path: Path) -> None:
    sources = """\
  - files: {folder: prices}
  - files: {folder: prices, bars: {folder: bars, zone: UTC}}
    name: with_bars
"""
    text = MARKET.format(sources=sources).replace("[close, volume]", "[close]")
    rows = [(str(day), name, 1.0) for day in DAYS for name in SYMBOLS]
    write_rows(tmp_path / "prices" / "p.csv", [("date", "symbol", "close"), *rows])
    bars = [("timestamp", "symbol", "open", "high", "low", "close")]
    bars += [(f"{DAYS[0]} 09:30", "AAA", 1, 1, 1, 1)]
    write_rows(tmp_path / "bars" / "b.csv", bars)
    market = parse_description(text, tmp_path / "market.yaml")
    assert market.source
    source = open_choice(market.source, market, tmp_path / "cache")
    assert isinstance(source, DeliversBars)
    assert source.bar_minutes == 15
    assert source.bars(DAYS[0], DAYS[1]).days.tolist() == DAYS[:1]
    assert not isinstance(vars(source)["parts"][0].source, DeliversBars)


def compare(source: JoinedSource) -> pd.DataFrame:
    return compare_sources(*source.deliveries(START, END)).rows


def test_sources_that_disagree_are_listed_with_both_values(vendors: Vendors) -> None:
    assert compare(vendors.open()).empty
    shutil.rmtree(vendors.folder / "alpaca")
    bars = {name: bars.copy() for name, bars in vendors.alpaca.bars.items()}
    bars["AAA"][:, 4] *= 1.04
    bars["AAA"][3, 3] *= 1.0015
    bars["AAA"][5, 3] *= 1.003
    bars["BBB"][7, 4] *= 2.0
    bars["BBB"][9] = np.nan
    vendors.alpaca.bars = bars
    table, others = vendors.open().deliveries(START, END)
    comparison = compare_sources(table, others)
    assert comparison.compared == 4 * len(DAYS) - 2
    assert comparison.large == 0
    rows = comparison.rows
    assert rows[["instrument", "field", "source", "other_source"]].values.tolist() == [
        ["AAA", "close", "tiingo", "alpaca"],
        ["BBB", "volume", "tiingo", "alpaca"],
    ]
    assert rows["trading_day"].dt.date.tolist() == [DAYS[5], DAYS[7]]
    assert rows["value"].tolist() == [table.values[5, 0], table.values[7, 3]]
    assert rows["other_value"].tolist() == [bars["AAA"][5, 3], bars["BBB"][7, 4]]
    np.testing.assert_allclose(rows["difference"], [0.003 / 1.003, 0.5])
    assert rows["tolerance"].tolist() == [0.002, 0.05]


def test_a_missed_split_is_a_large_difference_and_a_tolerance_can_be_given(
    vendors: Vendors,
) -> None:
    vendors.sources = VENDORS + "    tolerance: 0.01\n"
    vendors.alpaca.bars["AAA"][5:, 3] /= 2.0
    vendors.alpaca.bars["BBB"][5:, 3] *= 1.008
    table, others = vendors.open().deliveries(START, END)
    comparison = compare_sources(table, others)
    assert (comparison.large, len(comparison.rows)) == (7, 7)


def test_a_later_day_of_the_second_source_changes_no_earlier_disagreement(
    vendors: Vendors,
) -> None:
    vendors.alpaca.bars["AAA"][3, 3] *= 1.01
    before = compare(vendors.open())
    vendors.alpaca.bars["AAA"][6:] *= 1.5
    vendors.tiingo.bars["BBB"][7] = np.nan
    for folder in ("tiingo", "alpaca"):
        shutil.rmtree(vendors.folder / folder)
    after = compare(vendors.open())
    assert len(after) > len(before) == 1
    earlier = after[after["trading_day"] < pd.Timestamp(DAYS[6])]
    pd.testing.assert_frame_equal(earlier, before, check_exact=True)


def test_what_was_taken_is_not_compared_with_itself(vendors: Vendors) -> None:
    vendors.tiingo.bars["AAA"][2] = np.nan
    table, others = vendors.open().deliveries(START, END)
    assert compare_sources(table, others).compared == 4 * len(DAYS) - 2
    assert np.isnan(others[0].values[2, 0])
    assert np.isnan(others[1].values[2, 0])
    assert others[1].values[3, 0] == table.values[3, 0]
