"""What the routes share: settings, the lake, the market. A route gets it by ``Depends``.

A value that a single route needs does not belong here.
"""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

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
    """

    settings: Settings
    lake: Lake
    market: MarketDescription


def get_context(connection: HTTPConnection) -> Context:
    """Return the context of the server that a request or a WebSocket reached."""
    return cast(Context, connection.app.state.context)


Shared = Annotated[Context, Depends(get_context)]
