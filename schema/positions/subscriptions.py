"""Positions, live."""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry

from resolvers import portfolio
from schema.common.types import Info
from schema.positions.types import Position

EveryMilliseconds = Annotated[
    int,
    strawberry.argument(
        description=(
            "The shortest time between two events that only a change of prices caused, in milliseconds: from 500 to "
            "60,000."
        )
    ),
]


@strawberry.type
class PositionSubscription:
    @strawberry.subscription(
        graphql_type=AsyncIterator[Position],
        description=(
            "The viewer's positions, live. It starts with each open position. Then it sends the newest state of each "
            "position that changed, including the closed state at its end. A change of the position itself is sent at "
            "once. If only the price changed, `everyMilliseconds` applies. A slow client receives the newest state "
            "and misses earlier ones: use `events` if you must not miss any. With `account`, the stream ends when the "
            "account is archived."
        ),
    )
    async def position_updates(
        self,
        info: Info,
        account: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only positions on the account with this id.")
        ] = None,
        trading_session: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only positions of the trading session with this id."),
        ] = None,
        every_milliseconds: EveryMilliseconds = 1000,
    ) -> AsyncIterator[object]:
        return await portfolio.position_updates(info.context, account, trading_session, every_milliseconds)
