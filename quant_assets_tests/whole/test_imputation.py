"""A described market whose missing closes are estimated: features use them, labels never do."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.commands.description_changes import list_changed_parts, record_parts
from quant_assets.core.settings import Settings, store_market
from quant_assets.core.typing import FloatArray
from quant_assets.definitions import build_definitions
from quant_assets.features.imputation import impute_closes
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES, LABELS, TARGET_FEATURES
from quant_assets.lake.schemas.price_tables import IMPUTED, UNIVERSE, VALIDATED_PRICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.reading import open_description
from quant_assets.orchestration.execution.runs import open_instance, run_job
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.simulation.history_checks import HISTORY
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.installation import digests
from quant_assets_tests.support.sent_days import check_sent_days

pytestmark = pytest.mark.slow(
    "a market is loaded four times, refreshed and revised in real runs", seconds=30
)

NAMES = ("ANT", "BEE", "CAT", "DOG", "EEL", "FOX")
DAYS, WINDOW, LIMIT = 120, 60, 5
SILENT, FROM = "FOX", 100
"""An instrument without closes from a row on, which leaves the universe after four days."""
STORED = (*HISTORY, UNIVERSE)
ESTIMATED = f"imputation: {{conditional_mean: {{window: {WINDOW}}}}}\n"
TEXT = f"""\
name: estimated
instruments: {{fields: [high, low, close], list: [{", ".join(NAMES)}]}}
calendar: {{days: data}}
targets: {{returns: {{horizons: [1, 2]}}}}
universe: {{without_prices: 4}}
source: {{files: {{folder: prices}}}}
"""


@dataclass
class GapMarket:
    """A market in files, with gaps.

    Attributes:
        root: directory of the market's folder and the data directory.
        close: (n, 6) closes; NaN where the files have none.
        imputation: what the description says of missing closes.
    """

    root: Path
    close: FloatArray = field(repr=False)
    imputation: str = ESTIMATED

    @property
    def days(self) -> list[date]:
        return [day.date() for day in pd.bdate_range("2023-01-02", periods=DAYS)]

    @property
    def settings(self) -> Settings:
        return Settings(
            data_dir=self.root / "data",
            source=str(self.root / "market.yaml"),
            families="rank_prior",
            fill_limit=LIMIT,
            threads=1,
            pictures=False,
        )

    def deliver(self, rows: int = DAYS) -> None:
        (self.root / "prices").mkdir(parents=True, exist_ok=True)
        (self.root / "market.yaml").write_text(TEXT + self.imputation)
        frame = pd.DataFrame(self.close, pd.Index(self.days, name="date"), NAMES)[:rows]
        long = frame.melt(ignore_index=False, var_name="symbol", value_name="close").dropna()
        long = long.assign(high=long["close"] * 1.01, low=long["close"] * 0.99)
        long.sort_values(["date", "symbol"]).to_csv(self.root / "prices" / "prices.csv")

    def run(self, job: str, first: date, last: date) -> None:
        store_market(self.settings)
        definitions = build_definitions(self.settings)
        graph = definitions.resolve_asset_graph()
        keys = {key.to_user_string().replace("/", ".") for key in graph.get_all_asset_keys()}
        only = [table.name for table in (*STORED, IMPUTED) if table.name in keys]
        with open_instance(self.settings) as instance:
            run_job(definitions, instance, JobRun(job, first, last, only=only))

    def load(self) -> "GapMarket":
        self.run("load_history", self.days[0], open_source(self.settings).last_day)
        return self

    def read(self, table: Table) -> pd.DataFrame:
        with Lake(self.settings.lake_dir, read_only=True) as lake:
            return lake.query(f"FROM {table.quoted} ORDER BY ALL")


def draw_closes() -> FloatArray:
    random = np.random.default_rng(8)
    moves = random.normal(0, 0.01, (DAYS, 1)) + random.normal(0, 0.003, (DAYS, len(NAMES)))
    close = 30 * np.exp(moves.cumsum(axis=0))
    gaps = random.random(close.shape) < 0.05
    gaps[[0, -3, -2, -1], :3] = [
        [False] * 3,
        [True, True, False],
        [True, False, False],
        [False] * 3,
    ]
    close[gaps] = np.nan
    close[FROM:, NAMES.index(SILENT)] = np.nan
    return close.round(4)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> GapMarket:
    """A loaded market, to look at and not to change."""
    market = GapMarket(tmp_path_factory.mktemp("estimated"), draw_closes())
    market.deliver()
    return market.load()


def test_the_table_has_the_estimates_of_the_arrays(market: GapMarket) -> None:
    stored = market.read(IMPUTED)
    expected = impute_closes(market.close, WINDOW, LIMIT, DAYS)
    silent = NAMES.index(SILENT)
    # Four days without a close, and it is no member, though five days may be estimated.
    expected.value[FROM + 3 :, silent] = np.nan
    day, instrument = np.nonzero(~np.isnan(expected.value))
    assert stored["trading_day"].dt.date.tolist() == [market.days[row] for row in day]
    assert stored["instrument"].tolist() == [NAMES[i] for i in instrument]
    np.testing.assert_array_equal(stored["close"], expected.value[day, instrument])
    np.testing.assert_array_equal(
        stored["standard_error"].to_numpy(float), expected.standard_error[day, instrument]
    )
    assert 5 < stored["standard_error"].isna().sum() < len(stored) - 15


def test_labels_and_prices_are_equal_without_estimates(market: GapMarket, tmp_path: Path) -> None:
    plain = GapMarket(tmp_path, market.close, imputation="")
    plain.deliver()
    plain.load()
    with Lake(plain.settings.lake_dir, read_only=True) as lake:
        assert not lake.has(IMPUTED)
    features = (INSTRUMENT_FEATURES, TARGET_FEATURES)
    mine, others = (digests(each.settings, STORED) for each in (market, plain))
    assert mine.keys() == others.keys()
    differ = {table for table, day in mine if mine[table, day] != others[table, day]}
    assert {table.name for table in features} <= differ
    assert all(name.startswith("features.") for name in differ)
    assert not {LABELS.name, VALIDATED_PRICES.name, UNIVERSE.name} & differ
    settings = market.settings
    record_parts(settings, open_description(settings))
    assert list_changed_parts(settings, open_description(plain.settings)) == ["imputation"]


def test_features_have_the_estimates(market: GapMarket) -> None:
    estimates = impute_closes(market.close, WINDOW, LIMIT, DAYS).value
    close = np.where(np.isnan(market.close), estimates, market.close)
    stored = market.read(INSTRUMENT_FEATURES)
    for row in (-3, -2, -1):
        of_day = stored[stored["trading_day"].dt.date == market.days[row]]
        expected = np.log(close[row] / close[row - 1])
        np.testing.assert_allclose(of_day["ret_1"][:5], expected[:5], rtol=1e-9)
    assert np.isnan(market.close[-3:-1, 0]).all()
    assert not np.isnan(close[-4:, :5]).any()


def test_no_row_depends_on_later_closes_and_a_revision_estimates_again(
    market: GapMarket, tmp_path: Path
) -> None:
    row = DAYS - 3
    close = market.close.copy()
    random = np.random.default_rng(3)
    close[row + 1 :] = np.exp(random.normal(3, 0.1, close[row + 1 :].shape))
    changed = GapMarket(tmp_path, close)
    changed.deliver()
    changed.load()
    tables, day = (*STORED, IMPUTED), market.days[row]
    before = digests(market.settings, tables, day)
    assert digests(changed.settings, tables, day) == before
    assert (IMPUTED.name, str(day)) in before
    assert digests(changed.settings, tables) != digests(market.settings, tables)
    changed.close = market.close
    changed.deliver()
    changed.run("revise_history", market.days[row + 1], market.days[-1])
    assert digests(changed.settings, tables) == digests(market.settings, tables)


def test_day_by_day_equals_all_days(market: GapMarket, tmp_path: Path) -> None:
    live = GapMarket(tmp_path, market.close)
    live.deliver(DAYS - 2)
    live.load()
    for rows in (DAYS - 1, DAYS):
        live.deliver(rows)
        live.run("refresh_daily", live.days[rows - 1], live.days[rows - 1])
    tables = (*STORED, IMPUTED)
    assert digests(live.settings, tables) == digests(market.settings, tables)


def test_sent_days_have_the_estimates(market: GapMarket) -> None:
    check_sent_days(market.settings, 20)
