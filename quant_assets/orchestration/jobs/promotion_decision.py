"""Deciding about releases by hand, from the launchpad.

What a decision does belongs in ``promotion``.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.manual_decisions import ManualAction, ManualDecision, decide_manually


class DecisionConfig(dg.Config):
    """What a person decides; in force from the next trading day on."""

    action: ManualAction = Field(description="promote, pin, unpin or roll_back.")
    release: str = Field(
        "", description="To promote, to pin, or to roll back to; else the last good champion."
    )
    share: float = Field(
        0.0, description="Of the published forecast that a promotion starts with; 0 is the shadow."
    )
    reason: str = Field("", description="Why; recorded with the decision.")
    made_by: str = Field(description="Who decides; recorded with the decision.")
    seen: str = Field(
        "", description="Newest decision that you know of; if there is another, nothing is done."
    )


@dg.op(description="Promote, pin, unpin or roll back a release; the gates are passed over.")
def decide_about_release(
    context: dg.OpExecutionContext,
    config: DecisionConfig,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.Output[int]:
    """Decide as the launchpad says; what cannot be done is refused and changes nothing."""
    given: dict[str, Any] = config.model_dump()
    made = decide_manually(lake, settings, ManualDecision(**given))
    for one in made:
        context.log.info(f"from {one.trading_day} on: {one.action} {one.release}: {one.reason}")
    newest = {"decision": made[-1].decision, "champion": made[-1].champion or "none"}
    return dg.Output(len(made), metadata={"in_force_from": str(made[-1].trading_day), **newest})


@dg.job(
    description="Promote, pin, unpin or roll back a release by hand, from the next trading day on."
)
def decide_promotion() -> None:
    """One decision by hand."""
    decide_about_release()
