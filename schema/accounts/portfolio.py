"""What all accounts of a user are worth together."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model.users import User
from resolvers import portfolio_overview
from schema.accounts.profit import CurrencyAmount
from schema.common.rounded import rounded_field
from schema.common.types import Info, lazy


@strawberry.type(description="What is held of a currency on all accounts of a portfolio.")
class PortfolioAsset:
    currency: str = strawberry.field(description="The currency's code, such as BTC.")
    amount: Decimal = strawberry.field(description="The sum of the balances, including what open orders have locked.")
    worth: Decimal | None = rounded_field(
        "The value of the part that has a price, in the portfolio's currency. Null if none has one."
    )
    unpriced_amount: Decimal = strawberry.field(description="The part of `amount` that has no price now.")
    share_percent: float | None = strawberry.field(
        description="The part of `worth` in the portfolio's total, in percent. Null if either isn't known."
    )


@strawberry.type(description="What one account adds to a portfolio.")
class PortfolioAccount:
    account: lazy("accounts.types", "Account") = strawberry.field(description="The account.")  # type: ignore[valid-type]
    worth: Decimal | None = rounded_field(
        "The value of the balances that have a price, in the portfolio's currency. Null if none has one."
    )
    unpriced: list[CurrencyAmount] = strawberry.field(description="The balances that `worth` leaves out.")
    share_percent: float | None = strawberry.field(
        description="The part of `worth` in the portfolio's total, in percent. Null if either isn't known."
    )


@strawberry.type(
    description=(
        "What all open accounts of a user hold, at current prices and in one currency. What has no price is named, and "
        "never counted as nothing."
    )
)
class Portfolio:
    currency: str = strawberry.field(description="The currency of the values.")
    at: datetime = strawberry.field(description="The time of the values.")
    total: Decimal | None = rounded_field("The value of all that has a price. Null if something is held and none has.")
    unpriced: list[CurrencyAmount] = strawberry.field(description="What is held and left out of `total`.")
    accounts: list[PortfolioAccount] = strawberry.field(description="The accounts, newest first.")
    assets: list[PortfolioAsset] = strawberry.field(description="The currencies, the greatest value first.")


@strawberry.type
class UserPortfolioField:
    """What all accounts of a user are worth together."""

    @strawberry.field(
        graphql_type=Portfolio | None,
        description=(
            "What all open accounts of the user are worth together. The engine starts the feeds that it needs, and "
            "waits up to 3 seconds for them."
        ),
    )
    async def portfolio(
        parent: strawberry.Parent[User],
        info: Info,
        currency: Annotated[
            str | None,
            strawberry.argument(
                description=(
                    "The currency of the values, such as EUR. The default is `User.reportCurrency`, or else the one "
                    "that all accounts have."
                )
            ),
        ] = None,
    ) -> object:
        return await portfolio_overview.overview(info.context, parent, currency)
