"""What came into accounts and left them otherwise than by fills, as the API shows it."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import trading as domain
from resolvers import accounts
from schema.context import Info
from schema.described import describe_enum
from schema.lazy import lazy
from schema.node import Node, serves
from schema.pagination import CountedConnection, Edge

describe_enum(
    domain.TransferKind,
    "The kind of a transfer.",
    {
        "OPENING": "The account's balance when it was opened.",
        "DEPOSIT": "Money that was paid in.",
        "WITHDRAWAL": "Money that was paid out.",
        "ADJUSTMENT": (
            "A change of the balance at the venue that no fill and no known transfer explains, such as a deposit at "
            "the venue, a trade in another client, or interest. `at` is the time at which the engine noticed it."
        ),
    },
    name="AccountTransferKind",
)


@strawberry.type(description="Money that came into an account or left it otherwise than by a fill.")
class AccountTransfer(Node):
    """The schema's face of `domain.model.trading.AccountTransfer`."""

    is_type_of = serves(domain.AccountTransfer)

    kind: domain.TransferKind = strawberry.field(description="The kind of the transfer.")
    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(description="The amount. It is negative if the money left the account.")
    at: datetime = strawberry.field(description="The time from which the transfer counts.")
    reference: str = strawberry.field(
        description=(
            "The cause of the transfer, unique within the account. It starts with `deposit:` (followed by the "
            "`idempotencyKey`), `opening:`, `adjustment:` or `estimated:`. An estimated transfer is the opening "
            "balance of a LIVE account from before the engine recorded transfers: the part of its balance that its "
            "fills don't explain."
        )
    )

    @strawberry.field(graphql_type=lazy("accounts", "Account"), description="The account of the transfer.")
    async def account(parent: strawberry.Parent[domain.AccountTransfer], info: Info) -> object:
        """Return the account."""
        return await accounts.account_of(info.context, parent)


@strawberry.type(description="A transfer in a list, with its cursor.")
class AccountTransferEdge(Edge[AccountTransfer]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of transfers.")
class AccountTransferConnection(CountedConnection[AccountTransfer, AccountTransferEdge]):
    """See `Connection`."""
