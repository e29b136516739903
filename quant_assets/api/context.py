"""What the routes share: settings, the lake, the market. A route gets it by ``Depends``.

A value that a single route needs does not belong here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from quant_assets.api.answers import Answers
from quant_assets.api.lake_state import LakeState
from quant_assets.api.pool import PredictorPool
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription


@dataclass(frozen=True)
class Context:
    """What the routes of one server share.

    Attributes:
        settings: the market and the paths.
        lake: the lake, for reading only.
        market: the description of the market.
        state: the state of the lake that answers come from.
        answers: reads, encodes and keeps answers.
        models: the process that forecasts from sent prices, and its models.
        started_at: when the server started, UTC.
    """

    settings: Settings
    lake: Lake
    market: MarketDescription
    state: LakeState
    answers: Answers
    models: PredictorPool
    started_at: datetime

    @classmethod
    def build(
        cls,
        settings: Settings,
        lake: Lake,
        market: MarketDescription,
        state: LakeState,
        models: PredictorPool,
    ) -> "Context":
        """Build the context of a server that starts now."""
        answers = Answers(lake, state)
        return cls(settings, lake, market, state, answers, models, datetime.now(UTC))


async def get_context(connection: HTTPConnection) -> Context:
    """Return the context of the server that a request or a WebSocket reached.

    It is a coroutine because FastAPI calls a plain function in a thread, which costs more than
    most answers.
    """
    return cast(Context, connection.app.state.context)


Shared = Annotated[Context, Depends(get_context)]
