"""Trading sessions, their signals and positions; halts."""

from decimal import Decimal
from uuid import UUID

from domain.accounts.halts import HaltRequest
from domain.core.errors import ErrorCode, InputError
from domain.core.money import EXACT, ZERO
from domain.core.pagination import CursorScope, Page
from domain.model.orders import Order
from domain.model.reports import PerformanceMetrics
from domain.model.strategies import StrategyVersion
from domain.model.trading import Account, ParameterValue, Position, Signal, TradingSession
from domain.model.users import ApiScope, User
from domain.ports.lists import AccountFilter, NoFilter, PositionFilter
from domain.ports.trading_sessions import TradingSessionFilter
from domain.reports.session_metrics import MetricsRequest
from domain.trading.trading_sessions import TradingSessionRequest
from resolvers.context import RequestContext
from resolvers.engine import ENGINE_KEY
from resolvers.ids import decode_id, uuid_in
from resolvers.lists import Parent, PositionOrder, TimeOrder, list_page, owned_by, position_page, user_of
from resolvers.pagination import PageArguments


async def accounts(
    context: RequestContext,
    user: User,
    page: PageArguments,
    wanted: AccountFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Account]:
    """Return the user's accounts that fit."""
    scope = CursorScope("accounts", str(user.id))
    return await list_page(context.lists.accounts, scope, owned_by(user, wanted), page, order)


async def sessions(
    context: RequestContext,
    parent: Parent,
    page: PageArguments,
    wanted: TradingSessionFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[TradingSession]:
    """Return the trading sessions of an object that fit."""
    scope = CursorScope("trading-sessions", user_of(parent))
    return await list_page(context.lists.trading_sessions, scope, owned_by(parent, wanted), page, order)


async def positions(
    context: RequestContext,
    parent: Parent,
    page: PageArguments,
    wanted: PositionFilter,
    order: PositionOrder = PositionOrder.OPENED_NEWEST_FIRST,
) -> Page[Position]:
    """Return the positions of an object that fit."""
    scope = CursorScope("positions", user_of(parent))
    return await position_page(context, scope, owned_by(parent, wanted), page, order)


async def account_of(context: RequestContext, one: Order | Position | TradingSession) -> Account | None:
    """Return the account that it is on."""
    return await context.loaders.accounts.load(one.account_id)


async def session_of(context: RequestContext, one: Order | Position) -> TradingSession | None:
    """Return the trading session that it belongs to; None where it was made by hand."""
    if one.trading_session_id is None:
        return None
    return await context.loaders.trading_sessions.load(one.trading_session_id)


async def version_of(context: RequestContext, session: TradingSession) -> StrategyVersion | None:
    """Return what the session runs."""
    return await context.loaders.strategy_versions.load(session.strategy_version_id)


async def parameters(context: RequestContext, session: TradingSession) -> list[ParameterValue]:
    """Return the value of each parameter of the strategy: the session's own, or else the version's default."""
    version = await version_of(context, session)
    own = {one.name: one.value for one in session.parameters}
    known = version.definition.parameters if version is not None else ()
    return [ParameterValue(one.name, own.get(one.name, one.default)) for one in known]


async def signals(
    context: RequestContext,
    session: TradingSession,
    page: PageArguments,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Signal]:
    """Return what the strategy said in the session."""
    scope = CursorScope("signals", str(session.id))
    return await list_page(context.lists.signals, scope, owned_by(session, NoFilter()), page, order)


async def position(context: RequestContext, session: TradingSession) -> Position | None:
    """Return the session's newest position, open or closed."""
    return await context.loaders.newest_positions.load(session.id)


async def metrics(context: RequestContext, session: TradingSession) -> PerformanceMetrics | None:
    """Return how the session has gone so far; None before its first round trip."""
    market = context.services.markets.catalogue.get(session.market)
    if market is None or await position(context, session) is None:
        return None
    graph = context.services.markets.graph(session.market.venue)
    wanted = MetricsRequest(session, market, context.services.clock.now(), graph)
    return await context.loaders.session_metrics.load(wanted)


def market_price(context: RequestContext, position: Position) -> Decimal | None:
    """Return the present price of the position's market, in quote per base; None where it isn't known."""
    return context.services.markets.price_of(position.market)


def unrealized_profit(context: RequestContext, position: Position) -> Decimal | None:
    """Return what closing at the present price would add, before fees, in quote; None where no price is known."""
    if position.closed_at is not None or position.quantity == ZERO:
        return ZERO
    price = context.services.markets.price_of(position.market)
    if price is None or position.average_price is None:
        return None
    return EXACT.multiply(position.quantity, EXACT.subtract(price, position.average_price))


async def start(context: RequestContext, request: TradingSessionRequest, idempotency_key: str | None) -> TradingSession:
    """Start a trading session."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.trading_sessions.start(user, request, idempotency_key)


async def pause(context: RequestContext, session_id: UUID) -> TradingSession:
    """Let no more entries happen."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.trading_sessions.pause(user.id, session_id)


async def resume(context: RequestContext, session_id: UUID) -> TradingSession:
    """Let entries happen again."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.trading_sessions.resume(user.id, session_id)


async def stop(context: RequestContext, session_id: UUID, *, close_position: bool) -> TradingSession:
    """Stop a trading session."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.trading_sessions.stop(user.id, session_id, close_position=close_position)


async def halt(context: RequestContext, id: str, request: HaltRequest | None) -> object | None:
    """Halt what the global id names, or resume it where `request` is None, and return it.

    Another user, whom an operator may halt, isn't returned: their data is theirs. Raises NOT_FOUND, and `Forbidden`
    where the engine is named by anybody but an operator.
    """
    identity, halts = context.require(ApiScope.TRADE), context.services.halts
    if decode_id(id) == ("Engine", ENGINE_KEY):
        await halts.apply_to_engine(context.require(ApiScope.ADMIN), request)
        return context.services.engine
    if session_id := uuid_in(id, "TradingSession"):
        return await halts.apply_to_trading_session(identity.user.id, session_id, request)
    if account_id := uuid_in(id, "Account"):
        return await halts.apply_to_account(identity.user.id, account_id, request)
    if user_id := uuid_in(id, "User"):
        return await _halt_user(context, user_id, request)
    message = "There is nothing to halt with this id; name a trading session, an account, a user or the engine."
    raise InputError(ErrorCode.NOT_FOUND, message, ("id",))


async def _halt_user(context: RequestContext, user_id: UUID, request: HaltRequest | None) -> User | None:
    is_self = user_id == context.require(ApiScope.TRADE).user.id
    identity = context.require(ApiScope.TRADE if is_self else ApiScope.ADMIN)
    user = await context.services.halts.apply_to_user(identity, user_id, request)
    return user if is_self else None
