"""``quant-assets doctor``: check that a machine has what a run needs, and say what to do if not."""

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
from quant_assets.core.settings import Settings, read_held_market, require_market
from quant_assets.lake.store.connection import extension_file
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import select_families
from quant_assets.sources.registry import open_source

FREE_GB = 2.0


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
    """Check interpreter, extensions, disk, lake, source, families, channels; list the settings."""
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
    yield _check_families(settings)
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
    return CheckResult("data directory", good, state, "set QUANT_DATA_DIR to a directory of yours")


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
        return CheckResult(
            "lake", False, _to_line(error), "restore it from a copy, or move it away"
        )


def _check_families(settings: Settings) -> CheckResult:
    try:
        return CheckResult("model families", True, ", ".join(select_families(settings.families)))
    except QuantAssetsError as error:
        return CheckResult("model families", False, _to_line(error), "correct QUANT_FAMILIES")


def _check_source(settings: Settings) -> CheckResult:
    try:
        source = open_source(settings)
        return CheckResult(
            "source", True, f"{source.name}, {source.first_day} to {source.last_day}"
        )
    except QuantAssetsError as error:
        return CheckResult("source", False, _to_line(error), "correct QUANT_SOURCE or the folder")


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
