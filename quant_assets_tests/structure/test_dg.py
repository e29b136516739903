"""Dagster's own command line works in a checkout, on the files at its top level."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
DG = Path(sys.executable).with_name("dg")


@pytest.mark.slow("loads the definitions through dg, twice", seconds=15)
@pytest.mark.parametrize(
    ("command", "words"),
    [("check", "All definitions loaded successfully"), ("list", "forecasts/ensemble")],
)
def test_dg_finds_the_definitions(command: str, words: str, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(CHECKOUT / name, tmp_path)
    (tmp_path / "quant_assets").symlink_to(CHECKOUT / "quant_assets")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    done = subprocess.run(
        [str(DG), command, "defs"],
        cwd=tmp_path,
        env={**kept, "DAGSTER_DISABLE_TELEMETRY": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert words in done.stdout + done.stderr
