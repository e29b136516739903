"""Tests stand alone: what several of them use is in ``support``, and no test module is imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT.name
MODULES = [path for path in sorted(ROOT.rglob("*.py")) if path.name != "__init__.py"]


def imported_names(module: Path) -> Iterator[str]:
    """Dotted names below the tests' package that a module imports."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == PACKAGE)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_support_is_imported(module: Path) -> None:
    others = [name for name in imported_names(module) if name.split(".")[1] != "support"]
    assert not others
