"""Every run and every process of Dagster begins with loading the definitions: it stays light."""

import subprocess
import sys
from pathlib import Path

HEAVY = {
    "alembic",
    "apprise",
    "evidently",
    "exchange_calendars",
    "great_expectations",
    "lightgbm",
    "matplotlib",
    "mlflow",
    "optuna",
    "polars",
    "rich",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "statsmodels",
    "structlog",
    "torch",
    "xgboost",
}
DEFINITIONS = "import sys, quant_assets.definitions as d; assert d.defs().jobs; print(*sys.modules)"
COMMAND_LINE = "import sys, quant_assets.cli; print(*sys.modules)"


def loaded_by(program: str, directory: Path) -> set[str]:
    """Top-level packages in memory after a program, in a fresh interpreter."""
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"QUANT_DATA_DIR": str(directory), "DAGSTER_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in found.stdout.split()}


def test_the_definitions_load_no_heavy_library(tmp_path: Path) -> None:
    loaded = loaded_by(DEFINITIONS, tmp_path)
    assert {"dagster", "quant_assets"} <= loaded
    assert not loaded & HEAVY
    assert not list(tmp_path.iterdir())


def test_the_command_line_begins_without_dagster(tmp_path: Path) -> None:
    loaded = loaded_by(COMMAND_LINE, tmp_path)
    assert "quant_assets" in loaded
    assert not loaded & {*HEAVY, "dagster", "duckdb", "pandas"}
