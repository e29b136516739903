"""Every setting, with its ``QUANT_*`` variable, and the paths below the data directory.

The paths are derived here so that two data directories never share a file. Filling in what the data
directory holds belongs in ``settings.market``.
"""

import re
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

SIMULATED = "simulated"
FIRST_DAY = date(2018, 1, 2)


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except RuntimeError as error:
        raise ValueError(f"a folder that exists or can be made: {error}") from None


def _named(path: object) -> object:
    if path == "":
        raise ValueError("a folder, or the variable unset")
    return path


def _absolute_folder(source: str) -> str:
    return source if source == SIMULATED else str(_absolute(Path(source)))


def _urls(text: SecretStr) -> SecretStr:
    """What can be seen without the library that knows each service: it takes long to import."""
    if all(re.fullmatch(r"[A-Za-z][\w+.-]*://\S+", url) for url in text.get_secret_value().split()):
        return text
    raise ValueError("URLs of the form scheme://..., separated by spaces")


def _ascending(text: str) -> str:
    expected = "shares above 0 in ascending order, separated by commas, the last one 1"
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(expected) from None
    steps = zip([0.0, *shares], shares, strict=False)
    if all(one < other for one, other in steps) and shares[-1] == 1:
        return text
    raise ValueError(expected)


AlertUrls = Annotated[SecretStr, AfterValidator(_urls)]


class Settings(BaseSettings):
    """All settings, each with the ``QUANT_`` prefix in the environment."""

    model_config = SettingsConfigDict(env_prefix="QUANT_", frozen=True, extra="forbid")

    data_dir: Annotated[Path, BeforeValidator(_named), AfterValidator(_absolute)] = Field(
        Path("data"), description="Everything written lies below: lake, exports, Dagster's home."
    )
    source: Annotated[str, AfterValidator(_absolute_folder)] = Field(
        SIMULATED, min_length=1, description="'simulated' or a folder in the competition's format."
    )
    first_day: date = Field(
        FIRST_DAY, description="Date of date_id 0 in a folder without calendar.csv."
    )
    seed: int = Field(7, ge=0, description="Seed of the simulated market and of every fit.")
    first_fit_after: int = Field(
        504, ge=60, description="Days of history before the first walk-forward fit."
    )
    refit_every: int = Field(60, ge=1, description="Days between walk-forward fits.")
    fill_limit: int = Field(5, ge=0, le=10, description="Days a price may be carried forward.")
    jump_z: float = Field(12.0, gt=0, description="Robust z-score from which a return is a jump.")
    retention_days: int = Field(
        30, ge=0, le=36500, description="Days a lake snapshot can be read back."
    )
    reports_kept: int = Field(60, ge=1, description="Days whose page of drift is kept.")
    pictures: bool = Field(True, description="Whether runs draw pictures for Dagster's UI.")
    threads: int = Field(2, ge=1, description="Cores that fits may keep busy.")
    families: str = Field(
        "fast", min_length=1, description="'fast', 'all', or names of families joined by commas."
    )
    tuned: bool = Field(
        True, description="Whether fits use the parameters of their family's newest study."
    )
    performance_warning: float = Field(
        0.05, gt=0, lt=1, description="Share of its expected score that a warning says is lost."
    )
    performance_critical: float = Field(
        0.20, gt=0, lt=1, validate_default=True, description="Share beyond which it is critical."
    )
    automation: bool = Field(
        False, description="Whether schedules and sensors are switched on at first."
    )
    data_due_hours: float = Field(
        4.0,
        ge=0,
        le=720,
        description="Hours after 22:00 UTC until a trading day's prices are late.",
    )
    retrain_minutes: float = Field(
        120.0, gt=0, description="Minutes in 24 hours that retraining may compute."
    )
    retrain_interval_hours: float = Field(
        20.0,
        ge=0,
        le=8760,
        description="Least hours between retrainings; an urgent one waits 4 at most.",
    )
    drift_share: float = Field(
        0.3, gt=0, lt=1, description="Share of features drifted from which models are retrained."
    )
    fit_max_age_days: int = Field(
        45, ge=1, le=36500, description="Calendar days after which a fit is made anew."
    )
    alerts_critical: AlertUrls = Field(
        SecretStr(""), description="Apprise URLs that critical alerts go to, separated by spaces."
    )
    alerts_warning: AlertUrls = Field(SecretStr(""), description="Those that warnings go to.")
    alerts_info: AlertUrls = Field(SecretStr(""), description="Those that notes go to.")

    promotion_improvement: float = Field(
        0.05, ge=0, description="Relative gain in score that a new release needs to challenge."
    )
    promotion_min_days: int = Field(
        60, ge=40, description="Common days that a new release is compared on at least."
    )
    promotion_shares: Annotated[str, AfterValidator(_ascending)] = Field(
        "0.1, 0.3, 0.5, 0.7, 1", description="Shares that a challenger takes, one after another."
    )
    promotion_shadow_days: int = Field(5, ge=1, description="Judged days before the first share.")
    promotion_step_days: int = Field(5, ge=1, description="Trading days of each share.")
    promotion_tolerance: float = Field(
        0.2, ge=0, lt=1, description="Relative shortfall from which a release is taken back."
    )
    promotion_judged_days: int = Field(
        10, ge=2, description="Judged days before a shortfall counts."
    )
    promotion_probation_days: int = Field(
        20, ge=2, description="Judged days on which a new champion can be taken back by itself."
    )

    @field_validator("promotion_probation_days")
    @classmethod
    def _long_enough(cls, days: int, others: ValidationInfo) -> int:
        least = others.data.get("promotion_judged_days", 0)
        if days >= least:
            return days
        raise ValueError(f"at least as many as QUANT_PROMOTION_JUDGED_DAYS, {least}")

    def shares(self) -> tuple[float, ...]:
        """Shares of the published forecast that a challenger takes, ascending, the last one 1."""
        return tuple(float(part) for part in self.promotion_shares.split(","))

    @classmethod
    def of_operation(cls) -> frozenset[str]:
        """Names of the settings that say how the desk is run and change no result."""
        return frozenset(
            {
                *(name for name in cls.model_fields if name.startswith("promotion_")),
                *("automation", "data_due_hours", "retrain_minutes", "retrain_interval_hours"),
                *("drift_share", "fit_max_age_days"),
                *("performance_warning", "performance_critical"),
                *("alerts_critical", "alerts_warning", "alerts_info"),
                *("data_dir", "threads", "retention_days", "reports_kept", "pictures"),
            }
        )

    @field_validator("performance_critical")
    @classmethod
    def _above_warning(cls, value: float, info: ValidationInfo) -> float:
        warning = info.data.get("performance_warning", 0.0)
        if value <= warning:
            raise ValueError(f"more than QUANT_PERFORMANCE_WARNING, which is {warning}")
        return value

    def alert_urls(self, level: str) -> list[str]:
        """Where alerts of a level (critical, warning or info) go. They are secret."""
        urls: SecretStr = getattr(self, f"alerts_{level}")
        return urls.get_secret_value().split()

    @property
    def lake_dir(self) -> Path:
        """DuckLake: catalogue and Parquet files."""
        return self.data_dir / "lake"

    @property
    def artifacts_dir(self) -> Path:
        """Fitted models, named by their sha256."""
        return self.data_dir / "artifacts"

    @property
    def exports_dir(self) -> Path:
        """Submission files."""
        return self.data_dir / "exports"

    @property
    def reports_dir(self) -> Path:
        """Reports to look at in a browser."""
        return self.data_dir / "reports"

    @property
    def metrics_file(self) -> Path:
        """Metrics as Prometheus's node exporter reads them."""
        return self.data_dir / "metrics" / "quant_assets.prom"

    @property
    def tuning_dir(self) -> Path:
        """Stored searches for parameters, one file a family."""
        return self.data_dir / "tuning"

    @property
    def mlflow_dir(self) -> Path:
        """MLflow's database and artifacts."""
        return self.data_dir / "mlflow"

    @property
    def dagster_home(self) -> Path:
        """Dagster's runs, events and schedules."""
        return self.data_dir / "dagster"

    @property
    def market_file(self) -> Path:
        """Which market this data directory holds; written by the first load."""
        return self.data_dir / "market.json"
