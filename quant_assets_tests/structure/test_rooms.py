"""Imports run downward: the rooms of the package, and what each of them may know."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import quant_assets
from quant_assets.core.rooms import ROWS, Room

PACKAGE = Path(quant_assets.__file__).parent
ROOMS = {room.name: room for row in ROWS for room in row}
HEIGHT = {room.name: -number for number, row in enumerate(ROWS) for room in row}
# The package's own __init__ hands out names of every room, and no room may import them from it.
MODULES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})
named = pytest.mark.parametrize(
    "module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_by(module: Path) -> Iterator[str]:
    """Dotted names that a module imports, at its top or in a function."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{module} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_is_listed_once() -> None:
    rooms = {room_of(module) for module in MODULES}
    assert rooms == set(ROOMS)
    assert len(ROOMS) == sum(map(len, ROWS))


@pytest.mark.parametrize("room", [room for row in ROWS for room in row], ids=lambda room: room.name)
def test_every_subpackage_is_listed(room: Room) -> None:
    folder = PACKAGE / room.name
    found = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert found - {"settings"} == {name for name, _ in room.parts}


@named
def test_a_module_imports_downward(module: Path) -> None:
    own = room_of(module)
    parts = [name.split(".") for name in imported_by(module)]
    rooms = {part[1] for part in parts if part[0] == "quant_assets"} - {own}
    assert not [room for room in rooms if HEIGHT[room] >= HEIGHT[own]]


@named
def test_dagster_is_known_to_the_shell_alone(module: Path) -> None:
    known = any(name.split(".")[0].startswith("dagster") for name in imported_by(module))
    assert not known or ROOMS[room_of(module)].dagster


@named
def test_one_calendar_is_known_to_the_market_and_its_sources_alone(module: Path) -> None:
    """Everything else is given the ``MarketCalendar`` of the market's description."""
    known = any(
        f"{name}.".startswith("quant_assets.market.calendar.") for name in imported_by(module)
    )
    assert not known or room_of(module) in {"market", "sources", "simulation"}


@pytest.mark.parametrize("room", ["market", "models", "features"])
def test_arithmetic_knows_neither_tables_nor_files(room: str) -> None:
    rooms = [module for module in MODULES if room_of(module) == room]
    roots = {name.split(".")[0] for module in rooms for name in imported_by(module)}
    assert rooms
    assert not roots & {"duckdb", "pyarrow", "pandas", "dagster"}


def test_only_settings_reads_the_environment() -> None:
    """Elsewhere it is only written, for the processes that Dagster starts and for cuBLAS."""
    readers = {
        module.relative_to(PACKAGE).as_posix()
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    written = {
        *("orchestration/execution/runs.py", "models/neural/optimisation.py"),
        "commands/servers.py",
    }
    simulated = {f"simulation/{name}.py" for name in ("driver", "preload", "process_control")}
    settings = {f"core/settings/{name}.py" for name in ("market_file", "vendor_keys")}
    assert readers == written | simulated | settings
