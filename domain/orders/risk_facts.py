"""Puts together what the risk checks of an order look at: what is stored of its account, and the market."""

from datetime import datetime, timedelta
from decimal import Decimal

from domain.markets.types import FeedState, MarketSymbol
from domain.money import divide
from domain.orders.ports import MarketView, RiskFacts
from domain.orders.risk_context import RiskContext, Scope
from domain.orders.types import Order
from domain.storage import Transaction
from domain.trading.state import TradingState
from domain.trading.types import Position

_RATE_WINDOW = timedelta(minutes=1)


async def gather(
    transaction: Transaction, order: Order, markets: MarketView, now: datetime, *, reconciled: bool
) -> RiskContext:
    """Return the context of an order whose row is held.

    Halts are read here, so that one that is committed before the order is sent is obeyed.
    """
    facts = await transaction.orders.risk_facts(order, now - _RATE_WINDOW)
    return context_of(order, facts, markets, now, reconciled=reconciled)


def context_of(order: Order, facts: RiskFacts, markets: MarketView, now: datetime, *, reconciled: bool) -> RiskContext:
    """Return the context of an order by what is stored and the books at hand."""
    base, _, quote = order.market.symbol.partition("/")
    return RiskContext(
        now=now,
        state=_state(facts),
        reconciled=reconciled,
        market=markets.catalogue.get(order.market),
        depth=markets.latest_depth(order.market),
        feed=_feed_state(markets, order.market),
        base=base,
        quote=quote,
        balances={balance.currency: balance for balance in facts.balances},
        position=_worked_on(order, facts.positions),
        active=facts.active,
        quote_rate=quote_rate(markets, order.market, facts.account.currency),
        scopes=_scopes(order, facts),
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


def _state(facts: RiskFacts) -> TradingState:
    session = facts.session.trading_state if facts.session else TradingState.ACTIVE
    return TradingState.strictest(facts.engine_state, facts.user_state, facts.account.trading_state, session)


def _worked_on(order: Order, positions: tuple[Position, ...]) -> Position | None:
    for position in positions:
        if (position.market, position.trading_session_id) == (order.market, order.trading_session_id):
            return position
    return None


def _scopes(order: Order, facts: RiskFacts) -> tuple[Scope, ...]:
    here = tuple(position for position in facts.positions if position.market == order.market)
    of_account = Scope("the account", facts.account.risk, here, facts.active, facts.sent_by_account)
    session = facts.session
    if session is None or session.risk is None:
        return (of_account,)
    own = tuple(position for position in here if position.trading_session_id == session.id)
    active = tuple(other for other in facts.active if other.trading_session_id == session.id)
    return (of_account, Scope("the trading session", session.risk, own, active, facts.sent_by_session))
