"""A market of two vendors: one is down while the other answers, and what it gives later."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.commands.loading import load_everything
from quant_assets.commands.revising import run_revision
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.schemas.revision_tables import REVISIONS
from quant_assets.lake.schemas.source_tables import DISAGREEMENTS, RESPONSES
from quant_assets_tests.support.bar_vendor import BarVendor, open_bar_vendor, set_keys
from quant_assets_tests.support.vendor_installation import (
    DAYS,
    SYMBOLS,
    VendorInstallation,
    read_until,
    read_wide,
)
from quant_assets_tests.support.vendor_server import Scripted

pytestmark = pytest.mark.slow("a market is loaded and revised", seconds=30)

ROW = 40
TEXT = """\
name: vendors
source:
  - tiingo: {{url: "{tiingo}", first_day: {first}}}
  - alpaca: {{url: "{alpaca}", first_day: {first}}}
instruments: {{fields: [open, high, low, close, volume], list: [AAA, BBB, CCC, DDD]}}
calendar: {{days: data}}
targets: {{spreads: {{against: market, benchmark: DDD, horizons: [1, 3]}}}}
"""


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[BarVendor, BarVendor]]:
    set_keys(monkeypatch)
    with (
        open_bar_vendor("tiingo", DAYS, SYMBOLS) as first,
        open_bar_vendor("alpaca", DAYS, SYMBOLS) as second,
    ):
        second.clock = first.clock
        first.clock.move(hours=2)
        for module in ("http.bar_source.WaitingClock", "joined.opening.Clock"):
            monkeypatch.setattr(f"quant_assets.sources.{module}", lambda: first.clock)
        yield first, second


def test_a_vendor_that_was_down_revises_the_prices_of_the_other(
    vendors: tuple[BarVendor, BarVendor], tmp_path: Path
) -> None:
    first, second = vendors
    market = VendorInstallation(tmp_path)
    text = TEXT.format(tiingo=first.url, alpaca=second.url, first=DAYS[0])
    (tmp_path / "market.yaml").write_text(text)
    first.fail = lambda _: Scripted("down", 503)
    load_everything(market.settings)
    named = f"SELECT DISTINCT source FROM {RAW_PRICES.quoted}"
    assert market.read(named)["source"].tolist() == ["alpaca"]
    assert market.read(f"FROM {DISAGREEMENTS.quoted}").empty
    before = read_until(market, DAYS[ROW - 1])
    # The first vendor answers, and differs from a day on.
    first.fail = lambda _: None
    first.bars = {name: bars.copy() for name, bars in first.bars.items()}
    first.bars["AAA"][ROW:, :4] *= 1.005
    first.clock.move(hours=7)
    run_revision(market.settings)
    revisions = market.read(f"FROM {REVISIONS.quoted}")
    assert set(revisions["instrument"]) == {"AAA"}
    assert revisions["trading_day"].min() == pd.Timestamp(DAYS[ROW])
    closes = read_wide(market, RAW_PRICES.quoted, "close")
    np.testing.assert_array_equal(closes["AAA"], first.bars["AAA"][:, 3])
    after = read_until(market, DAYS[ROW - 1])
    for table in (RAW_PRICES, VALIDATED_PRICES):
        assert after[table.name] == before[table.name]
    rows = market.read(f"FROM {DISAGREEMENTS.quoted}")
    assert len(rows) == 4 * (len(DAYS) - ROW)
    assert set(zip(rows["source"], rows["other_source"], strict=True)) == {("tiingo", "alpaca")}
    np.testing.assert_allclose(rows["difference"], 0.005 / 1.005)
    answers = market.read(f"SELECT source, count(*) AS n FROM {RESPONSES.quoted} GROUP BY ALL")
    assert set(answers["source"]) == {"tiingo", "alpaca"}
