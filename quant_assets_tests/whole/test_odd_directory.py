"""The platform runs in a data directory with quotes, blanks and characters that URLs reserve."""

import os
from pathlib import Path

import mlflow
import pytest

from quant_assets.models.registry import FAST
from quant_assets.tracking.mlflow_store import store_uri
from quant_assets_tests.support.installation import PROGRAM, Command, Installation
from quant_assets_tests.support.odd_names import ODD_NAME
from quant_assets_tests.support.small_market import write_small_market
from quant_assets_tests.support.ui_jobs import jobs_in_ui


@pytest.mark.slow("a whole demo, its commands and the UI in a directory of an odd name", seconds=60)
def test_everything_works_in_a_directory_of_an_odd_name(tmp_path: Path, command: Command) -> None:
    installation = Installation(tmp_path / ODD_NAME)
    write_small_market(installation.folder)
    settings = installation.settings
    first = installation.run("demo", str(installation.folder)).succeeded()
    assert "recorded of tracking" not in first.out + first.err
    assert str(settings.exports_dir / "submission.parquet") in first.out
    assert (
        "nothing has changed"
        in command(installation, "demo", str(installation.folder)).succeeded().out
    )

    mlflow.set_tracking_uri(store_uri(settings.mlflow_dir))
    for family in FAST:
        assert mlflow.pyfunc.load_model(f"models:/{family}@champion")
    rows = (
        command(installation, "sql", "FROM monitoring.scoreboard", "--format", "csv")
        .succeeded()
        .out
    )
    assert all(f'"{family}"' in rows for family in FAST)
    copy = installation.root / "copy.duckdb"
    command(installation, "snapshot", str(copy)).succeeded()
    assert copy.exists()
    command(installation, "export").succeeded()
    page = Path(command(installation, "report").succeeded().out.strip())
    assert page.is_relative_to(settings.reports_dir)
    assert page.exists()

    variables = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    assert "refresh_daily" in jobs_in_ui(
        PROGRAM, installation.root, variables | installation.environment
    )
    # Nothing was written beside the directory, as where a name was taken for an escaped one.
    assert [path.name for path in tmp_path.iterdir()] == [ODD_NAME]
    written = {path.name for path in installation.root.iterdir()}
    assert written == {"market", "data", "copy.duckdb", "ui.log"}
