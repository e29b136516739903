"""Layer fits: the studies, which search the parameters of each family.

Studies take long. Only the job ``tune_models`` runs them, and no fit needs a study.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg
import numpy as np
from pydantic import Field

from quant_assets.core.settings import Settings
from quant_assets.lake.readers.point_in_time import read_date_ids, read_observations
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.universe import read_target_members
from quant_assets.lake.schemas.feature_tables import FEATURES, LABELS
from quant_assets.lake.schemas.forecast_tables import study_table
from quant_assets.lake.schemas.price_tables import UNIVERSE
from quant_assets.lake.store.lake import Lake
from quant_assets.models.parameters import tunable_families
from quant_assets.models.registry import load_family
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import (
    draw_pictures,
    record_result,
    table_asset,
    to_markdown,
)
from quant_assets.tuning import plots
from quant_assets.tuning.folds import Folds
from quant_assets.tuning.study import TuningResult, tune_family
from quant_assets.tuning.study_rows import best_parameters_table, study_rows


class StudyConfig(dg.Config):
    """Configuration of a study: how long it searches, and on which folds of the history."""

    broad: int = Field(
        20,
        ge=1,
        description="Number of trials over the whole space, the defaults included.",
    )
    narrow: int = Field(30, ge=0, description="Number of trials around the best broad trials.")
    minutes: float = Field(
        30.0, ge=0, description="Minutes after which no fit begins; a rerun continues the study."
    )
    validation_days: int = Field(
        90, ge=2, description="Number of days on which each fit of a trial is judged."
    )
    step_days: int = Field(
        30, ge=1, description="Number of days from one fit to the next; more days give fewer fits."
    )


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build a study for each family that has tunable parameters."""
    return [_build_study(name, partitions) for name in tunable_families(families)]


def _build_study(name: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    table, library = study_table(name), load_family(name).library

    @table_asset(
        table,
        kinds={"optuna", library},
        deps=[*FEATURES, LABELS, UNIVERSE],
        about="A run over a range searches as of its last day only. An interrupted study "
        "continues with its stored trials.",
        partitions=partitions,
    )
    def study(
        context: dg.AssetExecutionContext,
        config: StudyConfig,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        _, as_of = run_day_range(context)
        (date_id,) = read_date_ids(lake, np.array([as_of], dtype="datetime64[D]")).tolist()
        observations = read_observations(lake, as_of)
        members = read_target_members(lake, observations.days, read_pairs(lake))
        result = tune_family(
            observations,
            name,
            settings.tuning_dir / f"{name}.db",
            seed=settings.seed,
            threads=settings.threads,
            broad=config.broad,
            narrow=config.narrow,
            minutes=config.minutes,
            note=context.log.info,
            folds=Folds(settings.first_fit_after, config.validation_days, config.step_days),
            members=None if members.all() else members,
        )
        rows = study_rows(result, as_of, date_id, settings.seed)
        written = lake.replace_days(table, as_of, as_of, rows)
        return record_result(table, written, _describe_result(result, settings))

    return study


def _describe_result(result: TuningResult, settings: Settings) -> dict[str, Any]:
    first, last = result.days
    return {
        "value": result.value,
        "default_value": result.default_value,
        "best_parameters": to_markdown(best_parameters_table(result)),
        "chosen_on": f"{len(result.folds)} fits, judged on the days from {first} to {last}",
        **draw_pictures(
            settings,
            history=partial(plots.plot_history, result),
            importance=partial(plots.plot_importance, result),
        ),
    }
