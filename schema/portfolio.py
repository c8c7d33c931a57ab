"""The viewer's positions and accounts, live."""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.accounts.live_valuation import AccountValue
from domain.core.money import rounded
from domain.model.markets import MarketSymbol
from resolvers import portfolio
from schema.accounts import Account
from schema.context import Info
from schema.positions import Position
from schema.rounded import rounded_field

EveryMilliseconds = Annotated[
    int,
    strawberry.argument(
        description=(
            "The shortest time between two events that only a change of prices caused, in milliseconds: from 500 to "
            "60,000."
        )
    ),
]


@strawberry.type(description="The value of an account at a moment.")
class AccountEquity:
    """The schema's face of `domain.accounts.live_valuation.AccountValue`."""

    account: Account = strawberry.field(description="The account.")
    at: datetime = strawberry.field(description="The moment of the value.")
    unrealized_profit: Decimal | None = rounded_field(
        "The profit that closing all open positions at current prices would add, before fees, in the account's "
        "currency. It is the sum over the positions that have a price. Null if none has one."
    )
    unpriced_markets: list[MarketSymbol] = strawberry.field(
        description="The markets of the positions that `unrealizedProfit` leaves out because they have no price now."
    )

    @strawberry.field(
        description="The value of the balances that have a price, in the account's currency. Null if none has one."
    )
    def equity(parent: strawberry.Parent[AccountValue]) -> Decimal | None:
        """Return the sum."""
        return None if parent.equity.total is None else rounded(parent.equity.total)

    @strawberry.field(
        description="The currencies of the balances that `equity` leaves out because they have no price now."
    )
    def unpriced(parent: strawberry.Parent[AccountValue]) -> list[str]:
        """Return the currencies."""
        return list(parent.equity.unpriced)


@strawberry.type
class PortfolioSubscription:
    """The portfolio's part of the subscription root."""

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
        """Return the stream."""
        return await portfolio.position_updates(info.context, account, trading_session, every_milliseconds)

    @strawberry.subscription(
        graphql_type=AsyncIterator[AccountEquity],
        description=(
            "The value of an account, live. It starts with the current value and sends each change. A slow client "
            "receives the newest value. The stream ends when the account is archived."
        ),
    )
    async def account_equity(
        self,
        info: Info,
        account: Annotated[strawberry.ID, strawberry.argument(description="The id of the account.")],
        every_milliseconds: EveryMilliseconds = 1000,
    ) -> AsyncIterator[object]:
        """Return the stream."""
        return await portfolio.account_equity(info.context, account, every_milliseconds)
