"""``quant-assets doctor``: is everything here that a run needs, and if not, what to do."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from quant_assets.alerts.alert_lifecycle import LEVELS, Level
from quant_assets.alerts.channels import open_channels
from quant_assets.core.errors import QuantAssetsError
from quant_assets.core.settings import Settings
from quant_assets.lake.store.connection import extension_file
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import select_families
from quant_assets.sources.registry import open_source

FREE_GB = 2.0


@dataclass(frozen=True)
class CheckResult:
    """One thing looked at."""

    subject: str
    ok: bool
    found: str
    advice: str = ""


def run_checks(settings: Settings) -> Iterator[CheckResult]:
    """Look at interpreter, extensions, disk, lake, source and settings, in that order."""
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
    yield _data_dir(settings)
    yield _disk(settings)
    yield _lake(settings)
    yield _source(settings)
    yield _families(settings)
    yield from (_channels(settings, level) for level in LEVELS)
    for name, value in settings.model_dump().items():
        yield CheckResult(f"QUANT_{name.upper()}", True, _shown(value))


def _shown(value: object) -> str:
    """As it is given in the environment."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _data_dir(settings: Settings) -> CheckResult:
    place = _existing(settings.data_dir)
    good = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    found = "can be written" if good else f"cannot be written: {place}"
    return CheckResult("data directory", good, found, "set QUANT_DATA_DIR to a directory of yours")


def _existing(path: Path) -> Path:
    """The path, or the nearest above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _disk(settings: Settings) -> CheckResult:
    free = shutil.disk_usage(_existing(settings.data_dir)).free / 1e9
    return CheckResult("free disk", free > FREE_GB, f"{free:.1f} GB", f"free at least {FREE_GB} GB")


def _lake(settings: Settings) -> CheckResult:
    if not settings.lake_dir.exists():
        return CheckResult(
            "lake", True, f"none yet below {settings.data_dir}; `make demo` makes it"
        )
    try:
        with Lake(settings.lake_dir, read_only=True) as lake:
            return CheckResult("lake", True, f"{settings.lake_dir}, snapshot {lake.snapshot_id()}")
    except QuantAssetsError as error:
        return CheckResult("lake", False, _line(error), "restore it from a copy, or move it away")


def _families(settings: Settings) -> CheckResult:
    try:
        return CheckResult("model families", True, ", ".join(select_families(settings.families)))
    except QuantAssetsError as error:
        return CheckResult("model families", False, _line(error), "correct QUANT_FAMILIES")


def _source(settings: Settings) -> CheckResult:
    try:
        source = open_source(settings)
        return CheckResult(
            "source", True, f"{source.name}, {source.first_day} to {source.last_day}"
        )
    except QuantAssetsError as error:
        return CheckResult("source", False, _line(error), "correct QUANT_SOURCE or the folder")


def _channels(settings: Settings, level: Level) -> CheckResult:
    subject = f"alerts {level}"
    try:
        names = open_channels(settings, [level]).names[level]
        return CheckResult(
            subject, True, ", ".join(names) or "no channel: stored, and told to nobody"
        )
    except QuantAssetsError as error:
        return CheckResult(subject, False, _line(error), f"correct QUANT_ALERTS_{level.upper()}")


def _line(error: QuantAssetsError) -> str:
    parts = (error.problem, error.where, error.found)
    return "; ".join(str(part) for part in parts if part)
