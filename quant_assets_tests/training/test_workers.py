"""Workers that fit end with the process that began them."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # has no stubs

from quant_assets_tests.support import killed_fits


def test_workers_end_with_a_killed_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", killed_fits.__name__, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "made\n"
        workers = psutil.Process(run.pid).children(recursive=True)
        assert len(workers) >= 2
        run.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=30)
    for worker in alive:
        worker.kill()
    assert alive == []
