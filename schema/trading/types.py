"""Trading sessions and their signals."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import trading as domain
from domain.model.markets import Timeframe
from domain.model.trading_state import TradingState
from resolvers import markets, orders, trading
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.analytics.types import ParameterValue
from schema.common.arguments import OrderBy, connection_field
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info, lazy
from schema.engine.types import HaltFields
from schema.orders.lists import OrderConnection, OrderLists, orders_field
from schema.positions.lists import PositionLists
from schema.positions.types import Position
from schema.reports.metrics import PerformanceMetrics


@strawberry.type
class SignalFacts:
    """The fields that a signal and its state at an event have in common."""

    at: datetime = strawberry.field(description="When the signal was given.")
    action: domain.SignalAction = strawberry.field(description="The action that is signalled.")
    price: Decimal = strawberry.field(
        description=(
            "The close of the candle, or for a submitted signal the market's price when it was acted on, in quote "
            "currency for one unit of the base currency."
        )
    )
    reason: str = strawberry.field(
        description=(
            "The rule that gave the signal, with the values that it used, or the reason that was submitted. Why an "
            "entry has no order is added to it."
        )
    )
    missed: bool = strawberry.field(
        description="Whether the signal had no effect, because it came too late or the trading session could not act."
    )
    waiting: bool = strawberry.field(
        description="Whether a submitted signal still waits for the node that trades the account."
    )
    add_number: int | None = strawberry.field(
        description=(
            "The number of the further entry into the open position that the signal is for, counted from 1 over all "
            "the counts of `StrategyDefinition.adds`. Null if it is for none."
        )
    )


@strawberry.type(
    description=(
        "A signal of a trading session: given by its strategy on a closed candle, by `signalSubmit` or by a webhook."
    )
)
class Signal(Node, SignalFacts):
    is_type_of = instance_of(domain.Signal)

    @strawberry.field(graphql_type=lazy("markets.types", "Market"), description="The market that the signal is for.")
    async def market(parent: strawberry.Parent[domain.Signal], info: Info) -> object:
        return await trading.signal_market(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("orders.types", "Order") | None,
        description="The order that the signal caused. Null if it caused none.",
    )
    async def order(parent: strawberry.Parent[domain.Signal], info: Info) -> object:
        return await orders.order_by_id(info.context, parent.order_id)


SignalConnection = connection(Signal, "signals")


@strawberry.type(
    description=(
        "An address at which programs such as TradingView submit signals to a trading session. It contains a secret, "
        "which is only shown when it is created."
    )
)
class SignalWebhook(Node):
    is_type_of = instance_of(domain.SignalWebhook)

    name: str = strawberry.field(description="The name that the user gave the webhook.")
    created_at: datetime = strawberry.field(description="When the webhook was created.")
    rotated_at: datetime | None = strawberry.field(
        description="When the webhook was last given a new address. Null if it has its first one."
    )
    revoked_at: datetime | None = strawberry.field(description="When the webhook was revoked. Null if it is valid.")
    signal_count: int = strawberry.field(
        description="The number of messages that became signals. A repeated message is counted once."
    )
    last_used_at: datetime | None = strawberry.field(
        description="When a message last became a signal. Null if none has."
    )
    refused_count: int = strawberry.field(description="The number of messages that did not become signals.")
    last_error: str | None = strawberry.field(
        description="Why the latest refused message did not become a signal. Null if none was refused."
    )
    last_error_at: datetime | None = strawberry.field(description="When a message was last refused. Null if none was.")

    @strawberry.field(
        graphql_type=lazy("trading.types", "TradingSession") | None,
        description="The trading session that acts on the signals.",
    )
    async def trading_session(parent: strawberry.Parent[domain.SignalWebhook], info: Info) -> object:
        return await trading.webhook_session(info.context, parent)


@strawberry.type
class TradingSessionFacts:
    """The fields that a trading session and its state at an event have in common."""

    timeframe: Timeframe = strawberry.field(description="The length of the candles on which the strategy runs.")
    status: domain.TradingSessionStatus = strawberry.field(description="The status of the trading session in its life.")
    status_reason: str | None = strawberry.field(
        description="The reason for the status, in words. Null if there is nothing to add."
    )
    status_code: domain.TradingSessionStatusCode | None = strawberry.field(
        description=(
            "The reason for the status, for programs. `statusReason` has details in words. Null if the session runs "
            "normally."
        )
    )
    started_at: datetime = strawberry.field(description="When the trading session was started.")
    stopped_at: datetime | None = strawberry.field(description="When the trading session ended. Null until then.")
    trading_state: TradingState = strawberry.field(
        description=(
            "What halts allow the trading session itself to do. A halt of the account, the user or the engine is not "
            "counted here: see `TradingSession.halts`."
        )
    )

    @strawberry.field(
        graphql_type=lazy("strategies.types", "StrategyVersion"),
        description="The strategy version that the session runs.",
    )
    async def strategy_version(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return await trading.strategy_version(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("accounts.types", "Account"), description="The account on which the session trades."
    )
    async def account(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return await trading.account(info.context, parent)

    max_open_positions: int | None = strawberry.field(
        description="How many of the markets may have a position or an entry order at once. Null if all of them may."
    )

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market"),
        description="The market that the session trades; the first of them if it trades several.",
    )
    def market(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return markets.market(info.context, parent.market)

    @strawberry.field(
        name="markets",
        graphql_type=list[lazy("markets.types", "Market")],  # type: ignore[misc]  # made at run time
        description="All markets that the session trades, in the order in which they were given.",
    )
    def all_markets(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return [markets.market(info.context, symbol) for symbol in parent.markets]

    @strawberry.field(
        graphql_type=list[ParameterValue],
        description="The value of each of the strategy's parameters, including those with their default value.",
    )
    async def parameters(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return await trading.parameter_values(info.context, parent)


@strawberry.type(description="A strategy version that runs on one account, market and timeframe.")
class TradingSession(Node, TradingSessionFacts, HaltFields, OrderLists, PositionLists):
    is_type_of = instance_of(domain.TradingSession)

    # Non-null, unlike the list of other objects.
    orders = orders_field(OrderConnection)

    @connection_field(
        SignalConnection, nested=True, description="The signals that the strategy gave or that were submitted."
    )
    async def signals(
        parent: strawberry.Parent[domain.TradingSession],
        info: Info,
        page: PageArguments,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        return await trading.signals(info.context, parent, page, order_by)

    @strawberry.field(
        graphql_type=list[SignalWebhook] | None,
        description="The webhooks of the trading session that are not revoked, newest first.",
    )
    async def signal_webhooks(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return await trading.signal_webhooks(info.context, parent)

    @strawberry.field(
        graphql_type=Position | None,
        description="The newest position of the session, open or closed. Null before the first fill.",
    )
    async def position(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return await trading.latest_position(info.context, parent)

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description=(
            "The performance of the session so far, starting from the account's equity at its start. Null before the "
            "first round trip."
        ),
    )
    async def metrics(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return await trading.metrics(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("trading.drift", "BacktestDrift") | None,
        description=(
            "How far the session has drifted from a backtest over the same candles, and why. It is computed by a job "
            "after the answer: null until that has succeeded, and with an age that `computedAt` gives. Always null for "
            "a strategy that trades on signals from outside alone."
        ),
    )
    async def backtest_drift(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        return await trading.backtest_drift(info.context, parent)


TradingSessionConnection = connection(TradingSession, "trading sessions")
