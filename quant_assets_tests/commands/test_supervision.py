"""Programs that start and end together, in a real process that supervises them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # has no stubs
import pytest

SUPERVISOR = """
import sys
from pathlib import Path
from quant_assets.commands.supervision import run_together
from quant_assets.core.errors import QuantAssetsError
commands = {name: [sys.executable, "-c", code] for name, code in zip("ab", sys.argv[1:])}
try:
    run_together(commands, Path.cwd())
except QuantAssetsError as error:
    sys.exit(str(error))
"""
TIDY = (
    "import pathlib, time\n"
    "try:\n    pathlib.Path('{name}').touch(); time.sleep(600)\n"
    "except KeyboardInterrupt:\n    pathlib.Path('{name}').write_text('tidy')"
)
PATIENCE = 60.0


def start(folder: Path, *programs: str, ignoring: bool = False) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SUPERVISOR, *programs]
    shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if ignoring else []
    return subprocess.Popen(
        [*shell, *command],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(*files: Path) -> None:
    given_up = time.monotonic() + PATIENCE
    while not all(file.exists() for file in files):
        assert time.monotonic() < given_up, "the programs did not begin"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("ignoring", [False, True], ids=["foreground", "background of a shell"])
def test_a_signal_ends_both_in_good_order(
    tmp_path: Path, number: signal.Signals, ignoring: bool
) -> None:
    files = tmp_path / "a", tmp_path / "b"
    programs = [TIDY.format(name=file.name) for file in files]
    with start(tmp_path, *programs, ignoring=ignoring) as supervisor:
        wait_for(*files)
        children = psutil.Process(supervisor.pid).children()
        supervisor.send_signal(number)
        _, err = supervisor.communicate(timeout=PATIENCE)
    assert (supervisor.returncode, err) == (0, "")
    assert [file.read_text() for file in files] == ["tidy", "tidy"]
    assert not [child for child in children if child.is_running()]


def test_the_end_of_one_ends_the_other_with_a_message(tmp_path: Path) -> None:
    other = tmp_path / "b"
    program = "import pathlib, sys, time\nwhile not pathlib.Path('b').exists(): time.sleep(0.05)\n"
    with start(tmp_path, program + "sys.exit(3)", TIDY.format(name=other.name)) as supervisor:
        _, err = supervisor.communicate(timeout=PATIENCE)
    assert supervisor.returncode == 1
    assert "a has ended by itself" in err
    assert "exit status 3" in err
    assert other.read_text() == "tidy"
