"""A data directory whose market comes from vendors of bars, and what its tables hold."""

from datetime import date

import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.bar_folder import BAR_TABLES
from quant_assets_tests.support.installation import Installation

DAYS = [day.date() for day in pd.bdate_range("2025-06-02", periods=82)]
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
FAMILY = "rank_prior"
TABLES = declared_tables((FAMILY,), "load")
# Moments, snapshots and runs are no results of a computation.
_INCIDENTAL = (
    *("stored_at", "snapshot", "seconds", "fit_seconds", "dagster_run", "version", "known_at"),
    *("finished_at", "origin", "fingerprint", "artifact"),
)


class VendorInstallation(Installation):
    """A folder with ``market.yaml`` of a vendor, and the data directory beside it."""

    @property
    def settings(self) -> Settings:
        return Settings(
            data_dir=self.root / "data",
            source=str(self.root / "market.yaml"),
            families=FAMILY,
            first_fit_after=68,
            refit_every=len(DAYS),
            threads=1,
            pictures=False,
        )

    def read(self, sql: str) -> pd.DataFrame:
        with Lake(self.settings.lake_dir, read_only=True) as lake:
            return lake.query(sql)


def read_wide(installation: VendorInstallation, table: str, field: str) -> pd.DataFrame:
    rows = installation.read(f"FROM {table} WHERE field = '{field}'")
    return rows.pivot(index="trading_day", columns="instrument", values="value")


def read_until(installation: VendorInstallation, day: date) -> dict[str, str]:
    """Return a digest of the rows of each table that holds days, up to a day."""
    digests = {}
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        for table in (*TABLES, ACTIONS, *BAR_TABLES):
            if not table.day_column or not lake.has(table):
                continue
            names = ", ".join(
                f'"{column.name}"' for column in table.columns if column.name not in _INCIDENTAL
            )
            rows = lake.arrow(
                f'SELECT {names} FROM {table.quoted} WHERE "{table.day_column}" <= ? ORDER BY ALL',
                [day],
            )
            digests[table.name] = str(rows.to_pylist())
    return digests
