"""Puts together what the risk checks of an order look at: what is stored of its account, and the market."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.core.money import EXACT, ZERO, divide
from domain.core.pagination import KeysetPage
from domain.model.markets import FeedState, MarketSymbol
from domain.model.orders import Order
from domain.model.trading import Position, RiskLimits, TradingSession
from domain.model.trading_state import TradingState
from domain.ports.orders import MarketView, RiskSnapshot
from domain.ports.unit_of_work import UnitOfWork
from domain.risk.context import LossRecord, RiskContext, Scope
from domain.risk.loss_history import LOOK_BACK, compute_losses, day_start, needs_history

_RATE_WINDOW = timedelta(minutes=1)


async def gather(
    transaction: UnitOfWork, order: Order, markets: MarketView, now: datetime, *, reconciled: bool
) -> RiskContext:
    """Return the context of an order whose row is held.

    Halts are read here, so that one that is committed before the order is sent is obeyed.
    """
    facts = await transaction.orders.risk_facts(order, now - _RATE_WINDOW)
    closed: list[Position] = []
    if any(needs_history(limits) for limits in _limits(facts)):
        window = KeysetPage(limit=LOOK_BACK)
        closed = await transaction.positions.list_page(order.user_id, window, order.account_id, is_open=False)
    return build_risk_context(order, facts, closed, markets, now, reconciled=reconciled)


def build_risk_context(
    order: Order,
    facts: RiskSnapshot,
    closed: Sequence[Position],
    markets: MarketView,
    now: datetime,
    *,
    reconciled: bool,
) -> RiskContext:
    """Return the context of an order by what is stored and the books at hand; `closed` is newest first."""
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
        quote_rate=conversion_rate(markets, order.market.venue, quote, facts.account.currency),
        scopes=_scopes(order, facts, _Past(facts, closed, markets, order.market.venue, now)),
    )


def conversion_rate(markets: MarketView, venue: str, currency: str, into: str) -> Decimal | None:
    """Return the worth of one unit of a currency in another by the venue's books at hand; None where unknown."""
    if currency == into:
        return Decimal(1)
    direct = markets.latest_depth(MarketSymbol(venue, f"{currency}/{into}"))
    if direct is not None and direct.bids:
        return direct.bids[0].price
    inverse = markets.latest_depth(MarketSymbol(venue, f"{into}/{currency}"))
    if inverse is not None and inverse.asks:
        return divide(Decimal(1), inverse.asks[0].price)
    return None


def _feed_state(markets: MarketView, market: MarketSymbol) -> FeedState | None:
    """Return the feed's state; a fresh book says LIVE where nothing was told yet."""
    status = markets.status(market)
    if status is not None:
        return status.state
    return FeedState.LIVE if markets.latest_depth(market) is not None else None


def _state(facts: RiskSnapshot) -> TradingState:
    session = facts.session.trading_state if facts.session else TradingState.ACTIVE
    return TradingState.strictest(facts.engine_state, facts.user_state, facts.account.trading_state, session)


def _worked_on(order: Order, positions: tuple[Position, ...]) -> Position | None:
    for position in positions:
        if (position.market, position.trading_session_id) == (order.market, order.trading_session_id):
            return position
    return None


class _Past:
    """The closed positions of the account, and what they and the open ones come to."""

    def __init__(
        self, facts: RiskSnapshot, closed: Sequence[Position], markets: MarketView, venue: str, now: datetime
    ) -> None:
        self._facts = facts
        self._closed = closed
        self._markets = markets
        self._venue = venue
        self._now = now

    def of_account(self) -> LossRecord:
        """Return the account's record; its equity is what its balances are worth by the books at hand."""
        equity = ZERO
        for balance in self._facts.balances:
            rate = self._worth(self._venue, balance.currency)
            equity = EXACT.add(equity, EXACT.multiply(balance.total, rate or ZERO))
        return self._record(self._closed, self._facts.positions, equity, self._facts.account.risk)

    def of_session(self, session: TradingSession, limits: RiskLimits) -> LossRecord:
        """Return the session's record; its equity is that of its start and what it earned since."""
        closed = [position for position in self._closed if position.trading_session_id == session.id]
        opened = [position for position in self._facts.positions if position.trading_session_id == session.id]
        if session.start_equity is None:
            return replace(self._record(closed, opened, ZERO, limits), drawdown_percent=None)
        lost = self._record(closed, opened, ZERO, limits, since=session.started_at).daily_loss or ZERO
        return self._record(closed, opened, EXACT.subtract(session.start_equity, lost), limits)

    def _record(
        self,
        closed: Sequence[Position],
        opened: Sequence[Position],
        equity: Decimal,
        limits: RiskLimits,
        since: datetime | None = None,
    ) -> LossRecord:
        if not needs_history(limits):
            return LossRecord()
        start = since or day_start(self._now, limits.daily_reset_hour)
        return compute_losses(closed, opened, equity, self._rate, self._price, start)

    def _rate(self, market: MarketSymbol) -> Decimal | None:
        return self._worth(market.venue, market.symbol.partition("/")[2])

    def _worth(self, venue: str, currency: str) -> Decimal | None:
        return conversion_rate(self._markets, venue, currency, self._facts.account.currency)

    def _price(self, market: MarketSymbol) -> Decimal | None:
        depth = self._markets.latest_depth(market)
        return depth.bids[0].price if depth is not None and depth.bids else None


def _limits(facts: RiskSnapshot) -> tuple[RiskLimits, ...]:
    session = facts.session.risk if facts.session else None
    return (facts.account.risk,) if session is None else (facts.account.risk, session)


def _scopes(order: Order, facts: RiskSnapshot, past: _Past) -> tuple[Scope, ...]:
    here = tuple(position for position in facts.positions if position.market == order.market)
    account = facts.account.risk
    of_account = Scope("the account", account, here, facts.active, facts.sent_by_account, past.of_account())
    session = facts.session
    if session is None or session.risk is None:
        return (of_account,)
    own = tuple(position for position in here if position.trading_session_id == session.id)
    active = tuple(other for other in facts.active if other.trading_session_id == session.id)
    losses = past.of_session(session, session.risk)
    return (of_account, Scope("the trading session", session.risk, own, active, facts.sent_by_session, losses))
