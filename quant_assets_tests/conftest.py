"""Fixtures shared by all tests."""

import gc
import os
import sys
from pathlib import Path

import pytest

from quant_assets import cli
from quant_assets_tests.support.installation import (
    Command,
    CommandResult,
    Digests,
    Installation,
    copy_demo,
    digests,
)

REAL_MARKET = Path(__file__).parents[2] / "shared" / "markets-2010-2017"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: at the end, other processes would wait for them.

    Raises:
        pytest.UsageError: a test is marked as slow without a reason.
    """
    longest: dict[Path, int] = {}
    for item in items:
        marker = item.get_closest_marker("slow")
        if marker and not marker.args:
            raise pytest.UsageError(f'{item.nodeid}: give the reason: slow("what takes long")')
        seconds = marker.kwargs.get("seconds", 20) if marker else int("loaded" in item.fixturenames)
        longest[item.path] = max(seconds, longest.get(item.path, 0))
    items.sort(key=lambda item: longest[item.path], reverse=True)


@pytest.fixture(scope="session")
def real_market() -> Path:
    """Folder with a real market in the competition's format (QUANT_TEST_MARKET overrides)."""
    folder = Path(os.environ.get("QUANT_TEST_MARKET", REAL_MARKET))
    if not (folder / "train.csv").exists():
        pytest.skip(f"no real market in the competition's format at {folder}")
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, CommandResult]:
    """The small market loaded by ``quant-assets demo FOLDER``, and what the command said."""
    return copy_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def loaded(demo: tuple[Installation, CommandResult]) -> Installation:
    """The small market, loaded: to look at, not to change."""
    installation, result = demo
    result.succeeded()
    return installation


@pytest.fixture(scope="session")
def loaded_digests(loaded: Installation) -> Digests:
    """Of every day of every table of the loaded market, and of a copy that nobody has changed."""
    return digests(loaded.settings)


@pytest.fixture
def installation(loaded: Installation, tmp_path: Path) -> Installation:
    """A copy of the loaded small market, to change."""
    return loaded.copy(tmp_path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line's entry point, in this process: ``command(copy, "load", "--force")``."""

    def run(installation: Installation, *arguments: str, **variables: str) -> CommandResult:
        capsys.readouterr()
        thresholds = gc.get_threshold()
        for name, value in {**installation.environment, **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["quant-assets", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        # A command puts off garbage; here what it leaves would be complained of in another test.
        gc.set_threshold(*thresholds)
        gc.collect()
        for name in variables:
            monkeypatch.delenv(name)
        captured = capsys.readouterr()
        return CommandResult(int(end.value.code or 0), captured.out, captured.err)

    return run
