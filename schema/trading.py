"""Trading sessions, signals and halts as the API shows them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.accounts.halts import HaltRequest
from domain.core.errors import ErrorCode, InputError
from domain.model import trading as domain
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.trading_state import TradingState
from domain.model.users import ApiScope
from domain.trading.trading_sessions import TradingSessionRequest
from resolvers import markets, orders, trading
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.accounts import RiskLimitsInput
from schema.context import Info
from schema.definitions import SizingInput
from schema.errors import INPUT, Payload, answer, payload
from schema.halts import HaltFields
from schema.lazy import lazy
from schema.lists import NESTED, NESTED_PAGE, FirstOfNested, OrderBy, OrderConnection
from schema.metrics import PerformanceMetrics
from schema.node import Node, decode_uuid, serves
from schema.owned_lists import ORDERS_TOLD, OrderLists, PositionLists, order_list
from schema.pagination import After, Before, CountedConnection, Edge, Last
from schema.parameters import ParameterInput, ParameterValue
from schema.positions import Position


@strawberry.type
class SignalFacts:
    """What is told of a signal as it is now and as it once stood."""

    at: datetime = strawberry.field(description="When the signal was given.")
    action: domain.SignalAction = strawberry.field(description="The action that the strategy signals.")
    price: Decimal = strawberry.field(
        description="The close of the candle, in quote currency for one unit of the base currency."
    )
    reason: str = strawberry.field(description="The rule that gave the signal, with the values that it used.")


@strawberry.type(description="A signal that a strategy gave on a closed candle.")
class Signal(Node, SignalFacts):
    """The schema's face of `domain.model.trading.Signal`."""

    is_type_of = serves(domain.Signal)

    @strawberry.field(
        graphql_type=lazy("orders", "Order") | None,
        description="The order that the signal caused. Null if it caused none.",
    )
    async def order(parent: strawberry.Parent[domain.Signal], info: Info) -> object:
        """Return the order."""
        return await orders.order_by_id(info.context, parent.order_id)


@strawberry.type(description="A signal in a list, with its cursor.")
class SignalEdge(Edge[Signal]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of signals.")
class SignalConnection(CountedConnection[Signal, SignalEdge]):
    """See `Connection`."""


@strawberry.type
class TradingSessionFacts:
    """What is told of a trading session as it is now and as it once stood."""

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
        graphql_type=lazy("strategies", "StrategyVersion"), description="The strategy version that the session runs."
    )
    async def strategy_version(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the strategy version."""
        return await trading.version_of(info.context, parent)

    @strawberry.field(graphql_type=lazy("accounts", "Account"), description="The account on which the session trades.")
    async def account(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the account."""
        return await trading.account_of(info.context, parent)

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that the session trades.")
    def market(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=list[ParameterValue],
        description="The value of each of the strategy's parameters, including those with their default value.",
    )
    async def parameters(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the values."""
        return await trading.parameters(info.context, parent)


@strawberry.type(description="A strategy version that runs on one account, market and timeframe.")
class TradingSession(Node, TradingSessionFacts, HaltFields, OrderLists, PositionLists):
    """The schema's face of `domain.model.trading.TradingSession`."""

    is_type_of = serves(domain.TradingSession)

    orders = strawberry.field(
        resolver=order_list, graphql_type=OrderConnection, metadata=NESTED, description=ORDERS_TOLD
    )

    @strawberry.field(graphql_type=SignalConnection, metadata=NESTED, description="The signals that the strategy gave.")
    async def signals(
        parent: strawberry.Parent[domain.TradingSession],
        info: Info,
        first: FirstOfNested = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before, NESTED_PAGE)
        return await trading.signals(info.context, parent, page, order_by)

    @strawberry.field(
        graphql_type=Position | None,
        description="The newest position of the session, open or closed. Null before the first fill.",
    )
    async def position(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the position."""
        return await trading.position(info.context, parent)

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description=(
            "The performance of the session so far, starting from the account's equity at its start. Null before the "
            "first round trip."
        ),
    )
    async def metrics(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the figures so far."""
        return await trading.metrics(info.context, parent)


@strawberry.type(description="A trading session in a list, with its cursor.")
class TradingSessionEdge(Edge[TradingSession]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of trading sessions.")
class TradingSessionConnection(CountedConnection[TradingSession, TradingSessionEdge]):
    """See `Connection`."""


@strawberry.input(description="The trading session to start.")
class TradingSessionStartInput:
    """The input of `tradingSessionStart`."""

    strategy_version: strawberry.ID = strawberry.field(description="The id of the strategy version to run.")
    account: strawberry.ID = strawberry.field(description="The id of the account on which to trade.")
    market: MarketSymbol = strawberry.field(
        description="The market to trade. It must be a market of the account's venue."
    )
    timeframe: Timeframe = strawberry.field(description="The length of the candles on which the strategy runs.")
    parameters: list[ParameterInput] | None = strawberry.field(
        default=None, description="Values for the strategy's parameters. Those that are not given have their default."
    )
    sizing: SizingInput | None = strawberry.field(
        default=None, description="The size of entries. By default that of the strategy's definition."
    )
    risk: RiskLimitsInput | None = strawberry.field(
        default=None,
        description="Risk limits of the session. They apply together with those of the account. By default none is "
        "set.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "Makes it safe to repeat the request: the same key with the same input returns the trading session of the "
            "first request. At most 128 characters."
        ),
    )

    def to_domain(self) -> TradingSessionRequest:
        """Return the request; raises NOT_FOUND for ids that name nothing."""
        return TradingSessionRequest(
            strategy_version_id=decode_uuid(self.strategy_version, "StrategyVersion", ("input", "strategyVersion")),
            account_id=decode_uuid(self.account, "Account", ("input", "account")),
            market=self.market,
            timeframe=self.timeframe,
            parameters=tuple(one.to_domain() for one in self.parameters or ()),
            sizing=self.sizing.to_domain() if self.sizing else None,
            risk=self.risk.to_domain() if self.risk else None,
        )


@strawberry.input(description="How to stop a trading session.")
class TradingSessionStopInput:
    """The input of `tradingSessionStop`."""

    close_position: bool = strawberry.field(
        default=False,
        description="True to close the session's position at the market. With false, the position stays open.",
    )


@strawberry.type(description="The result of `tradingSessionStart`.")
class TradingSessionStartPayload(Payload):
    """The answer of `tradingSessionStart`."""

    trading_session: TradingSession | None = strawberry.field(
        description="The new trading session. Null if there are errors."
    )


@strawberry.type(description="The result of `tradingSessionPause`.")
class TradingSessionPausePayload(Payload):
    """The answer of `tradingSessionPause`."""

    trading_session: TradingSession | None = strawberry.field(
        description="The trading session after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `tradingSessionResume`.")
class TradingSessionResumePayload(Payload):
    """The answer of `tradingSessionResume`."""

    trading_session: TradingSession | None = strawberry.field(
        description="The trading session after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `tradingSessionStop`.")
class TradingSessionStopPayload(Payload):
    """The answer of `tradingSessionStop`."""

    trading_session: TradingSession | None = strawberry.field(
        description="The trading session after the change. Null if there are errors."
    )


@strawberry.input(description="How to halt trading.")
class TradingHaltInput:
    """The input of `tradingHalt`."""

    cancel_orders: bool = strawberry.field(
        default=True, description="True to cancel all open orders. With false, they stay open."
    )
    close_positions: bool = strawberry.field(
        default=False,
        description="True to close all positions at the market. Not supported yet: true results in the error "
        "UNSUPPORTED.",
    )
    reduce_only: bool = strawberry.field(
        default=False,
        description="True to allow orders that reduce or close a position. With false, no new order is sent.",
    )
    reason: str | None = strawberry.field(
        default=None,
        description=(
            "The reason for the halt. Every signed-in user to whom the halt applies can read it, and the activity log "
            "keeps it."
        ),
    )

    def to_domain(self) -> HaltRequest:
        """Return the request; raises UNSUPPORTED for what can't be done."""
        if self.close_positions:
            message = "closePositions is not carried out yet; halt with reduceOnly, then close them by hand."
            raise InputError(ErrorCode.UNSUPPORTED, message, ("input", "closePositions"))
        return HaltRequest(self.cancel_orders, self.reduce_only, self.reason)


@strawberry.type(description="The result of `tradingHalt`.")
class TradingHaltPayload(Payload):
    """The answer of `tradingHalt`."""

    subject: Node | None = strawberry.field(
        description="The trading session, account, user or engine. Null if there are errors, or if it is another user."
    )


@strawberry.type(description="The result of `tradingResume`.")
class TradingResumePayload(Payload):
    """The answer of `tradingResume`."""

    subject: Node | None = strawberry.field(
        description="The trading session, account, user or engine. Null if there are errors, or if it is another user."
    )


@strawberry.type
class TradingMutation:
    """The trading sessions' part of the mutation root."""

    @strawberry.mutation(
        description=(
            "Start a trading session. Its status is STARTING until it has all candles that it needs. The user's plan "
            "limits the number of sessions: see `Plan.maxTradingSessions`."
        )
    )
    @payload(TradingSessionStartPayload)
    async def trading_session_start(
        self, info: Info, input: Annotated[TradingSessionStartInput, INPUT]
    ) -> TradingSessionStartPayload | None:
        """Start a session."""
        info.context.require(ApiScope.TRADE)
        session = await trading.start(info.context, input.to_domain(), input.idempotency_key)
        return answer(TradingSessionStartPayload, trading_session=session)

    @strawberry.mutation(
        description=(
            "Pause a trading session. It opens no new positions, and entries that rest in the book are cancelled. "
            "Exits and protection continue."
        )
    )
    @payload(TradingSessionPausePayload)
    async def trading_session_pause(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the trading session.")],
    ) -> TradingSessionPausePayload | None:
        """Pause a session."""
        info.context.require(ApiScope.TRADE)
        session = await trading.pause(info.context, decode_uuid(id, "TradingSession", ("id",)))
        return answer(TradingSessionPausePayload, trading_session=session)

    @strawberry.mutation(
        description="Resume a paused trading session. It can open positions again from the next closed candle on."
    )
    @payload(TradingSessionResumePayload)
    async def trading_session_resume(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the trading session.")],
    ) -> TradingSessionResumePayload | None:
        """Resume a session."""
        info.context.require(ApiScope.TRADE)
        session = await trading.resume(info.context, decode_uuid(id, "TradingSession", ("id",)))
        return answer(TradingSessionResumePayload, trading_session=session)

    @strawberry.mutation(
        description=(
            "Stop a trading session. Its open orders are cancelled and, with `closePosition`, its position is closed. "
            "Its status is STOPPING until then, and STOPPED afterwards."
        )
    )
    @payload(TradingSessionStopPayload)
    async def trading_session_stop(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the trading session.")],
        input: Annotated[TradingSessionStopInput | None, INPUT] = None,
    ) -> TradingSessionStopPayload | None:
        """Stop a session."""
        info.context.require(ApiScope.TRADE)
        session_id = decode_uuid(id, "TradingSession", ("id",))
        close = input is not None and input.close_position
        return answer(
            TradingSessionStopPayload,
            trading_session=await trading.stop(info.context, session_id, close_position=close),
        )

    @strawberry.mutation(
        description="Halt trading at once. No new order is sent until `tradingResume`, even after a restart of the "
        "engine."
    )
    @payload(TradingHaltPayload)
    async def trading_halt(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(
                description=(
                    "The id of a trading session, an account, a user or the engine. Users can only halt themselves. "
                    "Operators can also halt other users and the engine."
                )
            ),
        ],
        input: Annotated[TradingHaltInput | None, INPUT] = None,
    ) -> TradingHaltPayload | None:
        """Halt something."""
        info.context.require(ApiScope.TRADE)
        request = (input or TradingHaltInput()).to_domain()
        return answer(TradingHaltPayload, subject=await trading.halt(info.context, id, request))

    @strawberry.mutation(description="End a halt, so that orders can be sent again. Halts at other levels still apply.")
    @payload(TradingResumePayload)
    async def trading_resume(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(
                description=(
                    "The id of a trading session, an account, a user or the engine. Users can only resume themselves. "
                    "Operators can also resume other users and the engine."
                )
            ),
        ],
    ) -> TradingResumePayload | None:
        """Resume something."""
        info.context.require(ApiScope.TRADE)
        return answer(TradingResumePayload, subject=await trading.halt(info.context, id, None))
