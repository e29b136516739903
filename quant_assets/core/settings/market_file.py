"""The settings that apply, and the one market that a data directory holds."""

import os
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from quant_assets.core.errors import SettingsError
from quant_assets.core.settings.field_types import DESCRIPTION_SUFFIXES, SIMULATED
from quant_assets.core.settings.variables import FIRST_DAY, Settings

_NEAR = 0.8
"""Likeness of two names: ``QUANT_FAMILY`` and ``QUANT_FAMILIES`` have 0.85."""


def load_settings(**overrides: Any) -> Settings:
    """Read the settings that apply to this process.

    A setting comes from ``overrides``, else from its ``QUANT_*`` variable, else from the market
    that the data directory holds, else from its default.

    Raises:
        SettingsError: a value has the wrong type or range, a variable has nearly the name of a
            setting, or ``market.json`` cannot be read.
    """
    _refuse_misspelt()
    settings = _settings_without_market(overrides)
    held, given = read_held_market(settings), settings.model_fields_set
    if held is None or ("source" in given and settings.source != held.source):
        return settings
    return settings.model_copy(
        update={name: value for name, value in held.model_dump().items() if name not in given}
    )


def is_source_given() -> bool:
    """Whether the environment names a source.

    Raises:
        SettingsError: a variable has the wrong type or range.
    """
    return "source" in _settings_without_market({}).model_fields_set


def _settings_without_market(overrides: Mapping[str, Any]) -> Settings:
    """Read the settings from overrides, the environment and defaults alone."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            "a setting cannot be used",
            where="QUANT_" + "_".join(str(part) for part in first["loc"]).upper(),
            expected=first["msg"].removeprefix("Value error, "),
            found="a secret value, which is not shown"
            if _is_secret(first["loc"])
            else repr(first["input"]),
            hint="correct the variable or unset it; `quant-assets doctor` lists all settings",
        ) from None


def _refuse_misspelt() -> None:
    """Refuse a variable whose name resembles a setting's: the setting would keep its default.

    Names that resemble none pass, because other tools may use the prefix as well.
    """
    known = [f"QUANT_{name.upper()}" for name in Settings.model_fields]
    unknown = {name for name in os.environ if name.startswith("QUANT_")}.difference(known)
    for name in sorted(unknown):
        if near := get_close_matches(name, known, n=1, cutoff=_NEAR):
            raise SettingsError(
                "a variable has nearly the name of a setting",
                where=name,
                expected=near[0],
                hint="rename the variable or unset it; `quant-assets doctor` lists all settings",
            )


def _is_secret(place: tuple[int | str, ...]) -> bool:
    """Whether the setting at pydantic's ``loc`` is secret: no message may show its value."""
    field = Settings.model_fields.get(str(place[0])) if place else None
    return field is not None and field.annotation is SecretStr


class Market(BaseModel):
    """The one market that a data directory holds, and the families that were last chosen for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    first_day: date = FIRST_DAY
    seed: int = 7
    families: str = "fast"

    def __str__(self) -> str:
        if self.source == SIMULATED:
            return f"{self.source} with seed {self.seed}"
        if Path(self.source).suffix in DESCRIPTION_SUFFIXES:
            return self.source
        return f"{self.source} from {self.first_day}"

    def same_as(self, other: "Market") -> bool:
        """Whether both have the same prices; their families may differ."""
        return str(self) == str(other)


def market_in_settings(settings: Settings) -> Market:
    """Return the market that the settings name."""
    return Market(
        source=settings.source,
        first_day=settings.first_day,
        seed=settings.seed,
        families=settings.families,
    )


def read_held_market(settings: Settings) -> Market | None:
    """Read which market the data directory holds; None before the first load.

    Raises:
        SettingsError: ``market.json`` cannot be read.
    """
    if not settings.market_file.exists():
        return None
    try:
        return Market.model_validate_json(settings.market_file.read_bytes())
    except (OSError, ValidationError) as error:
        raise SettingsError(
            "the data directory does not say which market it holds",
            where=str(settings.market_file),
            expected="JSON with a source and a first day",
            found=str(error).splitlines()[0],
            hint="restore the file, or set QUANT_DATA_DIR to another directory",
        ) from None


def require_market(settings: Settings, *, loaded: bool = False) -> None:
    """Refuse settings that name another market than the data directory holds.

    Args:
        settings: name a market and the data directory.
        loaded: refuse a data directory without a market as well.

    Raises:
        SettingsError: the data directory holds another market, or none although ``loaded``.
    """
    market, held = market_in_settings(settings), read_held_market(settings)
    if held.same_as(market) if held else not loaded:
        return
    raise SettingsError(
        "the data directory holds another market" if held else "no market is loaded yet",
        where=str(settings.data_dir),
        expected=held,
        found=market,
        hint="set QUANT_DATA_DIR to another directory; `demo` archives the market that is held"
        if held
        else "run `quant-assets load` first",
    )


def store_market(settings: Settings) -> None:
    """Write the market and the families of the settings to ``market.json``.

    If two processes store different markets in an empty directory at once, one is refused.

    Raises:
        SettingsError: the data directory holds another market.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.data_dir / "market.lock"):
        require_market(settings)
        _write(settings, market_in_settings(settings))


def replace_source(settings: Settings, source: str) -> None:
    """Write to ``market.json`` that the market that is held lies elsewhere now.

    Args:
        settings: say where the data directory is.
        source: the new source, which gives the same prices.

    Raises:
        SettingsError: no market is held, or ``market.json`` cannot be read.
    """
    with FileLock(settings.data_dir / "market.lock"):
        held = read_held_market(settings)
        if held is None:
            raise SettingsError(
                "no market is loaded yet",
                where=str(settings.data_dir),
                hint="run `quant-assets load` first",
            )
        _write(settings, held.model_copy(update={"source": source}))


def _write(settings: Settings, market: Market) -> None:
    draft = settings.market_file.with_suffix(".draft")
    with draft.open("w") as file:
        file.write(market.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(settings.market_file)


def hold_market(settings: Settings) -> None:
    """Store the market if the data directory holds none yet; refuse another than it holds.

    Families in ``market.json`` stay as they are: a server that started earlier may know older ones.

    Raises:
        SettingsError: the data directory holds another market.
    """
    if read_held_market(settings) is None:
        store_market(settings)
    else:
        require_market(settings)
