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


@strawberry.type(description="The balance of one currency on an account.")
class Balance:
    """The schema's face of `domain.model.trading.Balance`."""

    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    total: Decimal = strawberry.field(description="The whole balance, including what open orders have locked.")
    free: Decimal = strawberry.field(description="The part of the balance that no open order has locked.")


@strawberry.type(
    description=(
        "The risk limits of an account or a trading session. Each limit is null if it isn't set. An order that breaks "
        "one is denied with the limit's `RiskCode`."
    )
)
class RiskLimits:
    """The schema's face of `domain.model.trading.RiskLimits`."""

    max_order_notional: Decimal | None = strawberry.field(
        description="The greatest value of one order, in the account's currency."
    )
    max_position_notional: Decimal | None = strawberry.field(
        description=(
            "The greatest value that the position in one market may grow to, in the account's currency. Open orders "
            "count as filled."
        )
    )
    max_open_orders: int | None = strawberry.field(
        description="The greatest number of open orders at one time. An order that closes a position is always allowed."
    )
    max_orders_per_minute: int | None = strawberry.field(
        description="The greatest number of orders sent within one minute. An order that closes a position is always "
        "allowed."
    )
    max_daily_loss: Decimal | None = strawberry.field(
        description=(
            "The greatest loss since the last daily reset, in the account's currency. Once it is reached, only orders "
            "that close a position are sent."
        )
    )
    max_drawdown_percent: Decimal | None = strawberry.field(
        description=(
            "The greatest fall of the equity below its highest value, in percent of that value. Once it is reached, "
            "only orders that close a position are sent."
        )
    )
    price_collar_percent: Decimal | None = strawberry.field(
        description=(
            "How far from the market price an order may trade to its own disadvantage, in percent of the market price."
        )
    )
    cool_down_losses: int | None = strawberry.field(
        description=(
            "The number of losing round trips in a row after which new entries are paused. It takes effect together "
            "with `coolDownMinutes`."
        )
    )
    cool_down_minutes: int | None = strawberry.field(
        description=(
            "How long new entries are paused after `coolDownLosses` losing round trips, in minutes since the last of "
            "them."
        )
    )
    daily_reset_hour: int | None = strawberry.field(
        description=(
            "The hour of the day, in UTC, at which the daily loss is counted from 0 again, from 0 to 23. Null means 0."
        )
    )


@strawberry.input(
    description="The risk limits of an account or a trading session. A limit that isn't given is not set."
)
class RiskLimitsInput:
    """Limits as they are given."""

    max_order_notional: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The greatest value of one order, in the account's currency. It must be more than 0.",
    )
    max_position_notional: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The greatest value that the position in one market may grow to, in the account's currency. It must be "
            "more than 0."
        ),
    )
    max_open_orders: int | None = strawberry.field(
        default=strawberry.UNSET, description="The greatest number of open orders at one time. It must be more than 0."
    )
    max_orders_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="The greatest number of orders sent within one minute. It must be more than 0.",
    )
    max_daily_loss: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The greatest loss since the last daily reset, in the account's currency. It must be more than 0.",
    )
    max_drawdown_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The greatest fall of the equity below its highest value, in percent of that value. It must be more than "
            "0 and at most 100."
        ),
    )
    price_collar_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "How far from the market price an order may trade to its own disadvantage, in percent of the market "
            "price. It must be more than 0 and at most 100."
        ),
    )
    cool_down_losses: int | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The number of losing round trips in a row after which new entries are paused. It must be more than 0, "
            "and takes effect together with `coolDownMinutes`."
        ),
    )
    cool_down_minutes: int | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "How long new entries are paused after `coolDownLosses` losing round trips, in minutes. It must be more "
            "than 0."
        ),
    )
    daily_reset_hour: int | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The hour of the day, in UTC, at which the daily loss is counted from 0 again, from 0 to 23. The default "
            "is 0."
        ),
    )

    def to_domain(self) -> domain.RiskLimits:
        """Return the limits."""
        return domain.RiskLimits(**given(self))  # type: ignore[arg-type]  # its fields are those of the limits


@strawberry.type
class AccountFacts:
    """What is told of an account as it is now and as it once stood."""

    name: str = strawberry.field(description="The name that the user gave the account.")
    kind: domain.AccountKind = strawberry.field(
        description="Whether the account trades with play money (PAPER) or with real money (LIVE)."
    )
    created_at: datetime = strawberry.field(description="When the account was opened.")
    archived_at: datetime | None = strawberry.field(
        description="When the account was archived. Null if it isn't archived."
    )
    trading_state: TradingState = strawberry.field(
        description=(
            "What halts allow the account itself to do. A halt of the user or of the engine is not counted here: see "
            "`Account.halts`."
        )
    )
    risk: RiskLimits = strawberry.field(description="The risk limits of the account.")
    currency: str = strawberry.field(description="The currency in which the account's equity and limits are counted.")
    reconciled_at: datetime | None = strawberry.field(
        description=(
            "When the account was last compared with the venue: its orders, fills and balances. Null before the first "
            "time."
        )
    )

    @strawberry.field(graphql_type=lazy("markets", "Venue"), description="The venue at which the account trades.")
    def venue(parent: strawberry.Parent[domain.Account], info: Info) -> object:
        """Return the venue."""
        return accounts.venue(info.context, parent)


@strawberry.type(description="An account with which a user trades at a venue.")
class Account(Node, AccountFacts, HaltFields, OrderLists, PositionLists, AccountSessionList):
    """The schema's face of `domain.model.trading.Account`."""

    is_type_of = serves(domain.Account)

    @strawberry.field(
        graphql_type=list[Balance], description="The balances of the account, as the venue last reported them."
    )
    async def balances(parent: strawberry.Parent[domain.Account], info: Info) -> object:
        """Return the balances."""
        return await accounts.balances(info.context, parent)

    @strawberry.field(
        description=(
            "The value of all balances that have a price, in the account's currency, at current prices. The "
            "conversion uses as many markets as it needs. Null if no balance has a price. The feeds that are needed "
            "are started, and waited for up to 3 seconds."
        )
    )
    async def equity(parent: strawberry.Parent[domain.Account], info: Info) -> Decimal | None:
        """Return the equity."""
        total = (await accounts.worth(info.context, parent)).total
        return None if total is None else rounded(total)

    @strawberry.field(
        description=(
            "The currencies that `equity` leaves out because they have no price now: no market leads from them to the "
            "account's currency, or no price on the way is known."
        )
    )
    async def unpriced(parent: strawberry.Parent[domain.Account], info: Info) -> list[str]:
        """Return the currencies."""
        return list((await accounts.worth(info.context, parent)).unpriced)

    @strawberry.field(
        graphql_type=AccountTransferConnection | None,
        metadata=NESTED,
        description="Money that came into the account or left it otherwise than by fills, such as deposits.",
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


@strawberry.type(description="An account in a list, with its cursor.")
class AccountEdge(Edge[Account]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of accounts.")
class AccountConnection(CountedConnection[Account, AccountEdge]):
    """See `Connection`."""


@strawberry.input(description="An amount of one currency.")
class BalanceInput:
    """A starting balance."""

    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(
        description="The amount: more than 0, at most 1,000,000,000, and with at most 8 decimals."
    )


@strawberry.input(
    description=(
        "The credentials with which requests to a venue are signed. They are stored encrypted and can't be read again."
    )
)
class VenueCredentialsInput:
    """Credentials as they are given."""

    api_key: str = strawberry.field(description="The API key that the venue issued.")
    secret: str = strawberry.field(description="The secret of the API key.")
    passphrase: str | None = strawberry.field(
        default=None, description="The passphrase of the API key. Required only by venues that issue one."
    )

    def to_domain(self) -> domain.VenueCredentials:
        """Return the credentials."""
        return domain.VenueCredentials(self.api_key, self.secret, self.passphrase)


@strawberry.input(
    description=(
        "The account to open. A PAPER account needs `balances` and a venue that isn't live. A LIVE account needs "
        "`credentials`."
    )
)
class AccountCreateInput:
    """The input of `accountCreate`."""

    name: str = strawberry.field(description="The name of the account, of 1 to 100 printable characters.")
    kind: domain.AccountKind = strawberry.field(
        description="Whether the account trades with play money (PAPER) or with real money (LIVE)."
    )
    venue: str = strawberry.field(description="The name of the venue, such as sandbox.")
    balances: list[BalanceInput] | None = strawberry.field(
        default=None, description="The balances that a PAPER account starts with, at most 50, each in another currency."
    )
    credentials: VenueCredentialsInput | None = strawberry.field(
        default=None, description="The credentials of a LIVE account. The venue must accept them."
    )
    currency: str = strawberry.field(
        default="USDT", description="The currency in which the account's equity and limits are counted."
    )
    risk: RiskLimitsInput | None = strawberry.field(
        default=None, description="The risk limits of the account. By default none is set."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "Makes it safe to repeat the request: the same key with the same input returns the account of the first "
            "request. At most 128 characters."
        ),
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


@strawberry.input(description="The changes of an account. A field that isn't given keeps its value.")
class AccountUpdateInput:
    """The input of `accountUpdate`."""

    name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new name of the account, of 1 to 100 printable characters. It can't be null.",
    )
    risk: RiskLimitsInput | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The limits to change. A limit that isn't given keeps its value, and null removes it. `risk` itself can't "
            "be null."
        ),
    )


@strawberry.input(description="A deposit of play money into a PAPER account.")
class PaperDepositInput:
    """The input of `paperDeposit`."""

    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(
        description="The amount: more than 0, at most 1,000,000,000, and with at most 8 decimals."
    )
    idempotency_key: str = strawberry.field(
        description="Makes it safe to repeat the request: the same key pays only once. At most 128 characters."
    )


@strawberry.type(description="The result of `accountCreate`.")
class AccountCreatePayload(Payload):
    """The answer of `accountCreate`."""

    account: Account | None = strawberry.field(description="The new account. Null if there are errors.")


@strawberry.type(description="The result of `accountUpdate`.")
class AccountUpdatePayload(Payload):
    """The answer of `accountUpdate`."""

    account: Account | None = strawberry.field(description="The account after the change. Null if there are errors.")


@strawberry.type(description="The result of `accountArchive`.")
class AccountArchivePayload(Payload):
    """The answer of `accountArchive`."""

    account: Account | None = strawberry.field(description="The archived account. Null if there are errors.")


@strawberry.type(description="The result of `accountCredentialsReplace`.")
class AccountCredentialsReplacePayload(Payload):
    """The answer of `accountCredentialsReplace`."""

    account: Account | None = strawberry.field(description="The account. Null if there are errors.")


@strawberry.type(description="The result of `paperDeposit`.")
class PaperDepositPayload(Payload):
    """The answer of `paperDeposit`."""

    account: Account | None = strawberry.field(description="The account after the deposit. Null if there are errors.")
    transfer: AccountTransfer | None = strawberry.field(
        description="The deposit. Null if there are errors, or if the key was used before the engine recorded "
        "transfers."
    )


@strawberry.type
class AccountMutation:
    """The accounts' part of the mutation root."""

    @strawberry.mutation(
        description="Open an account at a venue. A user can have at most 100 accounts, including archived ones."
    )
    @payload(AccountCreatePayload)
    async def account_create(
        self, info: Info, input: Annotated[AccountCreateInput, INPUT]
    ) -> AccountCreatePayload | None:
        """Open an account."""
        info.context.require(ApiScope.ADMIN)
        return answer(AccountCreatePayload, account=await accounts.create(info.context, input.to_domain()))

    @strawberry.mutation(description="Change an account's name or risk limits.")
    @payload(AccountUpdatePayload)
    async def account_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the account.")],
        input: Annotated[AccountUpdateInput, INPUT],
    ) -> AccountUpdatePayload | None:
        """Change an account."""
        info.context.require(ApiScope.ADMIN)
        account_id = decode_uuid(id, "Account", ("id",))
        account = await accounts.update(info.context, account_id, change(input.name), changes(input.risk))
        return answer(AccountUpdatePayload, account=account)

    @strawberry.mutation(
        description="Close an account for new orders. It must have no open order and no active trading session."
    )
    @payload(AccountArchivePayload)
    async def account_archive(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the account.")]
    ) -> AccountArchivePayload | None:
        """Archive an account."""
        info.context.require(ApiScope.ADMIN)
        account_id = decode_uuid(id, "Account", ("id",))
        return answer(AccountArchivePayload, account=await accounts.archive(info.context, account_id))

    @strawberry.mutation(description="Replace the credentials of a LIVE account. The venue must accept the new ones.")
    @payload(AccountCredentialsReplacePayload)
    async def account_credentials_replace(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the LIVE account.")],
        input: Annotated[VenueCredentialsInput, INPUT],
    ) -> AccountCredentialsReplacePayload | None:
        """Replace credentials."""
        info.context.require(ApiScope.ADMIN)
        account_id = decode_uuid(id, "Account", ("id",))
        account = await accounts.replace_credentials(info.context, account_id, input.to_domain())
        return answer(AccountCredentialsReplacePayload, account=account)

    @strawberry.mutation(description="Pay play money into a PAPER account.")
    @payload(PaperDepositPayload)
    async def paper_deposit(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the PAPER account.")],
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
