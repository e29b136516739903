"""The wheel holds the whole package and works in a folder that has nothing of the checkout."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from zipfile import ZipFile

import pytest

from quant_assets_tests.support.installation import PATIENCE, Installation
from quant_assets_tests.support.small_market import write_small_market
from quant_assets_tests.support.ui_jobs import jobs_in_ui

CHECKOUT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check")
OFFLINE = ("--no-deps", "--no-index", "--quiet")
LOAD = """
import quant_assets
from quant_assets.definitions import defs
from quant_assets.orchestration.execution.runs import INSTANCE_FILE, WORKSPACE_FILE
assert defs().jobs and INSTANCE_FILE.exists() and WORKSPACE_FILE.exists()
print(quant_assets.__file__)
"""


def environment(**variables: str) -> dict[str, str]:
    """Variables of this process without those that name a checkout or a data directory."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    own.pop("PYTHONPATH", None)
    return own | variables


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the sources, built without network."""
    root = tmp_path_factory.mktemp("wheel")
    copytree(
        CHECKOUT / "quant_assets", root / "quant_assets", ignore=ignore_patterns("__pycache__")
    )
    copytree(CHECKOUT / "quant_assets_tests" / "support", root / "quant_assets_tests" / "support")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(CHECKOUT / name, root)
    command = (*PIP, "wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", "dist", ".")
    subprocess.run(command, cwd=root, check=True, env=environment())
    (built,) = (root / "dist").iterdir()
    return built


def test_the_wheel_holds_every_file_of_the_package_and_no_tests(wheel: Path) -> None:
    sources = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "quant_assets").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert names == sources
    assert {"quant_assets/py.typed", "quant_assets/market/closures.txt"} <= names


@pytest.mark.parametrize("name", ["dagster.yaml", "workspace.yaml"])
def test_the_packaged_configuration_is_that_of_the_checkout(name: str) -> None:
    packaged = CHECKOUT / "quant_assets" / "orchestration" / "config" / name
    assert packaged.read_bytes() == (CHECKOUT / name).read_bytes()


def test_an_installed_wheel_loads_its_definitions_anywhere(wheel: Path, tmp_path: Path) -> None:
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    subprocess.run(
        [*PIP, "install", *OFFLINE, "--target", str(target), str(wheel)],
        check=True,
        env=environment(),
    )
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=empty,
        env=environment(PYTHONPATH=str(target)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.stdout.strip() == str(target / "quant_assets" / "__init__.py"), loaded.stderr
    assert not list(empty.iterdir())


@pytest.mark.slow("makes a virtual environment, and runs the demo and the UI from a wheel in it")
def test_demo_and_ui_run_from_an_installed_wheel_in_an_empty_folder(
    wheel: Path, tmp_path: Path
) -> None:
    programs = install_in_environment(wheel, tmp_path / "environment")
    write_small_market(tmp_path / "market")
    empty = tmp_path / "empty"
    empty.mkdir()
    given = {k: v for k, v in Installation(tmp_path).environment.items() if k != "QUANT_DATA_DIR"}
    demo = subprocess.run(
        [programs / "quant-assets", "demo", str(tmp_path / "market")],
        cwd=empty,
        env=environment(**given),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    assert (empty / "data" / "exports" / "submission.parquet").exists()
    jobs = jobs_in_ui(str(programs / "quant-assets"), empty, environment(**given))
    assert {"load_history", "refresh_daily"} <= jobs


def install_in_environment(wheel: Path, root: Path) -> Path:
    """Install the wheel beside this environment's libraries; return the folder of the programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    programs = root / "bin"
    python = str(programs / "python")
    subprocess.run(
        [*PIP, "--python", python, "install", *OFFLINE, str(wheel)], check=True, env=environment()
    )
    # A path file's folder comes after the environment's own packages, and path files in it, such
    # as that of an editable installation, do not count.
    (packages,) = root.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    for name in ("dagster", "dagster-daemon", "dagster-webserver"):
        _, _, script = Path(sys.executable).with_name(name).read_text().partition("\n")
        (programs / name).write_text(f"#!{python}\n{script}")
        (programs / name).chmod(0o755)
    dagster = programs / "dagster"
    dagster.write_text(f"#!{python}\nfrom dagster._cli import main\nmain()\n")
    dagster.chmod(0o755)
    return programs
