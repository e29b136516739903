"""What the vendors of a market's tables answer is stored with the observations."""

import json
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.series import group_rows, series_rows
from quant_assets.lake.schemas.observation_tables import RAW_OBSERVATIONS
from quant_assets.lake.schemas.price_tables import RAW_GROUPS, RAW_SERIES
from quant_assets.lake.schemas.source_tables import RESPONSES
from quant_assets.lake.store.changes import replace_all
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.reading import parse_description
from quant_assets.orchestration.assets import observations
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets.orchestration.assets.table_assets import asset_key_of
from quant_assets_tests.support.vendor_server import ManualClock, Scripted, open_vendor

DAYS = [day.date() for day in pd.bdate_range("2026-02-02", periods=5)]
KEY = "key-of-a-test"
TEXT = """\
name: t
instruments: {{list: [A]}}
calendar: {{exchanges: [XNYS]}}
targets: {{returns: {{horizons: [1]}}}}
tables:
  rates: {{fred: {{series: [DGS10], url: "{fred}"}}, release_lag_days: 1}}
  energy: {{eia: {{series: [RWTC], url: "{eia}"}}, release_lag_days: 1}}
"""


def run(lake: Lake, market: MarketDescription, folder: Path) -> None:
    partitions = trading_partitions(market.calendar, DAYS[0], DAYS[-1], DAYS[-1])
    result = dg.materialize(
        observations.build(partitions, ()),
        partition_key=str(DAYS[-1]),
        resources={
            "lake": lake,
            "settings": Settings(data_dir=folder),
            "clock": Clock(),
            "market": market,
        },
        selection=[asset_key_of(RAW_OBSERVATIONS)],
    )
    (event,) = result.get_asset_materialization_events()
    stored = lake.query(f"SELECT count(*) AS n FROM {RAW_OBSERVATIONS.quoted}")["n"][0]
    assert event.materialization.metadata["dagster/row_count"].value in (stored, 0)


def test_answers_about_tables_are_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quant_assets.sources.tables.vendors.WaitingClock", ManualClock)
    monkeypatch.setenv("EIA_API_KEY", KEY)
    page = {"total": "1", "data": [{"series": "RWTC", "period": "2026-02-02", "value": "61.5"}]}
    with open_vendor() as server, Lake(tmp_path / "lake") as lake:
        eia = server.script("/v2", Scripted(json.dumps({"response": page})))
        body = "observation_date,DGS10\n2026-02-02,4.1\n"
        fred = server.script("/graph", Scripted(body, headers={"Content-Type": "text/csv"}))
        market = parse_description(TEXT.format(fred=fred, eia=eia), tmp_path / "market.yaml")
        series = market.list_series(["A_close"])
        lake.change(
            replace_all(RAW_SERIES, series_rows(series)),
            replace_all(RAW_GROUPS, group_rows(series.all_groups)),
        )
        for count in (2, 4):
            run(lake, market, tmp_path)
            rows = lake.arrow(f"FROM {RESPONSES.quoted} ORDER BY ALL").to_pylist()
            assert len(rows) == count
    assert {row["source"] for row in rows} == {"fred", "eia"}
    assert {(row["status"], row["problem"]) for row in rows} == {(200, "")}
    assert len(body) in {row["size"] for row in rows}
    assert KEY not in str(rows)
    for row in rows:
        digest = row["sha256"]
        kept = tmp_path / "sources" / row["source"] / "bodies" / digest[:2] / digest
        assert kept.stat().st_size == row["size"]
