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
        description="How much time passes at least from one event that only prices have caused to the next: from 500 "
        "to 60,000 milliseconds."
    ),
]


@strawberry.type(description="What an account was worth at a moment.")
class AccountEquity:
    """The schema's face of `domain.accounts.live_valuation.AccountValue`."""

    account: Account = strawberry.field(description="The account.")
    at: datetime = strawberry.field(description="When it was worth that.")
    unrealized_profit: Decimal | None = rounded_field(
        "What closing all open positions at the present prices would add, before fees, in the account's "
        "currency. It is the sum over those that can be priced, and null where none can."
    )
    unpriced_markets: list[MarketSymbol] = strawberry.field(
        description="The markets of the positions that `unrealizedProfit` leaves out, since they have no price now."
    )

    @strawberry.field(
        description="The sum of the balances that can be priced, in the account's currency; null where none can."
    )
    def equity(parent: strawberry.Parent[AccountValue]) -> Decimal | None:
        """Return the sum."""
        return None if parent.equity.total is None else rounded(parent.equity.total)

    @strawberry.field(description="The currencies of the balances that `equity` leaves out, since nothing prices them.")
    def unpriced(parent: strawberry.Parent[AccountValue]) -> list[str]:
        """Return the currencies."""
        return list(parent.equity.unpriced)


@strawberry.type
class PortfolioSubscription:
    """The portfolio's part of the subscription root."""

    @strawberry.subscription(
        graphql_type=AsyncIterator[Position],
        description="First each open position, then the newest state of each that has changed, the closed one at its "
        "end. A change of the position is sent at once; where only the price has changed, `everyMilliseconds` goes by. "
        "A slow reader gets the newest state and misses those between: what must not be missed stands in `events`. "
        "With `account` the stream ends once the account is archived.",
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
        description="What the account is worth, then whenever that has changed. A slow reader gets the newest. The "
        "stream ends once the account is archived.",
    )
    async def account_equity(
        self,
        info: Info,
        account: Annotated[strawberry.ID, strawberry.argument(description="The id of the account.")],
        every_milliseconds: EveryMilliseconds = 1000,
    ) -> AsyncIterator[object]:
        """Return the stream."""
        return await portfolio.account_equity(info.context, account, every_milliseconds)
