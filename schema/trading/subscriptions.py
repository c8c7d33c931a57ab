"""The metrics of a trading session, live."""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model.markets import MarketSymbol
from resolvers import portfolio
from schema.common.rounded import rounded_field
from schema.common.types import Info
from schema.positions.subscriptions import EveryMilliseconds
from schema.reports.metrics import PerformanceMetrics
from schema.trading.types import TradingSession


@strawberry.type(description="How a trading session does at one time.")
class TradingSessionMetrics:
    trading_session: TradingSession = strawberry.field(description="The trading session, as it is at that time.")
    at: datetime = strawberry.field(description="The time of the values.")
    metrics: PerformanceMetrics | None = strawberry.field(
        description=(
            "The performance so far, starting from the account's equity at the session's start. Null before the first "
            "round trip. It is computed again when a position of the session changes, and once a minute."
        )
    )
    open_positions: int = strawberry.field(description="How many positions of the session are open.")
    unrealized_profit: Decimal | None = rounded_field(
        "The profit that closing the session's open positions at current prices would add, before fees, in the "
        "account's currency. It is the sum over the positions that have a price. Null if none has one."
    )
    unpriced_markets: list[MarketSymbol] = strawberry.field(
        description="The markets of the positions that `unrealizedProfit` leaves out because they have no price now."
    )


@strawberry.type
class TradingSubscription:
    @strawberry.subscription(
        graphql_type=AsyncIterator[TradingSessionMetrics],
        description=(
            "The metrics of a trading session, live. It starts with the current ones and sends each change. A slow "
            "client receives the newest. The stream ends when the session has ended and holds no position."
        ),
    )
    async def trading_session_metrics(
        self,
        info: Info,
        trading_session: Annotated[strawberry.ID, strawberry.argument(description="The id of the trading session.")],
        every_milliseconds: EveryMilliseconds = 1000,
    ) -> AsyncIterator[object]:
        return await portfolio.trading_session_metrics(info.context, trading_session, every_milliseconds)
