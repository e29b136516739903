"""Tables of FRED and of the EIA: vintages and lags become moments, over a server on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.core.errors import SettingsError, SourceError
from quant_assets.market.description.reading import parse_description
from quant_assets.sources.tables.reading import read_table
from quant_assets_tests.support.vendor_server import (
    ManualClock,
    Scripted,
    VendorServer,
    open_vendor,
)

TEXT = """\
name: t
instruments: {{list: [A, B]}}
calendar: {{days: data, due: "18:00", zone: America/New_York}}
targets: {{returns: {{horizons: [1]}}}}
tables:
  macro: {{{rule}}}
"""
VINTAGES = [
    ("2020-02-07", "2020-01-01", "3.6"),
    ("2020-03-06", "2020-02-01", "3.5"),
    ("2020-03-06", "2020-01-01", "3.5"),
    ("2020-04-03", "2020-03-01", "."),
]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorServer]:
    monkeypatch.setattr("quant_assets.sources.tables.vendors.WaitingClock", ManualClock)
    for name in ("FRED_API_KEY", "EIA_API_KEY"):
        monkeypatch.setenv(name, "key-of-a-test")
    with open_vendor() as server:
        yield server


def read(folder: Path, rule: str) -> pd.DataFrame:
    market = parse_description(TEXT.format(rule=rule), folder / "market.yaml")
    return read_table(market.tables[0], market, folder).frame


def listed(frame: pd.DataFrame) -> list[tuple[str, str, str, float]]:
    return [
        (row.field, str(row.observed_on.date()), str(row.known_at), row.value)
        for row in frame.itertuples()
    ]


def script_vintages(vendor: VendorServer) -> str:
    names = ("realtime_start", "date", "value")
    rows = [dict(zip(names, row, strict=True)) for row in VINTAGES]
    page = {"count": len(rows), "offset": 0, "limit": 100_000, "observations": rows}
    return vendor.script("/v", Scripted(json.dumps(page)))


def test_vintages_of_fred_are_known_at_the_next_close(vendor: VendorServer, tmp_path: Path) -> None:
    url = script_vintages(vendor)
    rows = read(tmp_path, f"fred: {{series: [UNRATE], url: '{url}'}}")
    assert listed(rows) == [
        ("UNRATE", "2020-01-01", "2020-02-08 23:00:00", 3.6),
        ("UNRATE", "2020-01-01", "2020-03-07 23:00:00", 3.5),
        ("UNRATE", "2020-02-01", "2020-03-07 23:00:00", 3.5),
    ]
    assert vendor.asked[0].parameters["series_id"] == "UNRATE"
    assert list((tmp_path / "fred").iterdir()), "answers are kept"


def test_with_a_lag_fred_is_asked_without_a_key(
    vendor: VendorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRED_API_KEY")
    table = "observation_date,DGS10\n2020-01-02,1.88\n2020-01-03,\n2020-07-06,0.69\n"
    url = vendor.script("/g", Scripted(table))
    rows = read(tmp_path, f"fred: {{series: [DGS10], url: '{url}'}}, release_lag_days: 3")
    assert listed(rows) == [
        ("DGS10", "2020-01-02", "2020-01-05 23:00:00", 1.88),
        ("DGS10", "2020-07-06", "2020-07-09 22:00:00", 0.69),
    ]
    assert "api_key" not in vendor.asked[0].parameters


def test_vintages_of_fred_need_a_key(
    vendor: VendorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRED_API_KEY")
    with pytest.raises(SettingsError, match="FRED_API_KEY"):
        read(tmp_path, f"fred: {{series: [UNRATE], url: '{script_vintages(vendor)}'}}")


def test_the_eia_has_no_vintages(vendor: VendorServer, tmp_path: Path) -> None:
    rows = [{"period": "2020-04-20", "series": "RWTC", "value": "-36.98"}]
    page = {"response": {"total": "1", "data": rows}}
    url = vendor.script("/v2", Scripted(json.dumps(page)))
    read_rows = read(tmp_path, f"eia: {{series: [RWTC], url: '{url}'}}, release_lag_days: 1")
    assert listed(read_rows) == [("RWTC", "2020-04-20", "2020-04-21 22:00:00", -36.98)]
    assert vendor.asked[0].path == "/v2/petroleum/pri/spt/data/"


def test_a_vendor_that_refuses(vendor: VendorServer, tmp_path: Path) -> None:
    url = vendor.script("/v", Scripted("no such series", 400))
    with pytest.raises(SourceError, match="does not understand"):
        read(tmp_path, f"fred: {{series: [NONE], url: '{url}'}}")
