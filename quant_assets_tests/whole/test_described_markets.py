"""Described markets of currencies and of stocks are loaded, refreshed and revised rightly."""

from collections.abc import Iterator
from math import isnan, log
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pyarrow import parquet

from quant_assets.commands.loading import load_everything, run_range
from quant_assets.commands.revising import run_revision
from quant_assets.definitions import build_definitions
from quant_assets.lake.schemas.feature_tables import LABELS, TARGET_FEATURES
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES, RAW_TARGET_PAIRS
from quant_assets.lake.schemas.revision_tables import REVISION_RUNS, REVISIONS
from quant_assets.lake.schemas.scoring_tables import SCOREBOARD
from quant_assets.lake.schemas.source_tables import RESPONSES
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.protocol import KeepsResponses
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.currency_market import (
    Bank,
    make_currency_market,
    open_bank,
)
from quant_assets_tests.support.described_market import (
    FAMILIES,
    FIRST_FIT_AFTER,
    REFIT_EVERY,
    TABLES,
    DescribedMarket,
)
from quant_assets_tests.support.installation import Digests, Installation, digests
from quant_assets_tests.support.scratch_load import find_deviations
from quant_assets_tests.support.stock_market import make_stock_market

pytestmark = pytest.mark.slow(
    "each of two markets is loaded four times, and is refreshed and revised in real runs",
    seconds=400,
)

REPLAYED, WITHDRAWN = 4, 300
# The day of a fit: one that saw any later label would differ.
AS_OF = FIRST_FIT_AFTER + REFIT_EVERY


def read(installation: Installation, sql: str) -> pd.DataFrame:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return lake.query(sql)


def read_live(installation: Installation) -> Digests:
    """Return the digests of the live submissions, by day."""
    rows = read(installation, f"SELECT trading_day FROM {SUBMISSIONS.quoted} WHERE origin = 'live'")
    days = {str(day.date()) for day in rows["trading_day"]}
    stored = digests(installation.settings, [SUBMISSIONS])
    return {key: digest for key, digest in stored.items() if key[1] in days}


def list_partitions(definitions: dg.Definitions) -> list[str]:
    partitions = definitions.resolve_asset_graph().get(dg.AssetKey(["raw", "prices"]))
    assert partitions.partitions_def
    return list(partitions.partitions_def.get_partition_keys())


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    """A bank whose clock is that of the source ``ecb``."""
    with open_bank() as bank, pytest.MonkeyPatch.context() as patch:
        patch.setattr("quant_assets.sources.http.ecb.WaitingClock", lambda: bank.clock)
        yield bank


@pytest.fixture(scope="module", params=["currencies", "stocks"])
def market(
    request: pytest.FixtureRequest, bank: Bank, tmp_path_factory: pytest.TempPathFactory
) -> DescribedMarket:
    """A market, loaded: to look at and to copy, not to change."""
    root = tmp_path_factory.mktemp(request.param)
    stocks = request.param == "stocks"
    market = make_stock_market(root) if stocks else make_currency_market(root, bank)
    market.deliver()
    load_everything(market.installation.settings)
    return market


def compute_label(closes: list[float], row: int, horizon: int) -> float:
    """Return the log return from the close after a forecast day on; NaN where it is not known."""
    if row + 1 + horizon >= len(closes):
        return float("nan")
    return log(closes[row + 1 + horizon]) - log(closes[row + 1])


def test_labels_are_returns_from_the_close_after_the_forecast_day(market: DescribedMarket) -> None:
    closes = market.read_closes()
    targets = read(market.installation, f"FROM {RAW_TARGET_PAIRS.quoted}")
    assert tuple(sorted(set(targets["lag"]))) == market.horizons
    stored = {
        (row.trading_day.date(), row.target): row.value
        for row in read(market.installation, f"FROM {LABELS.quoted}").itertuples()
    }
    expected = {}
    for target in targets.itertuples():
        for row, day in enumerate(market.days[: -target.lag - 1]):
            label = compute_label(closes[target.leg_a].tolist(), row, target.lag)
            if target.leg_b:
                label -= compute_label(closes[target.leg_b].tolist(), row, target.lag)
            expected[day, target.target] = label
    assert stored == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True)
    assert sum(map(isnan, expected.values())) > 0


def test_every_target_of_every_day_is_submitted_and_exported(market: DescribedMarket) -> None:
    installation = market.installation
    targets = read(installation, f"FROM {RAW_TARGET_PAIRS.quoted} ORDER BY position")["target"]
    days = market.days[FIRST_FIT_AFTER:]
    submitted = read(installation, f"FROM {SUBMISSIONS.quoted} ORDER BY trading_day")
    rows = list(zip(submitted["trading_day"].dt.date, submitted["target"], strict=True))
    assert len(rows) == len(days) * len(targets)
    assert set(rows) == {(day, target) for day in days for target in targets}
    assert submitted["value"].notna().all()
    submitted["trading_day"] = submitted["trading_day"].dt.date
    values = submitted.pivot(index="trading_day", columns="target", values="value")[list(targets)]
    expected, folder = market.lay_out(values), installation.settings.exports_dir
    exported = parquet.read_table(folder / "submission.parquet").to_pylist()
    assert exported == expected.to_dict("records")
    text = pd.read_csv(folder / "submission.csv")
    assert (list(text), len(text)) == (list(expected), len(expected))


def test_the_scoreboard_has_every_family(market: DescribedMarket) -> None:
    scores = read(market.installation, f"FROM {SCOREBOARD.quoted}").set_index("family")
    assert {"ensemble", *FAMILIES} <= set(scores.index)
    assert (scores["days"] > 0).all()


def test_partitions_are_the_days_of_the_market(market: DescribedMarket) -> None:
    keys = list_partitions(build_definitions(market.installation.settings))
    assert keys == [str(day) for day in market.days]


def test_answers_of_a_vendor_are_stored_with_the_prices(market: DescribedMarket) -> None:
    source = open_source(market.installation.settings)
    with Lake(market.installation.settings.lake_dir, read_only=True) as lake:
        assert lake.has(RESPONSES) == isinstance(source, KeepsResponses)
    if isinstance(source, KeepsResponses):
        stored = read(market.installation, f"FROM {RESPONSES.quoted} ORDER BY id")
        kept = [(answer.dataset, answer.sha256) for answer in source.responses()]
        assert list(stored["dataset"]) == ["history", "newest"]
        assert list(zip(stored["dataset"], stored["sha256"], strict=True)) == kept[:2]


def test_replaying_day_by_day_gives_what_the_backfill_gave(
    market: DescribedMarket, tmp_path: Path
) -> None:
    live = market.at(tmp_path)
    settings = live.installation.settings
    rows = range(len(live.days) - REPLAYED, len(live.days))
    live.deliver(rows[0] - 1)
    load_everything(settings)
    for row in rows:
        live.deliver(row)
        run_range(settings, "refresh_daily", live.days[row], live.days[row])
    run_range(settings, "watch_daily", live.days[rows[0]], live.days[-1])
    replayed = digests(settings, TABLES)
    backfilled = digests(market.installation.settings, TABLES)
    # A range is attributed for its newest days: the load before the replay had earlier ones.
    assert {name for name, _ in replayed.keys() - backfilled.keys()} == {"monitoring.attribution"}
    assert {key: replayed[key] for key in backfilled} == backfilled
    assert len(read_live(live.installation)) == REPLAYED + 1


def test_what_comes_later_changes_nothing_before(market: DescribedMarket, tmp_path: Path) -> None:
    other, day, next_day = market.at(tmp_path), market.days[AS_OF], str(market.days[AS_OF + 1])
    other.change_after(AS_OF)
    other.deliver()
    load_everything(other.installation.settings)
    installations = market.installation, other.installation
    before, again = (digests(each.settings, TABLES, until=day) for each in installations)
    assert again == before
    assert {name for name, of_day in before if of_day == str(day)} >= {
        "features.labels",
        "fits.lightgbm",
        "fits.ridge",
        "forecasts.ensemble",
        "submissions.daily",
    }
    mine, theirs = (digests(each.settings, TABLES) for each in installations)
    differ = {
        name
        for name, of_day in mine
        if of_day == next_day and mine[name, of_day] != theirs.get((name, of_day))
    }
    assert differ >= {"raw.prices", "features.targets"}


def test_a_revision_of_the_past_equals_a_load_from_scratch(
    market: DescribedMarket, tmp_path: Path
) -> None:
    revised = market.copy(tmp_path / "revised")
    installation = revised.installation
    submitted = read_live(installation)
    assert {day for _, day in submitted} == {str(revised.days[-1])}
    restated = revised.restate()
    run_revision(installation.settings)
    revisions = read(installation, f"FROM {REVISIONS.quoted}")
    assert restated in set(revisions["instrument"])
    (run,) = read(installation, f"FROM {REVISION_RUNS.quoted}").itertuples()
    assert (run.labels > 0) == revised.moves_labels
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert read_live(installation) == submitted


def test_a_day_is_withdrawn_and_comes_back(market: DescribedMarket, tmp_path: Path) -> None:
    revised = market.copy(tmp_path / "revised")
    installation, prices = revised.installation, [RAW_PRICES, LABELS, TARGET_FEATURES]
    stored = digests(installation.settings, prices)
    revised.withdraw(WITHDRAWN)
    run_revision(installation.settings)
    assert find_deviations(installation, tmp_path / "scratch") == []
    assert digests(installation.settings, prices) != stored
    market.at(revised.root).deliver()
    run_revision(installation.settings)
    assert digests(installation.settings, prices) == stored
    kinds = set(read(installation, f"FROM {REVISIONS.quoted}")["kind"])
    assert kinds == {"withdrawn", "inserted", "renumbered"}


@pytest.mark.parametrize("stored", [False, True])
def test_definitions_load_while_the_source_is_unreachable(
    market: DescribedMarket, tmp_path: Path, stored: bool
) -> None:
    lost = market.copy(tmp_path) if stored else market.at(tmp_path)
    lost.deliver()
    problem = lost.disappear()
    definitions = build_definitions(lost.installation.settings)
    definitions.get_repository_def()
    prices = definitions.resolve_asset_graph().get(dg.AssetKey(["raw", "prices"]))
    assert problem in str(prices.metadata["source_error"])
    assert problem in str(prices.description)
    if stored:
        assert list_partitions(definitions) == [str(day) for day in lost.days]
