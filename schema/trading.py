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

    at: datetime = strawberry.field(description="When it was said.")
    action: domain.SignalAction = strawberry.field(description="What the strategy says to do.")
    price: Decimal = strawberry.field(description="The close of the candle, in quote currency per base.")
    reason: str = strawberry.field(description="Which rule said so, with the values that it looked at.")


@strawberry.type(description="What a strategy said on a closed candle, and why.")
class Signal(Node, SignalFacts):
    """The schema's face of `domain.model.trading.Signal`."""

    is_type_of = serves(domain.Signal)

    @strawberry.field(
        graphql_type=lazy("orders", "Order") | None, description="The order that it caused; null where it caused none."
    )
    async def order(parent: strawberry.Parent[domain.Signal], info: Info) -> object:
        """Return the order."""
        return await orders.order_by_id(info.context, parent.order_id)


@strawberry.type(description="A signal in a list.")
class SignalEdge(Edge[Signal]):
    """See `Edge`."""


@strawberry.type(description="Signals, a page at a time.")
class SignalConnection(CountedConnection[Signal, SignalEdge]):
    """See `Connection`."""


@strawberry.type
class TradingSessionFacts:
    """What is told of a trading session as it is now and as it once stood."""

    timeframe: Timeframe = strawberry.field(description="The length of the candles that it looks at.")
    status: domain.TradingSessionStatus = strawberry.field(description="Where it is in its life.")
    status_reason: str | None = strawberry.field(description="Why, where there is something to say.")
    status_code: domain.TradingSessionStatusCode | None = strawberry.field(
        description="Why the session is where it is, for programs; `statusReason` says it in words, where there is "
        "more to say. Null where it runs as it should."
    )
    started_at: datetime = strawberry.field(description="When it was started.")
    stopped_at: datetime | None = strawberry.field(description="When it came to its end.")
    trading_state: TradingState = strawberry.field(description="Whether a halt of its own holds it.")

    @strawberry.field(
        graphql_type=lazy("strategies", "StrategyVersion"), description="The strategy version that the session runs."
    )
    async def strategy_version(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the strategy version."""
        return await trading.version_of(info.context, parent)

    @strawberry.field(graphql_type=lazy("accounts", "Account"), description="The account that the session trades with.")
    async def account(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the account."""
        return await trading.account_of(info.context, parent)

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that the session trades.")
    def market(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=list[ParameterValue], description="The value of each of the strategy's parameters, defaults too."
    )
    async def parameters(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the values."""
        return await trading.parameters(info.context, parent)


@strawberry.type(description="One strategy version running on one account, market and timeframe.")
class TradingSession(Node, TradingSessionFacts, HaltFields, OrderLists, PositionLists):
    """The schema's face of `domain.model.trading.TradingSession`."""

    is_type_of = serves(domain.TradingSession)

    orders = strawberry.field(
        resolver=order_list, graphql_type=OrderConnection, metadata=NESTED, description=ORDERS_TOLD
    )

    @strawberry.field(graphql_type=SignalConnection, metadata=NESTED, description="What the strategy said.")
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
        graphql_type=Position | None, description="Its newest position, open or closed; null before the first fill."
    )
    async def position(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the position."""
        return await trading.position(info.context, parent)

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description="From the account's equity at the start; null before the first round trip.",
    )
    async def metrics(parent: strawberry.Parent[domain.TradingSession], info: Info) -> object:
        """Return the figures so far."""
        return await trading.metrics(info.context, parent)


@strawberry.type(description="A trading session in a list.")
class TradingSessionEdge(Edge[TradingSession]):
    """See `Edge`."""


@strawberry.type(description="Trading sessions, a page at a time.")
class TradingSessionConnection(CountedConnection[TradingSession, TradingSessionEdge]):
    """See `Connection`."""


@strawberry.input(description="What is to be run where.")
class TradingSessionStartInput:
    """The input of `tradingSessionStart`."""

    strategy_version: strawberry.ID = strawberry.field(description="What to run.")
    account: strawberry.ID = strawberry.field(description="What to trade with.")
    market: MarketSymbol = strawberry.field(description="A market of the account's venue.")
    timeframe: Timeframe = strawberry.field(description="The length of the candles to look at.")
    parameters: list[ParameterInput] | None = strawberry.field(
        default=None, description="Values for the strategy's parameters; the others keep their defaults."
    )
    sizing: SizingInput | None = strawberry.field(default=None, description="In the place of the strategy's own.")
    risk: RiskLimitsInput | None = strawberry.field(default=None, description="Limits beside the account's.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key with the same input gives the same session."
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


@strawberry.input(description="How a trading session is to end.")
class TradingSessionStopInput:
    """The input of `tradingSessionStop`."""

    close_position: bool = strawberry.field(default=False, description="Whether its position is to be closed.")


@strawberry.type(description="The answer of `tradingSessionStart`.")
class TradingSessionStartPayload(Payload):
    """The answer of `tradingSessionStart`."""

    trading_session: TradingSession | None = strawberry.field(description="The session; null where there are errors.")


@strawberry.type(description="The answer of `tradingSessionPause`.")
class TradingSessionPausePayload(Payload):
    """The answer of `tradingSessionPause`."""

    trading_session: TradingSession | None = strawberry.field(description="The session; null where there are errors.")


@strawberry.type(description="The answer of `tradingSessionResume`.")
class TradingSessionResumePayload(Payload):
    """The answer of `tradingSessionResume`."""

    trading_session: TradingSession | None = strawberry.field(description="The session; null where there are errors.")


@strawberry.type(description="The answer of `tradingSessionStop`.")
class TradingSessionStopPayload(Payload):
    """The answer of `tradingSessionStop`."""

    trading_session: TradingSession | None = strawberry.field(description="The session; null where there are errors.")


@strawberry.input(
    description="`reduceOnly` lets positions be closed but not opened. Blocks new orders at once and stays, restarts "
    "included, until resumed."
)
class TradingHaltInput:
    """The input of `tradingHalt`."""

    cancel_orders: bool = strawberry.field(default=True, description="Whether open orders are cancelled.")
    close_positions: bool = strawberry.field(
        default=False,
        description="Whether positions are closed at the market. Not supported yet: true is answered with UNSUPPORTED.",
    )
    reduce_only: bool = strawberry.field(default=False, description="Whether positions may still be closed.")
    reason: str | None = strawberry.field(
        default=None, description="Why. It is told with the halt to whoever it holds, and stands in the activity log."
    )

    def to_domain(self) -> HaltRequest:
        """Return the request; raises UNSUPPORTED for what can't be done."""
        if self.close_positions:
            message = "closePositions is not carried out yet; halt with reduceOnly, then close them by hand."
            raise InputError(ErrorCode.UNSUPPORTED, message, ("input", "closePositions"))
        return HaltRequest(self.cancel_orders, self.reduce_only, self.reason)


@strawberry.type(description="The answer of `tradingHalt`.")
class TradingHaltPayload(Payload):
    """The answer of `tradingHalt`."""

    subject: Node | None = strawberry.field(
        description="The trading session, account, user or engine; null where there are errors, and for another user."
    )


@strawberry.type(description="The answer of `tradingResume`.")
class TradingResumePayload(Payload):
    """The answer of `tradingResume`."""

    subject: Node | None = strawberry.field(
        description="The trading session, account, user or engine; null where there are errors, and for another user."
    )


@strawberry.type
class TradingMutation:
    """The trading sessions' part of the mutation root."""

    @strawberry.mutation(description="Start a trading session; it is STARTING until its candles are there.")
    @payload(TradingSessionStartPayload)
    async def trading_session_start(
        self, info: Info, input: Annotated[TradingSessionStartInput, INPUT]
    ) -> TradingSessionStartPayload | None:
        """Start a session."""
        info.context.require(ApiScope.TRADE)
        session = await trading.start(info.context, input.to_domain(), input.idempotency_key)
        return answer(TradingSessionStartPayload, trading_session=session)

    @strawberry.mutation(description="No entries from now on, resting ones are cancelled; exits and protection go on.")
    @payload(TradingSessionPausePayload)
    async def trading_session_pause(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The trading session.")]
    ) -> TradingSessionPausePayload | None:
        """Pause a session."""
        info.context.require(ApiScope.TRADE)
        session = await trading.pause(info.context, decode_uuid(id, "TradingSession", ("id",)))
        return answer(TradingSessionPausePayload, trading_session=session)

    @strawberry.mutation(description="Entries again, from the next closed candle on.")
    @payload(TradingSessionResumePayload)
    async def trading_session_resume(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The trading session.")]
    ) -> TradingSessionResumePayload | None:
        """Resume a session."""
        info.context.require(ApiScope.TRADE)
        session = await trading.resume(info.context, decode_uuid(id, "TradingSession", ("id",)))
        return answer(TradingSessionResumePayload, trading_session=session)

    @strawberry.mutation(
        description="Cancel the session's orders and, if asked, close its position; it is STOPPED once both have "
        "happened."
    )
    @payload(TradingSessionStopPayload)
    async def trading_session_stop(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The trading session.")],
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
        description="Block new orders at once, until resumed. `id`: a trading session, an account, a user (oneself; "
        "any for an operator) or the engine (operators)."
    )
    @payload(TradingHaltPayload)
    async def trading_halt(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(
                description="The id of a trading session, of an account, of a user (yourself; any user for an "
                "operator), or of the engine (for operators)."
            ),
        ],
        input: Annotated[TradingHaltInput | None, INPUT] = None,
    ) -> TradingHaltPayload | None:
        """Halt something."""
        info.context.require(ApiScope.TRADE)
        request = (input or TradingHaltInput()).to_domain()
        return answer(TradingHaltPayload, subject=await trading.halt(info.context, id, request))

    @strawberry.mutation(description="Let what was halted trade again; `id` as in `tradingHalt`.")
    @payload(TradingResumePayload)
    async def trading_resume(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(
                description="The id of a trading session, of an account, of a user (yourself; any user for an "
                "operator), or of the engine (for operators)."
            ),
        ],
    ) -> TradingResumePayload | None:
        """Resume something."""
        info.context.require(ApiScope.TRADE)
        return answer(TradingResumePayload, subject=await trading.halt(info.context, id, None))
