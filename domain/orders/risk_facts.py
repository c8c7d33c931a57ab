"""Gathers what the risk checks of an order look at, in the order's own transaction."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.markets.types import FeedState, MarketSymbol
from domain.money import divide
from domain.orders.ports import MarketView
from domain.orders.risk_context import RiskContext, Scope
from domain.orders.types import Order, OrderStatus
from domain.storage import Transaction
from domain.trading.state import TradingState
from domain.trading.types import Account, Position, TradingSession

_RATE_WINDOW = timedelta(minutes=1)


async def gather(
    transaction: Transaction, order: Order, markets: MarketView, now: datetime, *, reconciled: bool
) -> RiskContext:
    """Return the context of an order whose row is held.

    Halts are read here, so that one that is committed before the order is sent is obeyed.
    """
    account = await transaction.accounts.by_id(order.account_id)
    assert account is not None
    session = await _session(transaction, order)
    positions = tuple(await transaction.positions.open_of_account(order.account_id))
    active = tuple(o for o in await transaction.orders.active(order.account_id) if _counts(o, order))
    balances = (await transaction.accounts.balances([order.account_id])).get(order.account_id, [])
    base, _, quote = order.market.symbol.partition("/")
    return RiskContext(
        now=now,
        state=await _state(transaction, account, session),
        reconciled=reconciled,
        market=markets.catalogue.get(order.market),
        depth=markets.latest_depth(order.market),
        feed=_feed_state(markets, order.market),
        base=base,
        quote=quote,
        balances={balance.currency: balance for balance in balances},
        position=_worked_on(order, positions),
        active=active,
        quote_rate=quote_rate(markets, order.market, account.currency),
        scopes=await _scopes(transaction, order, account, session, positions, active, now),
    )


def quote_rate(markets: MarketView, market: MarketSymbol, currency: str) -> Decimal | None:
    """Return the worth of one unit of the market's quote in `currency` by the books at hand; None where unknown."""
    _, _, quote = market.symbol.partition("/")
    if quote == currency:
        return Decimal(1)
    direct = markets.latest_depth(MarketSymbol(market.venue, f"{quote}/{currency}"))
    if direct is not None and direct.bids:
        return direct.bids[0].price
    inverse = markets.latest_depth(MarketSymbol(market.venue, f"{currency}/{quote}"))
    if inverse is not None and inverse.asks:
        return divide(Decimal(1), inverse.asks[0].price)
    return None


def _feed_state(markets: MarketView, market: MarketSymbol) -> FeedState | None:
    """Return the feed's state; a fresh book says LIVE where nothing was told yet."""
    status = markets.status(market)
    if status is not None:
        return status.state
    return FeedState.LIVE if markets.latest_depth(market) is not None else None


async def _session(transaction: Transaction, order: Order) -> TradingSession | None:
    if order.trading_session_id is None:
        return None
    return await transaction.trading_sessions.get(order.user_id, order.trading_session_id)


async def _state(transaction: Transaction, account: Account, session: TradingSession | None) -> TradingState:
    user = await transaction.users.get(account.user_id)
    engine = await transaction.accounts.engine_state()
    return TradingState.strictest(
        engine,
        user.trading_state if user else TradingState.HALTED,
        account.trading_state,
        session.trading_state if session else TradingState.ACTIVE,
    )


def _counts(other: Order, order: Order) -> bool:
    """Tell whether another order may fill; one that is PENDING yet is checked when its own turn comes."""
    return other.id != order.id and other.status is not OrderStatus.PENDING


def _worked_on(order: Order, positions: tuple[Position, ...]) -> Position | None:
    for position in positions:
        if (position.market, position.trading_session_id) == (order.market, order.trading_session_id):
            return position
    return None


async def _scopes(
    transaction: Transaction,
    order: Order,
    account: Account,
    session: TradingSession | None,
    positions: tuple[Position, ...],
    active: tuple[Order, ...],
    now: datetime,
) -> tuple[Scope, ...]:
    here = tuple(position for position in positions if position.market == order.market)
    sent: list[UUID | None] = []
    if account.risk.max_orders_per_minute is not None or (session and session.risk):
        recent = await transaction.orders.recent(order.account_id, now - _RATE_WINDOW)
        sent = [o.trading_session_id for o in recent if o.submitted_at and o.submitted_at >= now - _RATE_WINDOW]
    scopes = [Scope("the account", account.risk, here, active, len(sent))]
    if session is not None and session.risk is not None:
        own = tuple(position for position in here if position.trading_session_id == session.id)
        working = tuple(o for o in active if o.trading_session_id == session.id)
        scopes.append(Scope("the trading session", session.risk, own, working, sent.count(session.id)))
    return tuple(scopes)
