"""Wrong settings, disks or dates: the user gets one message, and nothing changes."""

import json
import socket
from itertools import takewhile
from pathlib import Path

import pytest

from quant_assets_tests.support.installation import (
    PATIENCE,
    Command,
    CommandResult,
    Digests,
    Installation,
    digests,
)
from quant_assets_tests.support.limited_process import (
    drop_override,
    fill_disk,
    without_permission,
)
from quant_assets_tests.support.small_market import write_small_market

slow = pytest.mark.slow("processes whose disk is full, and what they do once it is not")

REFRESH = ("backfill", "--from", "2023-12-29", "--to", "2023-12-29", "--job", "refresh_daily")

SETTINGS = {
    "QUANT_SEED": ("abc", "valid integer"),
    "QUANT_THREADS": ("0", "greater than or equal to 1"),
    "QUANT_FIRST_FIT_AFTER": ("3", "greater than or equal to 60"),
    "QUANT_FILL_LIMIT": ("99", "less than or equal to 10"),
    "QUANT_JUMP_Z": ("-1", "greater than 0"),
    "QUANT_FIRST_DAY": ("soon", "valid date"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_wrong_kind_is_named(
    name: str, loaded: Installation, command: Command
) -> None:
    value, expected = SETTINGS[name]
    finished = command(loaded, "load", **{name: value})
    finished.refused_with("a setting cannot be used", f"where: {name}", expected, f"'{value}'")


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (("1999-01-01", "1999-02-01"), ("2023-07-31 to 2023-12-29", "1999-01-01 to 1999-02-01")),
        (("2023-12-30", "2023-12-31"), ("no trading day", "found: 2023-12-30 to 2023-12-31")),
        (("2023-12-20", "2023-12-10"), ("no trading day", "found: 2023-12-20 to 2023-12-10")),
        (("2099-01-01", "2099-02-01"), ("2023-07-31 to 2023-12-29", "found: 2099-01-01")),
    ],
)
def test_days_that_the_source_has_not_are_refused(
    days: tuple[str, str], words: tuple[str, ...], loaded: Installation, command: Command
) -> None:
    command(loaded, "backfill", "--from", days[0], "--to", days[1]).refused_with(*words)


def test_a_misspelt_job_is_refused_with_the_nearest(loaded: Installation, command: Command) -> None:
    finished = command(loaded, *REFRESH[:-1], "refresh_dayly")
    finished.refused_with("unknown job", "'refresh_dayly'", "did you mean refresh_daily")


@pytest.mark.parametrize("source", ["no-such-folder", "", "simulated"])
@pytest.mark.parametrize("asked", [("load",), REFRESH, ("walk-forward",), ("ui", "--port", "0")])
def test_another_source_than_the_one_loaded_is_refused(
    source: str,
    asked: tuple[str, ...],
    loaded: Installation,
    loaded_digests: Digests,
    command: Command,
) -> None:
    other = source if source == "simulated" else str(loaded.root / source)
    finished = command(loaded, *asked, QUANT_SOURCE=other)
    finished.refused_with("holds another market", str(loaded.root / "data"), "QUANT_DATA_DIR")
    assert digests(loaded.settings) == loaded_digests


def test_a_taken_port_is_said(loaded: Installation, command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command(loaded, "ui", "--port", port).refused_with("cannot be listened on", port, "--port")


def test_a_demo_of_no_market_moves_nothing(
    loaded: Installation, loaded_digests: Digests, command: Command
) -> None:
    command(loaded, "demo", str(loaded.root / "nothing")).refused_with("train.csv", "missing")
    assert not (loaded.root / "data" / "archive").exists()
    assert digests(loaded.settings) == loaded_digests


def test_a_spoilt_market_file_is_named(installation: Installation, command: Command) -> None:
    installation.settings.market_file.write_text(json.dumps({"source": 1}))
    command(installation, "load").refused_with(
        "does not say which market", str(installation.settings.market_file)
    )


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path, command: Command) -> None:
    write_small_market(tmp_path / "market")
    (tmp_path / "data").write_text("")
    finished = command(Installation(tmp_path), "load", QUANT_SOURCE=str(tmp_path / "market"))
    finished.refused_with(str(tmp_path / "data"))


def test_a_read_only_data_directory_is_refused(installation: Installation) -> None:
    before = digests(installation.settings)
    with without_permission(installation.settings.data_dir):
        finished = installation.run(*REFRESH, preexec_fn=drop_override)
    finished.refused_with(
        "cannot be written", str(installation.settings.data_dir), "QUANT_DATA_DIR"
    )
    assert digests(installation.settings) == before


@slow
def test_a_disk_full_from_the_beginning_is_refused(installation: Installation) -> None:
    before = digests(installation.settings)
    finished = installation.run(*REFRESH, preexec_fn=lambda: fill_disk(free=20_000))
    finished.refused_with(str(installation.settings.data_dir), "free disk space")
    assert digests(installation.settings) == before


@slow
def test_a_disk_that_fills_up_during_a_run_is_survived(installation: Installation) -> None:
    before = digests(installation.settings)
    with installation.start(*REFRESH) as process:
        assert process.stderr
        lines = list(takewhile(lambda line: "features.targets ..." not in line, process.stderr))
        fill_disk(process.pid)
        out, err = process.communicate(timeout=PATIENCE)
    assert lines
    CommandResult(process.returncode, out, err).refused_with("free disk space")
    assert digests(installation.settings) == before
    installation.run(*REFRESH).succeeded()
    assert digests(installation.settings) == before
