"""``quant-assets doctor``: check that a machine has what a run needs, and say what to do if not."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import duckdb

from quant_assets.alerts.alert_lifecycle import LEVELS, Level
from quant_assets.alerts.channels import open_channels
from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.settings import Settings, read_held_market, require_market
from quant_assets.lake.store.connection import CATALOGUE, FILES, extension_file
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import load_family, select_families
from quant_assets.sources.registry import open_source

FREE_GB = 2.0
_MOVED = "correct QUANT_SOURCE or the folder; `quant-assets move-source FOLDER` if it has moved"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        subject: what was checked.
        ok: whether a run can do with it.
        value: what the check found.
        advice: what to do if it is not ok.
    """

    subject: str
    ok: bool
    value: str
    advice: str = ""


def run_checks(settings: Settings) -> Iterator[CheckResult]:
    """Check the machine, the data directory, the market and the settings, which are listed last."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield CheckResult(
        "python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer"
    )
    for name in ("ducklake", "sqlite_scanner"):
        file = extension_file(name)
        yield CheckResult(
            f"extension {name}",
            file is not None,
            f"{'wheel found' if file else 'no wheel'} for DuckDB {duckdb.__version__}",
            f"pip install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}",
        )
    yield _check_data_dir(settings)
    yield _check_disk(settings)
    yield _check_lake(settings)
    yield _check_source(settings)
    yield _check_market(settings)
    yield from _check_families(settings)
    yield from (_check_channels(settings, level) for level in LEVELS)
    for name, value in settings.model_dump().items():
        yield CheckResult(f"QUANT_{name.upper()}", True, _format_setting(value))


def _format_setting(value: object) -> str:
    """Return the value as one would set it in the environment."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_data_dir(settings: Settings) -> CheckResult:
    place = _find_existing(settings.data_dir)
    good = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    state = "can be written" if good else f"cannot be written: {place}"
    return CheckResult(
        "data directory",
        good,
        state,
        "set QUANT_DATA_DIR to a directory of yours, or get permission to write this one; what"
        " only reads the lake, such as `sql`, needs none",
    )


def _find_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _check_disk(settings: Settings) -> CheckResult:
    free = shutil.disk_usage(_find_existing(settings.data_dir)).free / 1e9
    return CheckResult("free disk", free > FREE_GB, f"{free:.1f} GB", f"free at least {FREE_GB} GB")


def _check_lake(settings: Settings) -> CheckResult:
    if not settings.lake_dir.exists():
        return CheckResult(
            "lake", True, f"none yet below {settings.data_dir}; `make demo` makes it"
        )
    try:
        with Lake(settings.lake_dir, read_only=True) as lake:
            return CheckResult("lake", True, f"{settings.lake_dir}, snapshot {lake.snapshot_id()}")
    except QuantAssetsError as error:
        return CheckResult("lake", False, _to_line(error), _advise_on_lake(settings.lake_dir))


def _advise_on_lake(folder: Path) -> str:
    """Return what to do about a lake that cannot be opened, which need not be the lake's fault."""
    unreadable = [
        place
        for place in (folder, folder / CATALOGUE, folder / FILES)
        if place.exists() and not os.access(place, os.R_OK)
    ]
    if unreadable:
        return f"get permission to read {unreadable[0]}; the lake may be whole"
    try:
        # As much as SQLite writes beside the catalogue when it opens it.
        with TemporaryFile(dir=folder) as probe:
            probe.write(bytes(2**15))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        if error.errno in _FULL:
            return f"free disk space below {folder}; the lake may be whole"
    return "restore it from a copy, or move it away"


def _check_families(settings: Settings) -> Iterator[CheckResult]:
    try:
        names = select_families(settings.families)
    except QuantAssetsError as error:
        yield CheckResult("model families", False, _to_line(error), "correct QUANT_FAMILIES")
        return
    yield CheckResult("model families", True, ", ".join(names))
    users: dict[str, list[str]] = {}
    for name in names:
        users.setdefault(load_family(name).library, []).append(name)
    for library, families in users.items():
        yield _check_library(library, families)


def _check_library(library: str, families: Sequence[str]) -> CheckResult:
    """Import a library in a process of its own, which may crash where a part of it is missing."""
    # Only names of the package's own families come here.
    command = [sys.executable, "-c", f"import {library}; print({library}.__version__)"]
    imported = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    subject = f"library {library}"
    if imported.returncode == 0:
        return CheckResult(subject, True, imported.stdout.strip())
    told = imported.stderr.strip().splitlines() or [f"ended with status {imported.returncode}"]
    return CheckResult(
        subject,
        False,
        f"cannot be used, so {', '.join(families)} cannot be fitted: {told[-1]}",
        f"pip install --force-reinstall {library}; LightGBM and XGBoost also need an OpenMP"
        " runtime: `apt install libgomp1`, or `brew install libomp`",
    )


def _check_source(settings: Settings) -> CheckResult:
    try:
        source = open_source(settings)
        waiting = source.waiting()
        found = f"{source.name}, {source.first_day} to {source.last_day}"
        return CheckResult("source", True, f"{found}; not read: {waiting}" if waiting else found)
    except QuantAssetsError as error:
        return CheckResult("source", False, _to_line(error), _MOVED)


def _check_market(settings: Settings) -> CheckResult:
    try:
        require_market(settings)
        held = read_held_market(settings)
        return CheckResult("market", True, f"{held} is held" if held else "none is held yet")
    except QuantAssetsError as error:
        return CheckResult("market", False, _to_line(error), str(error.hint))


def _check_channels(settings: Settings, level: Level) -> CheckResult:
    subject = f"alerts {level}"
    try:
        names = open_channels(settings, [level]).names[level]
        return CheckResult(
            subject, True, ", ".join(names) or "no channel: alerts are stored and sent to nobody"
        )
    except QuantAssetsError as error:
        return CheckResult(subject, False, _to_line(error), f"correct QUANT_ALERTS_{level.upper()}")


def _to_line(error: QuantAssetsError) -> str:
    parts = (error.problem, error.where, error.found)
    return "; ".join(str(part) for part in parts if part)
