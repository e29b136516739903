"""What ``quant_assets`` itself offers: typed names that are imported on first use only."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import quant_assets

LIGHT = (
    "import sys; before = set(sys.modules); import quant_assets; print(*set(sys.modules) - before)"
)
SCRIPT = """
from typing import assert_type
import quant_assets
from quant_assets import Lake, Settings, load_settings

assert_type(load_settings(), Settings)
with Lake(load_settings().lake_dir, read_only=True) as lake:
    lake.query("FROM monitoring.scoreboard")
quant_assets.no_such_name
"""


def test_importing_the_package_imports_nothing_else() -> None:
    modules = subprocess.run(
        [sys.executable, "-S", "-c", LIGHT],
        env={"PYTHONPATH": str(Path(quant_assets.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    roots = {name.partition(".")[0] for name in modules}
    assert roots - set(sys.stdlib_module_names) == {"quant_assets"}


@pytest.mark.parametrize("name", quant_assets.__all__)
def test_a_public_name_is_defined_documented_and_listed(name: str) -> None:
    value = getattr(quant_assets, name)
    assert value.__doc__
    assert name in dir(quant_assets)
    if name != "__version__":
        assert (value.__name__, value.__module__.partition(".")[0]) == (name, "quant_assets")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="'quant_assets' has no attribute 'no_such_name'"):
        quant_assets.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_installed_package() -> None:
    assert quant_assets.__version__ == version("quant-assets")


@pytest.mark.slow
def test_type_checkers_know_the_public_names(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    options = ("--config-file=", "--strict", "--follow-imports=silent")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", str(tmp_path), str(script)],
        cwd=Path(quant_assets.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout.splitlines()[:-1] == [
        f'{script}:9: error: Module has no attribute "no_such_name"  [attr-defined]'
    ], checked.stdout + checked.stderr
