"""A described market of a vendor's bars, from loading to labels, with a split in the middle."""

import shutil
from collections.abc import Iterator
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.commands.loading import load_everything
from quant_assets.commands.revising import run_revision
from quant_assets.core.typing import FloatArray
from quant_assets.lake.schemas.bar_tables import BAR_FEATURES, RAW_BARS
from quant_assets.lake.schemas.feature_tables import LABELS
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.schemas.revision_tables import REVISION_RUNS, REVISIONS
from quant_assets.lake.schemas.source_tables import ACTIONS, RESPONSES
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.bar_folder import BAR_TABLES
from quant_assets_tests.support.bar_vendor import (
    KEY,
    BarVendor,
    open_bar_vendor,
    set_keys,
)
from quant_assets_tests.support.minute_vendor import MinuteVendor, add_minutes
from quant_assets_tests.support.vendor_installation import (
    DAYS,
    SYMBOLS,
    VendorInstallation,
    read_until,
    read_wide,
)

pytestmark = pytest.mark.slow("a market is loaded a dozen times", seconds=200)

SPLIT, REVERSE, CASH = 40, 55, 60
"""Rows of a split of AAA, of a reverse split of BBB, and of a dividend of AAA."""
_TEXT = """\
name: vendor
source: {{{shape}: {{url: "{url}", first_day: {first}, symbols: {{AAA.X: AAA}}{more}}}}}
instruments: {{fields: [open, high, low, close, volume], list: [AAA.X, BBB, CCC, DDD]}}
calendar: {{days: data}}
targets: {{spreads: {{against: market, benchmark: DDD, horizons: [1, 3]}}}}
"""


def split_bars(unsplit: FloatArray, row: int, factor: float) -> FloatArray:
    """Return bars as traded, of which those from a row on are after a split."""
    traded = unsplit.copy()
    traded[row:, :4] /= factor
    traded[row:, 4] *= factor
    return traded


def with_actions(vendor: BarVendor) -> BarVendor:
    """Return the vendor with a split, a reverse split and a dividend in its bars."""
    bars = dict(vendor.bars)
    bars["AAA"] = split_bars(bars["AAA"], SPLIT, 2.0)
    bars["BBB"] = split_bars(bars["BBB"], REVERSE, 0.125)
    vendor.splits = {"AAA": {DAYS[SPLIT]: 2.0}, "BBB": {DAYS[REVERSE]: 0.125}}
    vendor.dividends = {"AAA": {DAYS[CASH]: 0.5}}
    vendor.bars = bars
    return vendor


def install(root: Path, vendor: BarVendor, more: str = "") -> VendorInstallation:
    root.mkdir(exist_ok=True)
    text = _TEXT.format(shape=vendor.shape, url=vendor.url, first=DAYS[0], more=more)
    (root / "market.yaml").write_text(text)
    return VendorInstallation(root)


def load(root: Path, vendor: BarVendor, more: str = "") -> VendorInstallation:
    """Load what the vendor has on its clock, as in a new process, with more options."""
    installation = install(root, vendor, more)
    load_everything(installation.settings)
    return installation


@pytest.fixture(params=["tiingo"])
def vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BarVendor]:
    set_keys(monkeypatch)
    with open_bar_vendor(request.param, DAYS, SYMBOLS) as vendor:
        monkeypatch.setattr(
            "quant_assets.sources.http.bar_source.WaitingClock", lambda: vendor.clock
        )
        yield vendor


def own_growth(closes: FloatArray) -> FloatArray:
    """Return what a share became by the dividend of AAA."""
    return np.where(np.arange(len(DAYS)) >= CASH, 1 + 0.5 / closes[CASH], 1.0)


@pytest.mark.parametrize("vendor", ["tiingo", "yahoo", "massive", "alpaca"], indirect=True)
def test_labels_across_a_split_are_those_of_the_unsplit_price(
    vendor: BarVendor, tmp_path: Path
) -> None:
    unsplit = dict(vendor.bars)
    traded = with_actions(vendor).bars
    market = load(tmp_path / "market", vendor)
    raw = read_wide(market, RAW_PRICES.quoted, "close")
    np.testing.assert_array_equal(raw["AAA.X"], traded["AAA"][:, 3])
    np.testing.assert_array_equal(raw["BBB"], traded["BBB"][:, 3])
    actions = market.read(f"FROM {ACTIONS.quoted} ORDER BY trading_day")
    assert actions["trading_day"].dt.date.tolist() == [DAYS[i] for i in (SPLIT, REVERSE, CASH)]
    assert actions["date_id"].tolist() == [SPLIT, REVERSE, CASH]
    assert actions["split"].tolist() == [2.0, 0.125, 1.0]
    np.testing.assert_allclose(actions["dividend"], [0.0, 0.0, 0.5])
    closes = {name: bars[:, 3] for name, bars in unsplit.items()}
    closes["AAA"] = closes["AAA"] * own_growth(traded["AAA"][:, 3])
    validated = read_wide(market, VALIDATED_PRICES.quoted, "close")
    volumes = read_wide(market, VALIDATED_PRICES.quoted, "volume")
    for name, instrument in zip(SYMBOLS, ("AAA.X", *SYMBOLS[1:]), strict=True):
        np.testing.assert_allclose(validated[instrument], closes[name], rtol=1e-12)
        np.testing.assert_allclose(volumes[instrument], unsplit[name][:, 4], rtol=1e-12)
    labels = market.read(f"FROM {LABELS.quoted} WHERE target = 'AAA.X-DDD_3d'")
    assert len(labels) > 60
    for label in labels.itertuples():
        row = DAYS.index(label.trading_day.date()) + 1
        moves = [log(closes[name][row + 3] / closes[name][row]) for name in ("AAA", "DDD")]
        assert label.value == pytest.approx(moves[0] - moves[1], abs=1e-12)
    flags = market.read(f"SELECT flag FROM {VALIDATED_PRICES.quoted} WHERE flag LIKE '%jump%'")
    assert not len(flags)


def split_minutes(minutes: MinuteVendor) -> None:
    """Give the bars within the day the split of AAA."""
    for start, bar in minutes.bars["AAA"].items():
        if start.date() >= DAYS[SPLIT]:
            minutes.bars["AAA"][start] = [*(price / 2 for price in bar[:4]), bar[4] * 2]


def test_no_row_depends_on_a_later_price_bar_split_or_dividend(
    vendor: BarVendor, tmp_path: Path
) -> None:
    minutes, more = add_minutes(vendor), ", bars: {minutes: 15}"
    split_minutes(minutes)
    first = load(tmp_path / "first", with_actions(vendor), more)
    stored = first.read(f"FROM {RAW_BARS.quoted}")
    assert len(stored) == sum(map(len, minutes.bars.values()))
    returns = first.read(f"FROM {BAR_FEATURES.quoted} WHERE instrument = 'AAA.X' ORDER BY 1")
    # A return over the night does not count a split as a loss.
    assert returns["overnight_return"].abs().max() < 0.2
    row = REVERSE + 2
    random = np.random.default_rng(9)
    for bars in minutes.bars.values():
        for start, bar in bars.items():
            if start.date() > DAYS[row]:
                bars[start] = [*(1.01 * price for price in bar[:4]), bar[4] + 1]
    for name, bars in vendor.bars.items():
        vendor.bars[name] = bars.copy()
        vendor.bars[name][row + 1 :, :4] *= np.exp(random.normal(0, 0.1, (len(DAYS) - row - 1, 1)))
        vendor.splits.setdefault(name, {})[DAYS[row + 3]] = 3.0
        vendor.dividends.setdefault(name, {})[DAYS[row + 1]] = 1.5
    second = load(tmp_path / "second", vendor, more)
    before, after = (read_until(each, DAYS[row]) for each in (first, second))
    assert before == after
    assert len(before[ACTIONS.name]) > 10
    assert before.keys() >= {table.name for table in BAR_TABLES}
    last = DAYS[-1]
    whole, changed = (read_until(each, last) for each in (first, second))
    for table in (VALIDATED_PRICES, *BAR_TABLES):
        assert whole[table.name] != changed[table.name]


def test_a_new_split_changes_no_stored_row_and_a_late_one_is_a_revision(
    vendor: BarVendor, tmp_path: Path
) -> None:
    splits = with_actions(vendor).splits
    vendor.until(DAYS[-3])
    market = load(tmp_path / "market", vendor)
    stored = read_until(market, DAYS[-3])
    # The vendor splits on the next day: nothing of the past changes.
    vendor.bars["CCC"] = split_bars(vendor.bars["CCC"], len(DAYS) - 2, 2.0)
    vendor.splits = splits | {"CCC": {DAYS[-2]: 2.0}}
    vendor.until(DAYS[-2])
    load(tmp_path / "market", vendor)
    past = read_until(market, DAYS[-3])
    assert past[VALIDATED_PRICES.name] == stored[VALIDATED_PRICES.name]
    assert past[LABELS.name] == stored[LABELS.name]
    assert not len(market.read(f"FROM {VALIDATED_PRICES.quoted} WHERE flag LIKE '%jump%'"))
    with Lake(market.settings.lake_dir, read_only=True) as lake:
        assert not lake.has(REVISIONS)
    # The vendor learns late of another dividend, and takes the reverse split back.
    vendor.dividends["DDD"] = {DAYS[70]: 0.25}
    vendor.splits["BBB"] = {}
    vendor.clock.move(days=8)
    vendor.days, vendor.bars = DAYS[:-1], {k: v[:-1] for k, v in vendor.bars.items()}
    run_revision(market.settings)
    revisions = market.read(f"FROM {REVISIONS.quoted} ORDER BY trading_day")
    shown = revisions[["instrument", "field", "kind", "before", "after"]].values.tolist()
    assert shown == [
        ["BBB", "close", "split", 0.125, 1.0],
        ["DDD", "close", "dividend", 0.0, 0.25],
    ]
    assert (market.read(f"FROM {REVISION_RUNS.quoted}")["labels"] > 0).all()
    fresh = load(tmp_path / "fresh", vendor)
    names = (RAW_PRICES.name, VALIDATED_PRICES.name, LABELS.name, ACTIONS.name)
    revised, anew = (read_until(each, DAYS[-2]) for each in (market, fresh))
    assert {name: revised[name] for name in names} == {name: anew[name] for name in names}
    before = read_until(market, DAYS[REVERSE - 1])[VALIDATED_PRICES.name]
    assert stored[VALIDATED_PRICES.name].startswith(before[:-1])


def test_growth_goes_on_where_the_source_no_longer_has_the_split(
    vendor: BarVendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_actions(vendor)
    vendor.until(DAYS[-2])
    market = load(tmp_path / "market", vendor)
    before = read_wide(market, VALIDATED_PRICES.quoted, "close")
    # A new address, as of another plan, gives the days after the split only.
    monkeypatch.setattr("quant_assets.revisions.earlier_days._CLEANING_DAYS", 3)
    for name, bars in vendor.bars.items():
        vendor.bars[name] = bars.copy()
        vendor.bars[name][: SPLIT + 5] = np.nan
    vendor.splits["AAA"] = {}
    shutil.rmtree(market.settings.data_dir / "sources")
    vendor.until(DAYS[-1])
    load(tmp_path / "market", vendor)
    after = read_wide(market, VALIDATED_PRICES.quoted, "close")
    assert len(after) == len(DAYS) == len(before) + 1
    pd.testing.assert_frame_equal(after.iloc[:-1], before, check_exact=True)
    growth = 2.0 * (1 + 0.5 / vendor.bars["AAA"][CASH, 3])
    assert after["AAA.X"].iloc[-1] == pytest.approx(vendor.bars["AAA"][-1, 3] * growth)


@pytest.mark.parametrize("vendor", ["massive"], indirect=True)
def test_a_key_is_nowhere_in_the_data_directory(
    vendor: BarVendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market = load(tmp_path / "market", vendor)
    with Lake(market.settings.lake_dir, read_only=True) as lake:
        assert not lake.has(ACTIONS)
        rows = lake.arrow(f"FROM {RESPONSES.quoted}").to_pylist()
        assert len(rows) == 3 * len(SYMBOLS)
        assert KEY not in str(rows)
    assert "massive: 1 of 4 symbols read" in capsys.readouterr().out
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
