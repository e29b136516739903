"""A data directory works wherever it is moved or copied to, and its market may move as well."""

import shutil
from pathlib import Path

import mlflow
import pytest

from quant_assets.core.settings import read_held_market
from quant_assets.lake.store.lake import Lake
from quant_assets.tracking.mlflow_store import open_store, store_uri
from quant_assets_tests.support.installation import (
    Command,
    CommandResult,
    Digests,
    Installation,
    digests,
)
from quant_assets_tests.support.small_market import change_train

DAY = "2023-12-29"
REFRESH = ("backfill", "--from", DAY, "--to", DAY, "--job", "refresh_daily")


@pytest.fixture
def moved(installation: Installation) -> Installation:
    """The installation, all of whose files lie elsewhere now."""
    root = installation.root
    return Installation(root.rename(root.with_name(f"{root.name} elsewhere")))


@pytest.mark.slow("a refresh and other commands in a directory that was moved", seconds=20)
def test_a_moved_directory_works(
    moved: Installation, loaded_digests: Digests, command: Command, tmp_path: Path
) -> None:
    command(moved, "move-source", str(moved.folder)).succeeded()
    rows = command(moved, "sql", "SELECT count(*) AS n FROM raw.prices", "--format", "csv")
    assert rows.succeeded().out == '"n"\n15730\n'
    page = Path(command(moved, "report").succeeded().out.strip())
    assert page.is_relative_to(moved.settings.reports_dir)
    with Lake(moved.settings.lake_dir, read_only=True) as lake:
        day = str(lake.query("SELECT max(trading_day)::VARCHAR AS day FROM fits.ridge")["day"][0])
    repeated = command(moved, "repeat", "ridge", "--as-of", day).succeeded().out
    assert "the same to the bit" in repeated
    command(moved, *REFRESH).succeeded()
    assert digests(moved.settings) == loaded_digests
    assert command(moved, "doctor").succeeded()
    mlflow.set_tracking_uri(store_uri(moved.settings.mlflow_dir))
    assert mlflow.pyfunc.load_model("models:/ridge@champion")
    assert not tmp_path.exists()


def test_a_copy_and_its_original_keep_their_artifacts_apart(
    installation: Installation, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(installation.settings.mlflow_dir, copy)
    for folder in (copy, installation.settings.mlflow_dir):
        before = {path for path in tmp_path.rglob("*") if path.is_dir()}
        with open_store(folder) as client:
            experiment = client.get_experiment_by_name("quant_assets")
            run = client.create_run(experiment.experiment_id)
            client.log_text(run.info.run_id, "kept", "note.txt")
        appeared = {path for path in tmp_path.rglob("*") if path.is_dir()} - before
        assert appeared
        assert all(path.is_relative_to(folder) for path in appeared)
        for version in client.search_model_versions():
            at = client.get_run(str(version.run_id)).info.artifact_uri
            assert at is not None
            assert at.startswith(folder.as_uri())
    shutil.rmtree(installation.settings.mlflow_dir)
    mlflow.set_tracking_uri(store_uri(copy))
    assert mlflow.pyfunc.load_model("models:/ridge@champion")


def move(installation: Installation, command: Command, folder: Path) -> CommandResult:
    return command(installation, "move-source", str(folder))


def test_a_market_moves_with_its_revisions(
    installation: Installation, command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "delivered" / "2024"
    shutil.copytree(installation.folder, folder)
    change_train(folder, lambda rows: [*rows[:-1], [rows[-1][0], *["1"] * (len(rows[0]) - 1)]])
    link = tmp_path / "newest"
    link.symlink_to(folder)
    former = read_held_market(installation.settings)
    out = move(installation, command, link).succeeded().out
    assert f"the market is at {link} now" in out
    assert former
    held = read_held_market(installation.settings)
    assert held == former.model_copy(update={"source": str(link)})
    assert "99" in out.partition("series, and ")[2]


def test_another_market_is_refused(
    installation: Installation, command: Command, tmp_path: Path
) -> None:
    before = installation.settings.market_file.read_bytes()
    other = tmp_path / "other"
    shutil.copytree(installation.folder, other)
    change_train(other, lambda rows: [[cells[0], *map(twice, cells[1:])] for cells in rows])
    move(installation, command, other).refused_with("other prices", "most of the prices", "demo")
    shutil.copytree(installation.folder, other, dirs_exist_ok=True)
    change_train(other, lambda rows: [[*cells, cells[-1]] for cells in rows])
    change_train(other, lambda rows: [[*rows[0][:-1], "US_Stock_ZZZ_adj_close"], *rows[1:]])
    move(installation, command, other).refused_with("other series", "only one of both has")
    shutil.copytree(installation.folder, other, dirs_exist_ok=True)
    pairs = other / "target_pairs.csv"
    first, second, *others = pairs.read_text().splitlines()
    pairs.write_text("\n".join([first, second.replace(",1,", ",2,"), *others]) + "\n")
    move(installation, command, other).refused_with("other targets", "target_0")
    move(installation, command, tmp_path / "nothing").refused_with("train.csv", "missing")
    move(installation, command, Path("simulated")).refused_with("no folder to move")
    assert installation.settings.market_file.read_bytes() == before


def twice(cell: str) -> str:
    """Double a price; names of series and empty cells stay."""
    return repr(2 * float(cell)) if cell[:1].isdigit() else cell


def test_without_a_market_nothing_moves(tmp_path: Path, command: Command) -> None:
    move(Installation(tmp_path), command, tmp_path).refused_with("no folder to move", "no market")
    assert not list(tmp_path.iterdir())
