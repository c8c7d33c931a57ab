"""The value of an account, live."""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.accounts.live_valuation import AccountValue
from domain.core.money import rounded
from domain.model.markets import MarketSymbol
from resolvers import portfolio
from schema.accounts.types import Account
from schema.common.rounded import rounded_field
from schema.common.types import Info
from schema.positions.subscriptions import EveryMilliseconds


@strawberry.type(description="The value of an account at one time.")
class AccountEquity:
    account: Account = strawberry.field(description="The account.")
    at: datetime = strawberry.field(description="The time of the value.")
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
        return None if parent.equity.total is None else rounded(parent.equity.total)

    @strawberry.field(
        description="The currencies of the balances that `equity` leaves out because they have no price now."
    )
    def unpriced(parent: strawberry.Parent[AccountValue]) -> list[str]:
        return list(parent.equity.unpriced)


@strawberry.type
class AccountSubscription:
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
        return await portfolio.account_equity(info.context, account, every_milliseconds)
