"""What ``quant_assets`` itself offers: typed names that are imported on first use only."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import quant_assets

LIGHT = (
    "import sys; before = set(sys.modules); import quant_assets; print(*set(sys.modules) - before)"
)


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
        assert getattr(value, "__name__", name) == name
        assert value.__module__.startswith("quant_assets.")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="'quant_assets' has no attribute 'no_such_name'"):
        quant_assets.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_installed_package() -> None:
    assert quant_assets.__version__ == version("quant-assets")


def test_type_checkers_are_shown_the_same_names_from_the_same_modules() -> None:
    """They read the imports below ``TYPE_CHECKING``, and a program the table of modules."""
    tree = ast.parse(Path(quant_assets.__file__).read_text())
    shown = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("quant_assets.")
        for alias in node.names
    }
    table = quant_assets._MODULES
    assert shown == {name: f"quant_assets.{module}" for name, module in table.items()}
    assert set(quant_assets.__all__) == {*shown, "__version__"}
    assert (Path(quant_assets.__file__).parent / "py.typed").exists()
