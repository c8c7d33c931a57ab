"""Accounts as the API shows them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.accounts import service
from domain.core.money import rounded
from domain.model import trading as domain
from domain.model.trading_state import TradingState
from domain.model.users import ApiScope
from resolvers import accounts
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.changes import change, changes, given
from schema.context import Info
from schema.errors import INPUT, Payload, answer, payload
from schema.halts import HaltFields
from schema.lazy import lazy
from schema.lists import NESTED, NESTED_PAGE, FirstOfNested, OrderBy
from schema.node import Node, decode_uuid, serves
from schema.owned_lists import AccountSessionList, OrderLists, PositionLists
from schema.pagination import After, Before, CountedConnection, Edge, Last
from schema.transfers import AccountTransfer, AccountTransferConnection


@strawberry.type(description="What an account holds of a currency.")
class Balance:
    """The schema's face of `domain.model.trading.Balance`."""

    currency: str = strawberry.field(description="Its code at the venue.")
    total: Decimal = strawberry.field(description="All that the account holds of it.")
    free: Decimal = strawberry.field(description="What no open order has locked.")


@strawberry.type(description="What an account or a session may do; null where there is no limit.")
class RiskLimits:
    """The schema's face of `domain.model.trading.RiskLimits`."""

    max_order_notional: Decimal | None = strawberry.field(description="The most that one order may be worth.")
    max_position_notional: Decimal | None = strawberry.field(description="The most that a position may be worth.")
    max_open_orders: int | None = strawberry.field(description="How many orders may be alive at once.")
    max_orders_per_minute: int | None = strawberry.field(description="How many orders may be sent in a minute.")
    max_daily_loss: Decimal | None = strawberry.field(
        description="The most that may be lost from one daily reset to the next."
    )
    max_drawdown_percent: Decimal | None = strawberry.field(
        description="How far equity may fall below its highest, in percent."
    )
    price_collar_percent: Decimal | None = strawberry.field(
        description="How far a limit price may be from the market's, in percent."
    )
    cool_down_losses: int | None = strawberry.field(
        description="Pauses entries after so many losing round trips in a row, for so long."
    )
    cool_down_minutes: int | None = strawberry.field(description="How long entries are paused.")
    daily_reset_hour: int | None = strawberry.field(description="UTC hour at which the daily loss starts again.")


@strawberry.input(description="What an account or a session may do; what isn't given has no limit.")
class RiskLimitsInput:
    """Limits as they are given."""

    max_order_notional: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The most that one order may be worth."
    )
    max_position_notional: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The most that a position may be worth."
    )
    max_open_orders: int | None = strawberry.field(
        default=strawberry.UNSET, description="How many orders may be alive at once."
    )
    max_orders_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET, description="How many orders may be sent in a minute."
    )
    max_daily_loss: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The most that may be lost from one daily reset to the next."
    )
    max_drawdown_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="How far equity may fall below its highest, in percent."
    )
    price_collar_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="How far a limit price may be from the market's, in percent."
    )
    cool_down_losses: int | None = strawberry.field(
        default=strawberry.UNSET, description="Pauses entries after so many losing round trips in a row, for so long."
    )
    cool_down_minutes: int | None = strawberry.field(
        default=strawberry.UNSET, description="How long entries are paused."
    )
    daily_reset_hour: int | None = strawberry.field(
        default=strawberry.UNSET, description="UTC hour at which the daily loss starts again."
    )

    def to_domain(self) -> domain.RiskLimits:
        """Return the limits."""
        return domain.RiskLimits(**given(self))  # type: ignore[arg-type]  # its fields are those of the limits


@strawberry.type
class AccountFacts:
    """What is told of an account as it is now and as it once stood."""

    name: str = strawberry.field(description="What the user calls it.")
    kind: domain.AccountKind = strawberry.field(description="PAPER or LIVE.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    archived_at: datetime | None = strawberry.field(description="When it was closed for new orders.")
    trading_state: TradingState = strawberry.field(description="Whether it may trade.")
    risk: RiskLimits = strawberry.field(description="The limits within which it may trade.")
    currency: str = strawberry.field(description="What equity and limits are counted in.")
    reconciled_at: datetime | None = strawberry.field(
        description="When its orders were last compared with the venue's."
    )

    @strawberry.field(graphql_type=lazy("markets", "Venue"), description="The venue that the account is at.")
    def venue(parent: strawberry.Parent[domain.Account], info: Info) -> object:
        """Return the venue."""
        return accounts.venue(info.context, parent)


@strawberry.type(description="What a user trades with at a venue.")
class Account(Node, AccountFacts, HaltFields, OrderLists, PositionLists, AccountSessionList):
    """The schema's face of `domain.model.trading.Account`."""

    is_type_of = serves(domain.Account)

    @strawberry.field(graphql_type=list[Balance], description="What it holds, as the venue last told.")
    async def balances(parent: strawberry.Parent[domain.Account], info: Info) -> object:
        """Return the balances."""
        return await accounts.balances(info.context, parent)

    @strawberry.field(
        description="What it is worth in its currency at present prices, over as many markets as it needs. `unpriced` "
        "names what isn't in it; null while nothing that it holds can be priced. Feeds that are needed for it are "
        "started, and waited for up to 3 s."
    )
    async def equity(parent: strawberry.Parent[domain.Account], info: Info) -> Decimal | None:
        """Return the equity."""
        total = (await accounts.worth(info.context, parent)).total
        return None if total is None else rounded(total)

    @strawberry.field(
        description="The currencies that it holds and that can't be priced now, because no market leads to its "
        "currency, or none whose prices are known: `equity` leaves them out."
    )
    async def unpriced(parent: strawberry.Parent[domain.Account], info: Info) -> list[str]:
        """Return the currencies."""
        return list((await accounts.worth(info.context, parent)).unpriced)

    @strawberry.field(
        graphql_type=AccountTransferConnection | None,
        metadata=NESTED,
        description="What came in and went out otherwise than by fills.",
    )
    async def transfers(
        parent: strawberry.Parent[domain.Account],
        info: Info,
        first: FirstOfNested = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before, NESTED_PAGE)
        return await accounts.transfers(info.context, parent, page, order_by)


@strawberry.type(description="An account in a list.")
class AccountEdge(Edge[Account]):
    """See `Edge`."""


@strawberry.type(description="Accounts, a page at a time.")
class AccountConnection(CountedConnection[Account, AccountEdge]):
    """See `Connection`."""


@strawberry.input(description="An amount of a currency.")
class BalanceInput:
    """A starting balance."""

    currency: str = strawberry.field(description="Its code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(description="More than 0, at most 1,000,000,000, with at most 8 decimals.")


@strawberry.input(description="What signs requests to a venue; it can never be read again.")
class VenueCredentialsInput:
    """Credentials as they are given."""

    api_key: str = strawberry.field(description="The API key, as the venue has given it.")
    secret: str = strawberry.field(description="The secret of the API key.")
    passphrase: str | None = strawberry.field(default=None, description="Where the venue wants one.")

    def to_domain(self) -> domain.VenueCredentials:
        """Return the credentials."""
        return domain.VenueCredentials(self.api_key, self.secret, self.passphrase)


@strawberry.input(
    description="PAPER: `balances` to start with, on a venue that isn't live. LIVE: `credentials`, which can never be "
    "read again."
)
class AccountCreateInput:
    """The input of `accountCreate`."""

    name: str = strawberry.field(description="What the user calls it.")
    kind: domain.AccountKind = strawberry.field(description="PAPER or LIVE.")
    venue: str = strawberry.field(description="The name of the venue, such as sandbox.")
    balances: list[BalanceInput] | None = strawberry.field(default=None, description="Of a PAPER account.")
    credentials: VenueCredentialsInput | None = strawberry.field(default=None, description="Of a LIVE account.")
    currency: str = strawberry.field(default="USDT", description="What equity and limits are counted in.")
    risk: RiskLimitsInput | None = strawberry.field(default=None, description="The limits within which it may trade.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key with the same input gives the same account."
    )

    def to_domain(self) -> service.AccountRequest:
        """Return the request."""
        return service.AccountRequest(
            name=self.name,
            kind=self.kind,
            venue=self.venue,
            currency=self.currency,
            balances=_balances(self.balances),
            credentials=self.credentials.to_domain() if self.credentials else None,
            risk=self.risk.to_domain() if self.risk else domain.NO_LIMITS,
            idempotency_key=self.idempotency_key,
        )


@strawberry.input(description="What is to change; what isn't given stays.")
class AccountUpdateInput:
    """The input of `accountUpdate`."""

    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="What the user calls it. It can't be null."
    )
    risk: RiskLimitsInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="The limits that are to change: one that isn't given stays, null takes it away. `risk` itself "
        "can't be null.",
    )


@strawberry.input(description="What is paid into a PAPER account.")
class PaperDepositInput:
    """The input of `paperDeposit`."""

    currency: str = strawberry.field(description="Its code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(description="More than 0, at most 1,000,000,000, with at most 8 decimals.")
    idempotency_key: str = strawberry.field(description="The same key pays once.")


@strawberry.type(description="The answer of `accountCreate`.")
class AccountCreatePayload(Payload):
    """The answer of `accountCreate`."""

    account: Account | None = strawberry.field(description="The account; null where there are errors.")


@strawberry.type(description="The answer of `accountUpdate`.")
class AccountUpdatePayload(Payload):
    """The answer of `accountUpdate`."""

    account: Account | None = strawberry.field(description="The account; null where there are errors.")


@strawberry.type(description="The answer of `accountArchive`.")
class AccountArchivePayload(Payload):
    """The answer of `accountArchive`."""

    account: Account | None = strawberry.field(description="The account; null where there are errors.")


@strawberry.type(description="The answer of `accountCredentialsReplace`.")
class AccountCredentialsReplacePayload(Payload):
    """The answer of `accountCredentialsReplace`."""

    account: Account | None = strawberry.field(description="The account; null where there are errors.")


@strawberry.type(description="The answer of `paperDeposit`.")
class PaperDepositPayload(Payload):
    """The answer of `paperDeposit`."""

    account: Account | None = strawberry.field(description="The account; null where there are errors.")
    transfer: AccountTransfer | None = strawberry.field(
        description="What was paid in. Null where there are errors, and for a key that was used before transfers were "
        "recorded."
    )


@strawberry.type
class AccountMutation:
    """The accounts' part of the mutation root."""

    @strawberry.mutation(description="Open an account.")
    @payload(AccountCreatePayload)
    async def account_create(
        self, info: Info, input: Annotated[AccountCreateInput, INPUT]
    ) -> AccountCreatePayload | None:
        """Open an account."""
        info.context.require(ApiScope.ADMIN)
        return answer(AccountCreatePayload, account=await accounts.create(info.context, input.to_domain()))

    @strawberry.mutation(description="Change an account's name or limits.")
    @payload(AccountUpdatePayload)
    async def account_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The account.")],
        input: Annotated[AccountUpdateInput, INPUT],
    ) -> AccountUpdatePayload | None:
        """Change an account."""
        info.context.require(ApiScope.ADMIN)
        account_id = decode_uuid(id, "Account", ("id",))
        account = await accounts.update(info.context, account_id, change(input.name), changes(input.risk))
        return answer(AccountUpdatePayload, account=account)

    @strawberry.mutation(description="Close an account for new orders; nothing of it may be alive.")
    @payload(AccountArchivePayload)
    async def account_archive(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The account.")]
    ) -> AccountArchivePayload | None:
        """Archive an account."""
        info.context.require(ApiScope.ADMIN)
        account_id = decode_uuid(id, "Account", ("id",))
        return answer(AccountArchivePayload, account=await accounts.archive(info.context, account_id))

    @strawberry.mutation(description="Give a LIVE account other credentials, which the venue must accept.")
    @payload(AccountCredentialsReplacePayload)
    async def account_credentials_replace(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The account.")],
        input: Annotated[VenueCredentialsInput, INPUT],
    ) -> AccountCredentialsReplacePayload | None:
        """Replace credentials."""
        info.context.require(ApiScope.ADMIN)
        account_id = decode_uuid(id, "Account", ("id",))
        account = await accounts.replace_credentials(info.context, account_id, input.to_domain())
        return answer(AccountCredentialsReplacePayload, account=account)

    @strawberry.mutation(description="A PAPER account only.")
    @payload(PaperDepositPayload)
    async def paper_deposit(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The PAPER account.")],
        input: Annotated[PaperDepositInput, INPUT],
    ) -> PaperDepositPayload | None:
        """Pay into a paper account."""
        info.context.require(ApiScope.ADMIN)
        account_id = decode_uuid(id, "Account", ("id",))
        paid = await accounts.deposit(info.context, account_id, input.currency, input.amount, input.idempotency_key)
        return answer(PaperDepositPayload, account=paid[0], transfer=paid[1])


def _balances(given: list[BalanceInput] | None) -> tuple[domain.Balance, ...] | None:
    if given is None:
        return None
    return tuple(domain.Balance(one.currency, one.amount, one.amount) for one in given)
