"""Accounts: their balances, limits and transfers."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import strawberry

from domain.core.money import rounded
from domain.model import trading as domain
from domain.model.trading_state import TradingState
from domain.ports.trading_sessions import TradingSessionFilter
from resolvers import accounts, filters, trading
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.accounts.equity import EquityHistoryField
from schema.accounts.profit import AccountProfitField
from schema.accounts.taxes import AccountTaxField
from schema.common.arguments import OrderBy, connection_field
from schema.common.filters import OfStrategy, session_filter
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info, lazy
from schema.engine.types import HaltFields
from schema.orders.lists import OrderLists
from schema.positions.lists import PositionLists


@strawberry.type(description="The balance of one currency on an account.")
class Balance:
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


@strawberry.type
class AccountFacts:
    """The fields that an account and its state at an event have in common."""

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
            "When the account was last compared with the venue: its orders, fills and balances. An account without "
            "orders and positions stores it every half hour. Null before the first time."
        )
    )

    @strawberry.field(graphql_type=lazy("markets.types", "Venue"), description="The venue at which the account trades.")
    def venue(parent: strawberry.Parent[domain.Account], info: Info) -> object:
        return accounts.venue(info.context, parent)


@strawberry.type(description="A change of an account's balance that isn't a fill, such as a deposit or a withdrawal.")
class AccountTransfer(Node):
    is_type_of = instance_of(domain.AccountTransfer)

    kind: domain.TransferKind = strawberry.field(description="The kind of the transfer.")
    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(description="The amount. It is negative if the money left the account.")
    at: datetime = strawberry.field(description="The time from which the transfer counts.")
    reference: str = strawberry.field(
        description=(
            "The cause of the transfer, unique within the account. It starts with `deposit:` or `entry:` (then comes "
            "the `idempotencyKey`), `opening:`, `adjustment:` or `estimated:`. An estimated transfer is the opening "
            "balance of a LIVE account from before the engine recorded transfers: the part of its balance that its "
            "fills don't explain."
        )
    )

    note: str | None = strawberry.field(description="What the user wrote about the transfer. Null if it is nothing.")

    @strawberry.field(graphql_type=lazy("accounts.types", "Account"), description="The account of the transfer.")
    async def account(parent: strawberry.Parent[domain.AccountTransfer], info: Info) -> object:
        return await accounts.transfer_account(info.context, parent)


AccountTransferConnection = connection(AccountTransfer, "transfers")


@strawberry.type(description="An account with which a user trades at a venue.")
class Account(
    Node, AccountFacts, HaltFields, EquityHistoryField, AccountProfitField, AccountTaxField, OrderLists, PositionLists
):
    is_type_of = instance_of(domain.Account)

    @strawberry.field(
        graphql_type=list[Balance], description="The balances of the account, as the venue last reported them."
    )
    async def balances(parent: strawberry.Parent[domain.Account], info: Info) -> object:
        return await accounts.balances(info.context, parent)

    @strawberry.field(
        description=(
            "The value of all balances that have a price, in the account's currency, at current prices. The "
            "conversion uses as many markets as it needs. Null if no balance has a price. The engine starts the "
            "feeds that it needs, and waits up to 3 seconds for them."
        )
    )
    async def equity(parent: strawberry.Parent[domain.Account], info: Info) -> Decimal | None:
        total = (await accounts.equity(info.context, parent)).total
        return None if total is None else rounded(total)

    @strawberry.field(
        description=(
            "The currencies that `equity` leaves out because they have no price now: no market leads from them to the "
            "account's currency, or no price on the way is known."
        )
    )
    async def unpriced(parent: strawberry.Parent[domain.Account], info: Info) -> list[str]:
        return list((await accounts.equity(info.context, parent)).unpriced)

    @connection_field(
        AccountTransferConnection | None,
        nested=True,
        description="Changes of the account's balances that aren't fills, such as deposits and withdrawals.",
    )
    async def transfers(
        parent: strawberry.Parent[domain.Account],
        info: Info,
        page: PageArguments,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        return await accounts.transfers(info.context, parent, page, order_by)

    @connection_field(
        lazy("trading.types", "TradingSessionConnection") | None,
        nested=True,
        description="The trading sessions that trade with this account.",
        filter=session_filter,
    )
    async def trading_sessions(
        parent: strawberry.Parent[domain.Account],
        info: Info,
        page: PageArguments,
        filter: TradingSessionFilter,
        strategy: OfStrategy = None,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        selected = replace(filter, strategy_id=filters.filter_id(strategy, "Strategy"))
        return await trading.trading_sessions(info.context, parent, page, selected, order_by)


AccountConnection = connection(Account, "accounts")
