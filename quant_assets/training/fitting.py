"""Fitting a family, and the record of the fit.

This module runs in worker processes: it uses families and artifacts, but not the lake. A
fingerprint covers everything that a fit depends on. Fits with equal fingerprints are equal, so a
finished fit is never repeated.
"""

import json
import time
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from quant_assets.core.code_digest import digest_code
from quant_assets.core.errors import ArtifactError, QuantAssetsError
from quant_assets.features.catalogue import CATALOGUE_VERSION
from quant_assets.features.further_inputs import (
    NO_FURTHER,
    FurtherInputs,
    is_same_version,
    version_of_inputs,
)
from quant_assets.lake.store.artifacts import store_artifact
from quant_assets.models.protocol import Observations, Parameters, Resources
from quant_assets.models.registry import DAILY, family_module, load_family
from quant_assets.training.parameter_selection import SelectedParameters

FitRow = dict[str, Any]


@dataclass(frozen=True)
class FitOrder:
    """An order to fit a family as of a day with some parameters.

    Attributes:
        name: name of the family.
        row: row of the as-of day in the observations.
        chosen: parameters of the fit, and their origin.
        resources: seed and threads of the fit.
        fingerprint: digest of everything the fit depends on.
        features_version: version of the features.
    """

    name: str
    row: int
    chosen: SelectedParameters
    resources: Resources
    fingerprint: str
    features_version: str = CATALOGUE_VERSION


def make_fit(order: FitOrder, observations: Observations, artifacts: Path) -> FitRow:
    """Fit a family, store the model, and return the fit's record.

    If the family fails, the record has the reason and no model.

    Args:
        order: the family, its parameters, and the row of the as-of day.
        observations: observations; the fit gets their days up to that row.
        artifacts: folder of the fitted models.
    """
    from threadpoolctl import threadpool_limits

    past, resources, chosen = observations.rows(0, order.row + 1), order.resources, order.chosen
    past = past.begun_by(past.days[-1])
    checkpoint = artifacts / "unfinished" / order.fingerprint
    started = time.perf_counter()
    outcome: FitRow = {"artifact": None, "sha256": None, "failure": None, "importance": "{}"}
    try:
        # The number of BLAS threads would change the last bits of a decomposition.
        with threadpool_limits(1, user_api="blas"):
            model = load_family(order.name).fit(
                past, chosen.parameters, replace(resources, checkpoint=checkpoint)
            )
        outcome["importance"] = json.dumps(dict(model.importance()))
        outcome["artifact"], outcome["sha256"] = store_artifact(artifacts, model.to_bytes())
    except QuantAssetsError as error:
        outcome["failure"] = str(error)
    except Exception as error:  # noqa: BLE001 - a library may raise anything; other families go on
        outcome["failure"] = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - started
    checkpoint.unlink(missing_ok=True)
    labels = int((~np.isnan(past.labels())).sum())
    return {
        **outcome,
        "trading_day": past.days[-1].item(),
        "parameters": json.dumps(dict(chosen.parameters), sort_keys=True),
        "study": chosen.study,
        "by_hand": ", ".join(chosen.by_hand) or None,
        "metrics": json.dumps({"labels": labels, "days": len(past.days)}),
        "features_version": order.features_version,
        "seed": resources.seed,
        "library": _library(order.name),
        "code": code_digest(order.name),
        "fingerprint": order.fingerprint,
        "seconds": seconds,
    }


def require_features(name: str, version: str | None, further: FurtherInputs = NO_FURTHER) -> None:
    """Refuse a fit that was made on other features, because it takes its inputs by position.

    Args:
        name: name of the family.
        version: version of the features that the fit was made on.
        further: what the market has beside daily prices now.

    Raises:
        ArtifactError: the features differ from the present features, and the family uses features.
    """
    if name not in DAILY and not is_same_version(version, further):
        raise ArtifactError(
            "the fit was made on other features",
            where=name,
            expected=f"features of version {version_of_inputs(further)}",
            found=version,
            hint="run retrain_models",
        )


def fingerprint_fit(name: str, known: str, parameters: Parameters, seed: int) -> str:
    """Digest everything that a fit depends on: code and library of its family, and the arguments.

    Args:
        name: name of the family.
        known: digest of everything known on the as-of day, from :func:`digest_days`.
        parameters: parameters of the fit.
        seed: seed of everything random in the fit.
    """
    parts = [name, known, json.dumps(dict(parameters), sort_keys=True), str(seed)]
    return sha256("\n".join([*parts, code_digest(name), _library(name)]).encode()).hexdigest()


def digest_days(observations: Observations) -> list[str]:
    """Digest everything known on each day: the values of the day and of all days before.

    Returns a digest for each day of the observations.
    """
    target, instrument, market = observations.target, observations.instrument, observations.market
    digest = sha256(json.dumps([observations.targets, observations.instruments]).encode())
    digest.update(observations.legs.tobytes() + observations.lags.tobytes())
    for block in (target, instrument, market):
        digest.update(json.dumps(block.names).encode())
    digests = []
    for row in range(len(observations.days)):
        for values in (observations.known_labels, target.values, instrument.values):
            digest.update(np.ascontiguousarray(values[row]).tobytes())
        digest.update(market.values[row].tobytes() + observations.days[row].tobytes())
        digests.append(digest.copy().hexdigest())
    return digests


@cache
def code_digest(name: str) -> str:
    """Return the digest of a family's code and of all code of this package that it uses.

    Raises:
        UnknownNameError: no family has this name.
    """
    return digest_code(family_module(name))


@cache
def _library(name: str) -> str:
    library = load_family(name).library
    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return f"{library}, not installed"
