"""Links to files of what was bought and sold, for taxes."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model.tax import DepositCost
from domain.model.trading import Account
from domain.model.users import User
from resolvers import taxes
from schema.common.arguments import ArgumentGroup
from schema.common.enums import describe_enum
from schema.common.types import Info

describe_enum(
    DepositCost,
    "What coins that were paid into an account have cost, in a tax export.",
    {
        "UNKNOWN": "The engine doesn't know it: the gain of what is sold of them is left empty.",
        "VALUE": "They count as bought for what they were worth when they came.",
    },
)


@strawberry.type(
    description=(
        "A link to a CSV file of all purchases, sales, fees in coins and payments, with what was sold valued by first "
        "in, first out and by average cost. The file is written while it is fetched."
    )
)
class TaxExport:
    currency: str = strawberry.field(description="The currency of the amounts, which is no coin in the file.")
    path: str = strawberry.field(
        description=(
            "The path of the link, to be fetched by GET from the address of the API, without credentials. It is valid "
            "for ten minutes; each request makes a new one."
        )
    )
    expires_at: datetime = strawberry.field(description="The time until which a download can begin.")


def _arguments(
    currency: Annotated[
        str | None,
        strawberry.argument(
            description=(
                "The currency of the amounts, such as EUR. The default is the account's; of all accounts it is "
                "`User.reportCurrency`, or else the one that all accounts have."
            )
        ),
    ] = None,
    from_: Annotated[
        datetime | None,
        strawberry.argument(
            name="from", description="Only what happened at this time or later. What came before counts for the costs."
        ),
    ] = None,
    to: Annotated[datetime | None, strawberry.argument(description="Only what happened before this time.")] = None,
    deposit_cost: Annotated[
        DepositCost, strawberry.argument(description="What coins that were paid in have cost.")
    ] = DepositCost.UNKNOWN,
) -> taxes.TaxArguments:
    return taxes.TaxArguments(currency, from_, to, deposit_cost)


@strawberry.type
class AccountTaxField:
    """The tax export of an account."""

    @strawberry.field(
        graphql_type=TaxExport | None,
        description="A link to a CSV file of what the account bought and sold, for taxes.",
        extensions=[ArgumentGroup("arguments", _arguments)],
    )
    async def tax_export(parent: strawberry.Parent[Account], info: Info, arguments: taxes.TaxArguments) -> object:
        return await taxes.account_export(info.context, parent, arguments)


@strawberry.type
class UserTaxField:
    """The tax export of a user."""

    @strawberry.field(
        graphql_type=TaxExport | None,
        description=(
            "A link to a CSV file of what all accounts of the user bought and sold, for taxes. The coins of each "
            "account are counted apart from those of the others."
        ),
        extensions=[ArgumentGroup("arguments", _arguments)],
    )
    async def tax_export(parent: strawberry.Parent[User], info: Info, arguments: taxes.TaxArguments) -> object:
        return await taxes.user_export(info.context, parent, arguments)
