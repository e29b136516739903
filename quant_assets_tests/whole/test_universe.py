"""Instruments that begin or end change nothing before; the universe follows closes and listings."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.commands.loading import load_everything
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.feature_tables import LABELS
from quant_assets.lake.schemas.forecast_tables import ENSEMBLE_FORECASTS, SUBMISSIONS
from quant_assets.lake.schemas.price_tables import UNIVERSE, VALIDATED_PRICES, VALIDATED_QUARANTINE
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.sent_days import check_sent_days
from quant_assets_tests.support.stock_market import make_stock_market

pytestmark = pytest.mark.slow("a market of twelve stocks is loaded three times", seconds=120)

FAMILIES = ("rank_prior", "ridge", "lightgbm")
OTHERS = {
    "finance": ("BRK-B", "JPM", "BAC", "GS"),
    "energy": ("XOM", "CVX", "COP"),
    "technology": ("AAPL", "MSFT", "INTC", "CSCO"),
}
CHANGING, DAYS, BEGINS, RENAMED, ENDS = "HAL", 300, 200, 220, 240
GAP = slice(ENDS + 2, ENDS + 27)
# Moments, places of targets and digests of everything that is given, whether or not it is used.
_LEFT_OUT = {"seconds", "snapshot", "dagster_run", "mlflow_run", "version", "origin", "stored_at"}
_LEFT_OUT |= {"position", "fingerprint"}
# Figures over the whole period have no day; sums over targets have their order.
_NOT_BY_DAY = {"monitoring.agreement"}


@dataclass(frozen=True)
class Loaded:
    """A loaded market, whose changing stock may begin late, end early, be renamed or absent."""

    settings: Settings
    days: list[date]

    def read(self, table: Table, until: date) -> pd.DataFrame:
        with Lake(self.settings.lake_dir, read_only=True) as lake:
            rows = lake.query(f"FROM {table.quoted} WHERE {table.day_column} < ?", [until])
        rows = rows[[name for name in rows if name not in _LEFT_OUT]]
        for name in {"instrument", "target", "column"} & set(rows):
            rows = rows[~rows[name].str.contains(CHANGING)]
        texts = [name for name in rows if rows[name].dtype == object]
        days = [name for name in ("trading_day", "released_on") if name in rows]
        return rows.sort_values([*days, *texts]).reset_index(drop=True)


def load(root: Path, stock: str | None) -> Loaded:
    """Load the market with the changing stock ``described``, ``renamed`` or absent.

    Described, its files have prices on all days, and those before its listing and after its
    delisting are wrong. Renamed, they have prices from the listing on, in files of two names.
    """
    market = make_stock_market(root)
    days = market.days[:DAYS]
    groups = {name: list(symbols) for name, symbols in OTHERS.items()}
    if stock:
        groups["energy"].insert(1, CHANGING)
    names = [name for members in groups.values() for name in members]
    prices = market.prices[market.prices["symbol"].isin(names) & market.prices["date"].isin(days)]
    folder = root / "market" / "prices"
    folder.mkdir(parents=True)
    for symbol, rows in prices.groupby("symbol"):
        if symbol != CHANGING:
            write(folder, symbol, rows)
        elif stock == "renamed":
            write(folder, f"OLD-{symbol}", rows[rows["date"].isin(days[BEGINS:RENAMED])])
            late = [*days[RENAMED : GAP.start], *days[GAP.stop :]]
            write(folder, symbol, rows[rows["date"].isin(late)])
        else:
            inside = rows["date"].isin(days[BEGINS:ENDS])
            wrong = rows.assign(**{name: 7 * rows[name] for name in ("open", "high", "close")})
            write(folder, symbol, rows.where(inside, wrong))
    said = {
        "described": f", listed: {days[BEGINS]}, delisted: {days[ENDS - 1]}",
        "renamed": f", renamed: {{OLD-{CHANGING}: {days[RENAMED]}}}",
    }
    listed = "\n".join(
        f"    - {{name: {name}, labels: {{business: {group}}}"
        f"{said[stock] if stock and name == CHANGING else ''}}}"
        for group, members in groups.items()
        for name in members
    )
    file = folder.parent / "market.yaml"
    file.write_text(
        "name: stocks\nsource: {files: {folder: prices, other_days: skip}}\ninstruments:\n"
        f"  fields: [open, high, low, close, volume]\n  list:\n{listed}\n"
        "group_by: business\ncalendar: {exchanges: [XNYS]}\n"
        "targets: {spreads: {against: market, benchmark: BRK-B, horizons: [1, 5]}}\n"
    )
    settings = Settings(
        data_dir=root / "data",
        source=str(file),
        families=",".join(FAMILIES),
        first_fit_after=120,
        refit_every=25,
        threads=1,
        pictures=False,
    )
    load_everything(settings)
    return Loaded(settings, days)


def write(folder: Path, symbol: str, rows: pd.DataFrame) -> None:
    rows.drop(columns="symbol").to_csv(folder / f"{symbol}.csv", index=False)


def compare_before(one: Loaded, other: Loaded, day: date) -> set[str]:
    """Assert that all rows of other stocks before a day are equal; return the names of tables."""
    compared = set()
    for table in declared_tables(FAMILIES, "load"):
        with Lake(one.settings.lake_dir, read_only=True) as lake:
            if not table.day_column or not lake.has(table) or table.name in _NOT_BY_DAY:
                continue
        rows, others = one.read(table, day), other.read(table, day)
        if table.name == "monitoring.slices":
            # The dispersion of forecasts that are all equal is the rounding of their sum.
            rows, others = (x[x["part"] != "dispersion"] for x in (rows, others))
        pd.testing.assert_frame_equal(
            rows.reset_index(drop=True), others.reset_index(drop=True), check_exact=True
        )
        compared |= {table.name} if len(rows) else set()
    return compared


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(tmp_path_factory.mktemp("ending"), "described")


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(tmp_path_factory.mktemp("living"), "renamed")


def test_a_stock_that_begins_changes_nothing_before(ending: Loaded, tmp_path: Path) -> None:
    without = load(tmp_path, None)
    compared = compare_before(without, ending, ending.days[BEGINS])
    assert compared >= {
        *("validated.prices", "features.market", "features.groups", "features.targets"),
        *("fits.lightgbm", "fits.ridge", "forecasts.lightgbm", "forecasts.ensemble"),
        *("forecasts.intervals", "submissions.daily", "monitoring.performance"),
    }


def test_a_stock_that_ends_changes_nothing_before(ending: Loaded, living: Loaded) -> None:
    compare_before(living, ending, ending.days[ENDS])


def test_a_renamed_stock_has_the_prices_of_both_names(ending: Loaded, living: Loaded) -> None:
    parts = []
    for loaded in (ending, living):
        with Lake(loaded.settings.lake_dir, read_only=True) as lake:
            parts.append(
                lake.query(
                    f"FROM {VALIDATED_PRICES.quoted} WHERE instrument = ? AND trading_day BETWEEN"
                    " ? AND ? ORDER BY ALL",
                    [CHANGING, loaded.days[BEGINS], loaded.days[ENDS - 1]],
                )
            )
    assert parts[0]["value"].notna().all()
    pd.testing.assert_frame_equal(*parts, check_exact=True)


def test_prices_of_other_days_are_in_quarantine(ending: Loaded) -> None:
    with Lake(ending.settings.lake_dir, read_only=True) as lake:
        rows = lake.query(
            f"SELECT reason, count(*) AS n FROM {VALIDATED_QUARANTINE.quoted}"
            ' WHERE "column" = ? GROUP BY reason',
            [f"{CHANGING}_close"],
        )
    assert dict(zip(rows["reason"], rows["n"], strict=True)) == {
        "not yet listed": BEGINS,
        "delisted": DAYS - ENDS,
    }


def test_a_stock_without_prices_leaves_and_comes_back(living: Loaded) -> None:
    with Lake(living.settings.lake_dir, read_only=True) as lake:
        rows = lake.query(
            f"FROM {UNIVERSE.quoted} WHERE instrument = ? ORDER BY trading_day", [CHANGING]
        )
    gone = GAP.start + 19
    assert rows["why"].tolist() == [
        *["not yet listed"] * BEGINS,
        *["listed"] * (gone - BEGINS),
        *["no price for 20 days"] * (GAP.stop - gone),
        *["listed"] * (DAYS - GAP.stop),
    ]


def test_the_universe_follows_the_listing(ending: Loaded) -> None:
    with Lake(ending.settings.lake_dir, read_only=True) as lake:
        rows = lake.query(
            f"FROM {UNIVERSE.quoted} WHERE instrument = ? ORDER BY trading_day", [CHANGING]
        )
        kept = lake.query(
            f"SELECT count(value) AS n FROM {VALIDATED_PRICES.quoted}"
            " WHERE instrument = ? AND field = 'close'",
            [CHANGING],
        )
        submitted, forecast = (
            set(
                lake.query(
                    f"SELECT DISTINCT trading_day FROM {table.quoted} WHERE target LIKE ?",
                    [f"{CHANGING}-%"],
                )["trading_day"].dt.date
            )
            for table in (SUBMISSIONS, ENSEMBLE_FORECASTS)
        )
        labels = lake.query(
            f"FROM {LABELS.quoted} WHERE target = ? AND released_on >= ?",
            [f"{CHANGING}-BRK-B_5d", ending.days[ENDS]],
        )
    assert rows["why"].tolist() == [
        *["not yet listed"] * BEGINS,
        *["listed"] * (ENDS - BEGINS),
        *["delisted"] * (DAYS - ENDS),
    ]
    assert rows["member"].equals(rows["why"] == "listed")
    assert kept["n"][0] == ENDS - BEGINS
    assert labels["value"].isna().all()
    assert submitted == forecast
    assert submitted
    members = set(ending.days[BEGINS:ENDS])
    assert submitted <= members
    assert max(submitted) == max(members)


def test_sent_days_have_the_stored_bits(ending: Loaded, living: Loaded) -> None:
    for loaded in (ending, living):
        check_sent_days(loaded.settings, DAYS - GAP.stop + 4)
