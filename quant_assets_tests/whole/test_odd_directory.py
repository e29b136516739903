"""The platform runs in a data directory with quotes, blanks and signs that URLs reserve."""

import os
from pathlib import Path

import mlflow
import pytest

from quant_assets.models.registry import FAST
from quant_assets.tracking.mlflow_store import store_uri
from quant_assets_tests.conftest import Command
from quant_assets_tests.support.desk import PROGRAM, Desk
from quant_assets_tests.support.odd_names import ODD_NAME
from quant_assets_tests.support.small_market import write_small_market
from quant_assets_tests.support.ui_jobs import jobs_in_ui


@pytest.mark.slow
def test_everything_works_in_a_directory_of_an_odd_name(tmp_path: Path, command: Command) -> None:
    desk = Desk(tmp_path / ODD_NAME)
    write_small_market(desk.folder)
    settings = desk.settings
    first = desk.run("demo", str(desk.folder)).succeeded()
    assert "recorded of tracking" not in first.out + first.err
    assert str(settings.exports_dir / "submission.parquet") in first.out
    assert "nothing has changed" in command(desk, "demo", str(desk.folder)).succeeded().out

    mlflow.set_tracking_uri(store_uri(settings.mlflow_dir))
    for family in FAST:
        assert mlflow.pyfunc.load_model(f"models:/{family}@champion")
    rows = command(desk, "sql", "FROM monitoring.scoreboard", "--format", "csv").succeeded().out
    assert all(f'"{family}"' in rows for family in FAST)
    copy = desk.root / "copy.duckdb"
    command(desk, "snapshot", str(copy)).succeeded()
    assert copy.exists()
    command(desk, "export").succeeded()
    page = Path(command(desk, "report").succeeded().out.strip())
    assert page.is_relative_to(settings.reports_dir)
    assert page.exists()

    variables = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    assert "refresh_daily" in jobs_in_ui(PROGRAM, desk.root, variables | desk.environment)
    # Nothing was written beside the directory, as where a name was taken for an escaped one.
    assert [path.name for path in tmp_path.iterdir()] == [ODD_NAME]
    written = {path.name for path in desk.root.iterdir()}
    assert written == {"market", "data", "copy.duckdb", "ui.log"}
