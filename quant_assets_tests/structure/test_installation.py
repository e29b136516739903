"""What installs and starts the platform from a checkout: constraints and make's variables."""

import os
import subprocess
import tomllib
from pathlib import Path
from shutil import which

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[2]
SHOW_ARGUMENTS = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"


def test_every_direct_dependency_is_pinned_to_a_version_it_allows() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(text) for texts in (project["dependencies"], *extras) for text in texts]
    pins = [Requirement(line) for line in (CHECKOUT / "constraints.txt").read_text().splitlines()]
    versions: dict[str, str] = {}
    for pin in pins:
        (specifier,) = pin.specifier
        assert specifier.operator == "=="
        assert versions.setdefault(canonicalize_name(pin.name), specifier.version)
    assert len(versions) == len(pins)
    for requirement in wanted:
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}, pinned to {version}"


@pytest.mark.skipif(which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("arguments", "passed_on"),
    [
        (["demo"], ["demo"]),
        (["demo", "DATA=my data/c"], ["demo", "my data/c"]),
        (["demo", "DATA=a'b\"c$HOME#%20"], ["demo", "a'b\"c$HOME#%20"]),
        (
            ["demo", "DATA=c", "FAMILIES=ridge, lightgbm"],
            ["demo", "c", "--families", "ridge, lightgbm"],
        ),
        (["ui", "PORT=4000"], ["ui", "--port", "4000"]),
    ],
)
def test_make_passes_its_variables_on_as_they_are(
    arguments: list[str], passed_on: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "quant-assets"
    program.write_text(SHOW_ARGUMENTS)
    program.chmod(0o755)
    # The tests may themselves be run by make.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        # With --old-file nothing is installed.
        ["make", "--old-file", ".venv/.installed", f"BIN={tmp_path}", *arguments],
        cwd=CHECKOUT,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == passed_on
