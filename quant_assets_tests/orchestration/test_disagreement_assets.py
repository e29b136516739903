"""Sources are compared where a market has several, and nowhere else."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from quant_assets.core.settings import Settings
from quant_assets.definitions import build_definitions
from quant_assets.lake.readers.series import group_rows, series_rows
from quant_assets.lake.schemas.price_tables import RAW_GROUPS, RAW_PRICES, RAW_SERIES
from quant_assets.lake.schemas.source_tables import DISAGREEMENTS
from quant_assets.lake.store.changes import replace_all, replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import collect
from quant_assets.orchestration.assets import disagreements
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets.orchestration.assets.table_assets import asset_key_of
from quant_assets.quality.cleaning import CleaningRules
from quant_assets.revisions.comparison import Comparison, compare_with_source
from quant_assets.revisions.storing import build_update
from quant_assets.sources.protocol import Source
from quant_assets.sources.registry import open_market, open_source
from quant_assets_tests.support.described_folder import END, START, write_rows

DAYS = [day.date() for day in pd.bdate_range("2026-02-02", periods=8)]
KEY = asset_key_of(DISAGREEMENTS)
DAILY = ("load_history", "refresh_daily", "revise_history")
MARKET = """\
name: several
instruments: {list: [AAA, BBB]}
calendar: {days: data}
targets: {returns: {horizons: [1]}}
source:
  - files: {folder: one}
    name: one
  - files: {folder: two}
    name: two
"""


def settings_of(folder: Path, text: str = MARKET) -> Settings:
    (folder / "market.yaml").write_text(text)
    return Settings(data_dir=folder / "data", source=str(folder / "market.yaml"))


def write(folder: Path, name: str, factors: Sequence[float], days: int = len(DAYS)) -> None:
    """Write closes of 100 and 200, of which those of BBB are multiplied by factors."""
    rows = [(str(day), "AAA", 100.0) for day in DAYS[:days]]
    rows += [(str(d), "BBB", 200.0 * f) for d, f in zip(DAYS[:days], factors, strict=False)]
    write_rows(folder / name / "p.csv", [("date", "symbol", "close"), *rows])


def store(lake: Lake, source: Source) -> None:
    """Store what the source has, as a load does."""
    table = source.prices(START, END)
    update = build_update(Comparison(table), source.name, CleaningRules(), DAYS[0], DAYS[-1])
    lake.change(
        replace_all(RAW_SERIES, series_rows(table.series)),
        replace_all(RAW_GROUPS, group_rows(table.series.all_groups)),
        replace_days(RAW_PRICES, DAYS[0], DAYS[-1], collect(RAW_PRICES, update.raw_blocks())),
    )


def run(settings: Settings, lake: Lake, source: Source, day: int) -> bool:
    """Run the asset for a day; return whether its check passed."""
    calendar = open_market(settings, source).calendar
    partitions = trading_partitions(calendar, DAYS[0], DAYS[-1], DAYS[-1])
    result = dg.materialize(
        disagreements.build(partitions, ()),
        partition_key=str(DAYS[day]),
        resources={"lake": lake, "source": source},
    )
    (check,) = result.get_asset_check_evaluations()
    assert check.severity == dg.AssetCheckSeverity.WARN
    return check.passed


def test_disagreements_are_stored_and_warn(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write(tmp_path, "one", [1.0] * 8)
    write(tmp_path, "two", [1.1, 1.0, 1.01, 1.0, 1.001, 1.0, 1.0, 1.0], days=6)
    source = open_source(settings)
    with Lake(tmp_path / "lake") as lake:
        store(lake, source)
        assert not run(settings, lake, source, 5)
        stored = lake.arrow(f"FROM {DISAGREEMENTS.quoted}").to_pylist()
        assert [(row["trading_day"], row["instrument"], row["field"]) for row in stored] == [
            (DAYS[2], "BBB", "close")
        ]
        sources = [(row["source"], row["other_source"]) for row in stored]
        values = [(row["value"], row["other_value"]) for row in stored]
        assert (sources, values) == ([("one", "two")], [(200.0, 202.0)])
        # The second source delivers its days late: they are compared with a later day.
        write(tmp_path, "two", [1.0] * 6 + [1.0, 1.3])
        assert not run(settings, lake, source, 7)
        stored = lake.arrow(f"FROM {DISAGREEMENTS.quoted} ORDER BY trading_day").to_pylist()
        assert [row["trading_day"] for row in stored] == [DAYS[2], DAYS[7]]
        write(tmp_path, "two", [1.0] * 8)
        assert run(settings, lake, source, 7)


def test_only_a_market_with_several_sources_compares_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, name, [1.0] * 8)
    several = build_definitions(settings_of(tmp_path))
    single = "source: {files: {folder: one}}\n"
    one = build_definitions(settings_of(tmp_path, MARKET.split("source:", maxsplit=1)[0] + single))
    compared, others = (
        set(each.resolve_asset_graph().get_all_asset_keys()) for each in (several, one)
    )
    assert compared == others | {KEY}
    assert KEY not in others
    for job in ("retrain_models", "watch_daily", "walk_forward", *DAILY):
        keys = several.resolve_job_def(job).asset_layer.executable_asset_keys
        assert (KEY in keys) == (job in DAILY), job


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_folder_that_is_gone_is_an_error(name: str, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path, folder, [1.0] * 8)
    source = open_source(settings_of(tmp_path))
    assert source.last_day == DAYS[-1]
    (tmp_path / name).rename(tmp_path / "elsewhere")
    with pytest.raises(Exception, match=name):
        _ = source.last_day


def test_a_value_that_the_first_source_has_later_is_a_revision(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write(tmp_path, "one", [1.0] * 8, days=6)
    write(tmp_path, "two", [1.0] * 6 + [1.02, 1.0])
    source = open_source(settings)
    with Lake(tmp_path / "lake") as lake:
        store(lake, source)
        assert not compare_with_source(lake, source).revisions
        # A day of the second source that was not taken changes nothing.
        write(tmp_path, "two", [1.5] * 6 + [1.02, 1.0])
        assert not compare_with_source(lake, source).revisions
        write(tmp_path, "one", [1.0] * 8)
        revisions = compare_with_source(lake, source).revisions
    (revision,) = revisions
    assert (revision.kind, revision.column, revision.first) == ("corrected", "BBB_close", DAYS[6])
    assert (revision.before, revision.after) == (204.0, 200.0)
