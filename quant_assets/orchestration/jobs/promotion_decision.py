"""The job by which a person decides about releases, from the launchpad.

The effects of a decision belong in ``quant_assets.promotion``.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.promotion.manual_decisions import ManualAction, ManualDecision, decide_manually


class DecisionConfig(dg.Config):
    """Configuration of a manual decision, in force from the next trading day on."""

    action: ManualAction = Field(description="The action: promote, pin, unpin or roll_back.")
    release: str = Field(
        "",
        description="The release to promote, to pin or to roll back to. Without a release, "
        "roll_back goes back to the last good champion.",
    )
    share: float = Field(
        0.0,
        description="The challenger's share of the submitted forecast at the start of a promotion; "
        "0 means in shadow.",
    )
    reason: str = Field("", description="Why you decide so; stored with the decision.")
    made_by: str = Field(description="Your name; stored with the decision.")
    seen: str = Field(
        "",
        description="The newest decision that you know. If a newer decision exists, yours is "
        "refused.",
    )


@dg.op(description="Promotes, pins, unpins or rolls back a release without asking the gates.")
def decide_about_release(
    context: dg.OpExecutionContext,
    config: DecisionConfig,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
    market: dg.ResourceParam[MarketDescription],
) -> dg.Output[int]:
    """Make the decision from the launchpad; an impossible decision is refused."""
    fields: dict[str, Any] = config.model_dump()
    decisions = decide_manually(lake, settings, market.calendar, ManualDecision(**fields))
    for decision in decisions:
        context.log.info(
            f"from {decision.trading_day} on: {decision.action} {decision.release}: "
            f"{decision.reason}"
        )
    newest = decisions[-1]
    return dg.Output(
        len(decisions),
        metadata={
            "in_force_from": str(newest.trading_day),
            "decision": newest.decision,
            "champion": newest.champion or "none",
        },
    )


@dg.job(
    description="Promotes, pins, unpins or rolls back a release by a person's decision, from the "
    "next trading day on."
)
def decide_promotion() -> None:
    """Make a manual decision about releases."""
    decide_about_release()
