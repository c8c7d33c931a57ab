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
    "What moved money into an account or out of it, otherwise than by a fill.",
    {
        "OPENING": "It is what the account began with.",
        "DEPOSIT": "It was paid in.",
        "WITHDRAWAL": "It was paid out.",
        "ADJUSTMENT": "A change of the balance at the venue that no fill and no known transfer explains, such as a "
        "transfer made there, a trade in another client, or interest; `at` is when it was noticed.",
    },
    name="AccountTransferKind",
)


@strawberry.type(description="Money that came into an account or left it otherwise than by a fill.")
class AccountTransfer(Node):
    """The schema's face of `domain.model.trading.AccountTransfer`."""

    is_type_of = serves(domain.AccountTransfer)

    kind: domain.TransferKind = strawberry.field(description="What moved it.")
    currency: str = strawberry.field(description="Its code at the venue.")
    amount: Decimal = strawberry.field(description="Signed: negative where it left the account.")
    at: datetime = strawberry.field(description="When it counts from on.")
    reference: str = strawberry.field(
        description="What caused it, unique in the account: `deposit:` and the `idempotencyKey`, `opening:`, "
        "`adjustment:`. `estimated:` is the opening of a LIVE account from before transfers were recorded: all "
        "that its fills don't explain."
    )

    @strawberry.field(graphql_type=lazy("accounts", "Account"), description="The account.")
    async def account(parent: strawberry.Parent[domain.AccountTransfer], info: Info) -> object:
        """Return the account."""
        return await accounts.account_of(info.context, parent)


@strawberry.type(description="A transfer in a list.")
class AccountTransferEdge(Edge[AccountTransfer]):
    """See `Edge`."""


@strawberry.type(description="Transfers, a page at a time.")
class AccountTransferConnection(CountedConnection[AccountTransfer, AccountTransferEdge]):
    """See `Connection`."""
