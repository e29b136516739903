"""Every setting, with its ``QUANT_*`` variable, and the paths below the data directory.

The paths are derived here so that two data directories never share a file. What the data directory
holds is read in ``settings.market_file``.
"""

from datetime import date
from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from quant_assets.core.settings.field_types import (
    DESCRIPTION_SUFFIXES,
    SIMULATED,
    AlertUrls,
    AscendingShares,
    BackupDirectory,
    BackupsKept,
    DataDirectory,
    SourceName,
)

FIRST_DAY = date(2018, 1, 2)


class Settings(BaseSettings):
    """All settings, each with the ``QUANT_`` prefix in the environment."""

    model_config = SettingsConfigDict(env_prefix="QUANT_", frozen=True, extra="forbid")

    data_dir: DataDirectory = Field(
        Path("data"),
        description="Directory of everything written: lake, models, exports, Dagster's home.",
    )
    source: SourceName = Field(
        SIMULATED,
        min_length=1,
        description="Where prices come from: 'simulated', a market.yaml or its folder, or a folder "
        "in the competition's format.",
    )
    first_day: date = Field(
        FIRST_DAY, description="Date of date_id 0, for a folder without calendar.csv."
    )
    day_filled: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a market's closes from which the market has delivered a newest day.",
    )
    seed: int = Field(7, ge=0, description="Seed of the simulated market and of every fit.")
    first_fit_after: int = Field(
        504, ge=60, description="Trading days of history before the first walk-forward fit."
    )
    refit_every: int = Field(
        60, ge=1, description="Trading days from one walk-forward fit to the next."
    )
    fill_limit: int = Field(
        5, ge=0, le=10, description="Trading days for which a missing price is carried forward."
    )
    jump_z: float = Field(
        12.0, gt=0, description="Robust z-score from which a return is flagged as a jump."
    )
    retention_days: int = Field(
        30, ge=0, le=36500, description="Days for which an old snapshot of the lake can be read."
    )
    runs_kept_days: int = Field(
        180, ge=1, le=36500, description="Days for which Dagster keeps the log of a run."
    )
    reports_kept: int = Field(60, ge=1, description="Number of days whose drift report is kept.")
    pictures: bool = Field(True, description="Whether runs draw pictures for Dagster's UI.")
    threads: int = Field(2, ge=1, description="Number of cores that fits may use.")
    families: str = Field(
        "fast", min_length=1, description="'fast', 'all', or names of families joined by commas."
    )
    tuned: bool = Field(
        True, description="Whether fits use the parameters found by their family's newest study."
    )
    performance_warning: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Lost share of the expected score from which a warning is raised.",
    )
    performance_critical: float = Field(
        0.20,
        gt=0,
        lt=1,
        validate_default=True,
        description="Lost share of the expected score from which the alert is critical.",
    )
    automation: bool = Field(
        False, description="Whether schedules and sensors are switched on from the start."
    )
    data_due_hours: float = Field(
        4.0,
        ge=0,
        le=720,
        description="Hours after a trading day's due time from which its missing prices are late; "
        "unset, those of the market's description.",
    )
    retrain_minutes: float = Field(
        120.0, gt=0, description="Minutes that retraining may compute in any 24 hours."
    )
    retrain_interval_hours: float = Field(
        20.0,
        ge=0,
        le=8760,
        description="Hours between two retrainings at least; an urgent one waits 4 hours at most.",
    )
    drift_share: float = Field(
        0.3, gt=0, lt=1, description="Share of drifted features from which models are retrained."
    )
    fit_max_age_days: int = Field(
        45, ge=1, le=36500, description="Age in calendar days from which models are fitted again."
    )
    day_attempts: int = Field(
        3,
        ge=1,
        description="Attempts at a day that fails its blocking checks before it is set aside.",
    )
    withdrawn_days: int = Field(
        5,
        ge=0,
        description="Stored days that a source may take back at once; it is refused if it lacks "
        "more.",
    )
    revised_label: float = Field(
        0.001,
        gt=0,
        description="Move of a known label from which a revision is a warning and a cause to "
        "retrain.",
    )
    alerts_critical: AlertUrls = Field(
        SecretStr(""), description="Apprise URLs for critical alerts, separated by spaces."
    )
    alerts_warning: AlertUrls = Field(
        SecretStr(""), description="Apprise URLs for warnings, separated by spaces."
    )
    alerts_info: AlertUrls = Field(
        SecretStr(""), description="Apprise URLs for notes, separated by spaces."
    )

    promotion_improvement: float = Field(
        0.05, ge=0, description="Relative gain in score that a release needs to become challenger."
    )
    promotion_min_days: int = Field(
        60,
        ge=40,
        description="Least number of days on which a release is compared with the champion.",
    )
    promotion_shares: AscendingShares = Field(
        "0.1, 0.3, 0.5, 0.7, 1",
        description="Shares of the submitted forecast that a challenger takes in turn.",
    )
    promotion_shadow_days: int = Field(
        5, ge=1, description="Days with a score that a challenger waits for its first share."
    )
    promotion_step_days: int = Field(
        5, ge=1, description="Trading days for which a challenger keeps each share."
    )
    promotion_tolerance: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Relative shortfall in score from which a release is rolled back.",
    )
    promotion_judged_days: int = Field(
        10, ge=2, description="Days with a score before a shortfall leads to a rollback."
    )
    promotion_probation_days: int = Field(
        20,
        ge=2,
        description="Days with a score for which a new champion may be rolled back automatically.",
    )
    api_body_bytes: int = Field(
        8 * 2**20, ge=1024, description="Bytes that a request to the prediction API may send."
    )

    api_reads_per_minute: int = Field(
        6000, ge=1, description="Requests a minute for stored results that a key may make."
    )
    api_predictions_per_minute: int = Field(
        600, ge=1, description="Requests a minute for predictions that a key may make."
    )
    api_operations_per_minute: int = Field(
        30, ge=1, description="Requests a minute for operations that a key may make."
    )

    backup_dir: BackupDirectory = Field(
        None, description="Folder of the daily backups, outside the data directory; unset: none."
    )
    backup_keep: BackupsKept = Field(
        "7, 4, 12",
        description="Numbers of days, weeks and months whose newest backup is kept.",
    )

    @field_validator("promotion_probation_days")
    @classmethod
    def _long_enough(cls, days: int, others: ValidationInfo) -> int:
        least = others.data.get("promotion_judged_days", 0)
        if days >= least:
            return days
        raise ValueError(f"at least as many as QUANT_PROMOTION_JUDGED_DAYS, {least}")

    def shares(self) -> tuple[float, ...]:
        """Shares of the submitted forecast that a challenger takes, ascending; the last is 1."""
        return tuple(float(part) for part in self.promotion_shares.split(","))

    def backups_kept(self) -> tuple[int, int, int]:
        """Numbers of days, of weeks and of months whose newest backup is kept."""
        days, weeks, months = map(int, self.backup_keep.split(","))
        return days, weeks, months

    @classmethod
    def of_operation(cls) -> frozenset[str]:
        """Names of the settings that govern operation and change no result."""
        return frozenset(
            {
                *(name for name in cls.model_fields if name.startswith(("promotion_", "api_"))),
                *(
                    "automation",
                    "day_filled",
                    "data_due_hours",
                    "retrain_minutes",
                    "retrain_interval_hours",
                ),
                *("drift_share", "fit_max_age_days", "day_attempts", "withdrawn_days"),
                "revised_label",
                *("performance_warning", "performance_critical"),
                *("alerts_critical", "alerts_warning", "alerts_info"),
                *("data_dir", "threads", "pictures", "backup_dir", "backup_keep"),
                *("retention_days", "runs_kept_days", "reports_kept"),
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
        """URLs, which are secret, that alerts of a level (critical, warning or info) go to."""
        urls: SecretStr = getattr(self, f"alerts_{level}")
        return urls.get_secret_value().split()

    @property
    def description_file(self) -> Path | None:
        """File that describes the market; None for the simulated market and the competition's."""
        path = Path(self.source)
        return path if path.suffix in DESCRIPTION_SUFFIXES else None

    @property
    def description_parts_file(self) -> Path:
        """File with digests of the description's parts, as the last load had them."""
        return self.data_dir / "description.json"

    @property
    def lake_dir(self) -> Path:
        """Folder of the lake: DuckLake's catalogue and Parquet files."""
        return self.data_dir / "lake"

    @property
    def artifacts_dir(self) -> Path:
        """Folder of the fitted models, which are named by their sha256."""
        return self.data_dir / "artifacts"

    @property
    def exports_dir(self) -> Path:
        """Folder of the submission's files."""
        return self.data_dir / "exports"

    @property
    def reports_dir(self) -> Path:
        """Folder of the reports, which are HTML files."""
        return self.data_dir / "reports"

    @property
    def metrics_file(self) -> Path:
        """File of metrics for Prometheus's node exporter."""
        return self.data_dir / "metrics" / "quant_assets.prom"

    @property
    def tuning_dir(self) -> Path:
        """Folder of the trials of parameter searches, one file a family."""
        return self.data_dir / "tuning"

    @property
    def mlflow_dir(self) -> Path:
        """Folder of MLflow's database and artifacts."""
        return self.data_dir / "mlflow"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's runs, events and schedules."""
        return self.data_dir / "dagster"

    @property
    def audit_dir(self) -> Path:
        """Folder of the audit's journals, whose rows servers move into the lake."""
        return self.data_dir / "audit"

    @property
    def market_file(self) -> Path:
        """File that names the market of the data directory; the first load writes it."""
        return self.data_dir / "market.json"
