"""Assets of bars are there where the source delivers bars, and nowhere else."""

from pathlib import Path

import dagster as dg

from quant_assets.definitions import build_definitions
from quant_assets_tests.support.bar_folder import BAR_TABLES, BarMarket, make_bar_market

KEYS = {dg.AssetKey(table.key) for table in BAR_TABLES}
FEATURES = dg.AssetKey(["features", "bars"])
READERS = (
    *("fits/ridge", "fits/ridge_study", "forecasts/ridge", "forecasts/rank_prior"),
    *("monitoring/attribution", "monitoring/drift"),
)
DAILY = ("load_history", "refresh_daily", "revise_history")
JOBS = (*DAILY, "retrain_models", "watch_daily", "walk_forward")


def make_definitions(market: BarMarket, *, with_bars: bool) -> dg.Definitions:
    market.deliver(with_bars=with_bars)
    return build_definitions(market.settings)


def keys_of(definitions: dg.Definitions) -> set[dg.AssetKey]:
    return set(definitions.resolve_asset_graph().get_all_asset_keys())


def keys_of_job(definitions: dg.Definitions, name: str) -> set[dg.AssetKey]:
    return set(definitions.resolve_job_def(name).asset_layer.executable_asset_keys)


def test_only_a_source_with_bars_has_assets_of_bars(tmp_path: Path) -> None:
    market = make_bar_market(tmp_path, 5)
    with_bars = make_definitions(market, with_bars=True)
    without = make_definitions(market, with_bars=False)
    assert not KEYS & keys_of(without)
    assert keys_of(with_bars) == keys_of(without) | KEYS
    for name in JOBS:
        added = KEYS if name in DAILY else set()
        assert keys_of_job(with_bars, name) == keys_of_job(without, name) | added, name


def test_what_reads_inputs_of_models_comes_after_bars(tmp_path: Path) -> None:
    market = make_bar_market(tmp_path, 5)
    graph = make_definitions(market, with_bars=True).resolve_asset_graph()
    without = make_definitions(market, with_bars=False).resolve_asset_graph()
    children = graph.get(FEATURES).child_keys
    others = dg.AssetKey(["features", "observations"])
    assert children == graph.get(others).child_keys
    assert {key.to_user_string() for key in children} >= set(READERS)
    for key in without.get_all_asset_keys():
        added = {FEATURES} if key in children else set()
        assert graph.get(key).parent_keys == without.get(key).parent_keys | added


def test_bars_have_the_partitions_of_prices(tmp_path: Path) -> None:
    graph = make_definitions(make_bar_market(tmp_path, 5), with_bars=True).resolve_asset_graph()
    prices = graph.get(dg.AssetKey(["raw", "prices"])).partitions_def
    for key in KEYS:
        assert graph.get(key).partitions_def == prices
        assert graph.get(key).backfill_policy == dg.BackfillPolicy.single_run()
