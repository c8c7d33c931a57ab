"""Accounts, trading sessions, signals and positions, as lists and one by one."""

from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.core.pagination import CursorScope, Page
from domain.model.drift import BacktestDrift
from domain.model.markets import Market
from domain.model.orders import Order
from domain.model.reports import PerformanceMetrics
from domain.model.strategies import StrategyVersion
from domain.model.trading import Account, ParameterValue, Position, Signal, SignalWebhook, TradingSession
from domain.model.users import ApiScope, User
from domain.ports.lists import AccountFilter, NoFilter, PositionFilter
from domain.ports.trading_sessions import TradingSessionFilter
from domain.reports.session_metrics import MetricsRequest
from domain.strategies.parameter_values import all_parameter_values
from domain.trading.signal_requests import SignalRequest
from domain.trading.trading_sessions import TradingSessionRequest
from resolvers import markets
from resolvers.context import RequestContext
from resolvers.lists import Parent, PositionOrder, TimeOrder, cursor_owner, list_page, owned_by, position_page
from resolvers.pagination import PageArguments

WEBHOOK_PATH: Final = "/hooks/signals/"
"""What the path of a webhook begins with; its secret follows."""


async def accounts(
    context: RequestContext,
    user: User,
    page: PageArguments,
    account_filter: AccountFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Account]:
    """Return a page of the user's accounts."""
    scope = CursorScope("accounts", str(user.id))
    return await list_page(context.lists.accounts, scope, owned_by(user, account_filter), page, order)


async def trading_sessions(
    context: RequestContext,
    parent: Parent,
    page: PageArguments,
    session_filter: TradingSessionFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[TradingSession]:
    """Return a page of an object's trading sessions."""
    scope = CursorScope("trading-sessions", cursor_owner(parent))
    return await list_page(context.lists.trading_sessions, scope, owned_by(parent, session_filter), page, order)


async def positions(
    context: RequestContext,
    parent: Parent,
    page: PageArguments,
    position_filter: PositionFilter,
    order: PositionOrder = PositionOrder.OPENED_NEWEST_FIRST,
) -> Page[Position]:
    """Return a page of an object's positions."""
    scope = CursorScope("positions", cursor_owner(parent))
    return await position_page(context.lists.positions, scope, owned_by(parent, position_filter), page, order)


async def account(context: RequestContext, parent: Order | Position | TradingSession) -> Account | None:
    """Return the account of an order, a position or a trading session."""
    return await context.loaders.accounts.load(parent.account_id)


async def trading_session(context: RequestContext, parent: Order | Position) -> TradingSession | None:
    """Return the trading session of an order or a position; None if it was made manually."""
    if parent.trading_session_id is None:
        return None
    return await context.loaders.trading_sessions.load(parent.trading_session_id)


async def strategy_version(context: RequestContext, session: TradingSession) -> StrategyVersion | None:
    """Return the version that the trading session runs."""
    return await context.loaders.strategy_versions.load(session.strategy_version_id)


async def parameter_values(context: RequestContext, session: TradingSession) -> list[ParameterValue]:
    """Return the value of each parameter of the strategy: the trading session's own, or else the version's default."""
    version = await strategy_version(context, session)
    return [] if version is None else list(all_parameter_values(version.definition, session.parameters))


async def signals(
    context: RequestContext,
    session: TradingSession,
    page: PageArguments,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Signal]:
    """Return a page of the trading session's signals."""
    scope = CursorScope("signals", str(session.id))
    return await list_page(context.lists.signals, scope, owned_by(session, NoFilter()), page, order)


async def signal_market(context: RequestContext, signal: Signal) -> Market | None:
    """Return the market that a signal is for."""
    symbol = signal.market
    if symbol is None:
        session = await context.loaders.trading_sessions.load(signal.trading_session_id)
        assert session is not None  # the signal's row refers to it
        symbol = session.market
    return markets.market(context, symbol)


async def latest_position(context: RequestContext, session: TradingSession) -> Position | None:
    """Return the trading session's newest position, open or closed."""
    return await context.loaders.latest_positions.load(session.id)


async def metrics(context: RequestContext, session: TradingSession) -> PerformanceMetrics | None:
    """Return the trading session's performance so far; None before its first round trip."""
    catalogue = context.services.markets.catalogue
    known = [market for symbol in session.markets if (market := catalogue.get(symbol)) is not None]
    if not known or await latest_position(context, session) is None:
        return None
    graph = context.services.markets.graph(session.market.venue)
    request = MetricsRequest(session, tuple(known), context.services.clock.now(), graph)
    return await context.loaders.session_metrics.load(request)


async def backtest_drift(context: RequestContext, session: TradingSession) -> BacktestDrift | None:
    """Return the trading session's drift from its backtest; None until a job has computed it."""
    return await context.drifts.load(session)


def market_price(context: RequestContext, position: Position) -> Decimal | None:
    """Return the present price of the position's market, in quote per base; None if it isn't known."""
    return context.services.markets.price_of(position.market)


def unrealized_profit(context: RequestContext, position: Position) -> Decimal | None:
    """Return what closing at the present price would add, before fees, in quote; None if no price is known."""
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
    """Pause a trading session: it makes no more entries."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.trading_sessions.pause(user.id, session_id)


async def resume(context: RequestContext, session_id: UUID) -> TradingSession:
    """Resume a paused trading session."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.trading_sessions.resume(user.id, session_id)


async def stop(context: RequestContext, session_id: UUID, *, close_position: bool) -> TradingSession:
    """Stop a trading session."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.trading_sessions.stop(user.id, session_id, close_position=close_position)


async def submit_signal(context: RequestContext, request: SignalRequest, idempotency_key: str) -> Signal:
    """Submit a signal to a trading session."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.signals.submit(user.id, request, idempotency_key)


async def signal_webhooks(context: RequestContext, session: TradingSession) -> list[SignalWebhook]:
    """Return the trading session's webhooks that weren't revoked, newest first."""
    return await context.loaders.signal_webhooks.load(session.id)


async def webhook_session(context: RequestContext, webhook: SignalWebhook) -> TradingSession | None:
    """Return the trading session of a webhook."""
    return await context.loaders.trading_sessions.load(webhook.trading_session_id)


async def create_signal_webhook(context: RequestContext, session_id: UUID, name: str) -> tuple[SignalWebhook, str]:
    """Return a new webhook and its secret."""
    return await context.services.signal_webhooks.create(context.require(ApiScope.ADMIN), session_id, name)


async def rotate_signal_webhook(context: RequestContext, webhook_id: UUID) -> tuple[SignalWebhook, str]:
    """Return a webhook and its new secret."""
    return await context.services.signal_webhooks.rotate(context.require(ApiScope.ADMIN), webhook_id)


async def revoke_signal_webhook(context: RequestContext, webhook_id: UUID) -> SignalWebhook:
    """Revoke a webhook of the user."""
    return await context.services.signal_webhooks.revoke(context.require_user(ApiScope.ADMIN).id, webhook_id)
