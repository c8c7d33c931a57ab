"""Loads the input of an order's risk checks: the stored state of its account, and the market."""

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
from domain.risk.context import LimitScope, LossRecord, RiskContext
from domain.risk.loss_history import LOOK_BACK, compute_losses, day_start, needs_history

_RATE_WINDOW = timedelta(minutes=1)


async def load_risk_context(
    transaction: UnitOfWork, order: Order, markets: MarketView, now: datetime, *, reconciled: bool
) -> RiskContext:
    """Return the risk context of an order whose row is locked.

    Halts are read in the transaction that decides, so that one committed before the order is sent is obeyed.
    """
    snapshot = await transaction.orders.risk_snapshot(order, now - _RATE_WINDOW)
    closed: list[Position] = []
    if any(needs_history(limits) for limits in _limits(snapshot)):
        page = KeysetPage(limit=LOOK_BACK)
        closed = await transaction.positions.list_page(order.user_id, page, order.account_id, is_open=False)
    return build_risk_context(order, snapshot, closed, markets, now, reconciled=reconciled)


def build_risk_context(
    order: Order,
    snapshot: RiskSnapshot,
    closed: Sequence[Position],
    markets: MarketView,
    now: datetime,
    *,
    reconciled: bool,
) -> RiskContext:
    """Return the risk context of an order from stored state and the present books; `closed` is newest first."""
    base, _, quote = order.market.symbol.partition("/")
    return RiskContext(
        now=now,
        state=TradingState.strictest(TradingState.ACTIVE, *snapshot.halts),
        reconciled=reconciled,
        market=markets.catalogue.get(order.market),
        depth=markets.latest_depth(order.market),
        feed=_feed_state(markets, order.market),
        base=base,
        quote=quote,
        balances={balance.currency: balance for balance in snapshot.balances},
        position=_matching_position(order, snapshot.positions),
        active=snapshot.active,
        settling=snapshot.settling,
        quote_rate=conversion_rate(markets, order.market.venue, quote, snapshot.account.currency),
        scopes=_scopes(order, snapshot, _LossHistory(snapshot, closed, markets, order.market.venue, now)),
    )


def conversion_rate(markets: MarketView, venue: str, currency: str, into: str) -> Decimal | None:
    """Return the price of one unit of a currency in another by the venue's present books; None if unknown."""
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
    """Return the feed's state; LIVE if none was reported yet but there is a fresh book."""
    status = markets.status(market)
    if status is not None:
        return status.state
    return FeedState.LIVE if markets.latest_depth(market) is not None else None


def _matching_position(order: Order, positions: tuple[Position, ...]) -> Position | None:
    for position in positions:
        if (position.market, position.trading_session_id) == (order.market, order.trading_session_id):
            return position
    return None


class _LossHistory:
    """Computes the loss records of an account and of a trading session from closed and open positions."""

    def __init__(
        self, snapshot: RiskSnapshot, closed: Sequence[Position], markets: MarketView, venue: str, now: datetime
    ) -> None:
        self._snapshot = snapshot
        self._closed = closed
        self._markets = markets
        self._venue = venue
        self._now = now

    def account_losses(self) -> LossRecord:
        """Return the account's record; its equity is the value of its balances by the present books."""
        equity = ZERO
        for balance in self._snapshot.balances:
            rate = self._rate_between(self._venue, balance.currency)
            equity = EXACT.add(equity, EXACT.multiply(balance.total, rate or ZERO))
        return self._record(self._closed, self._snapshot.positions, equity, self._snapshot.account.risk)

    def session_losses(self, session: TradingSession, limits: RiskLimits) -> LossRecord:
        """Return the trading session's record; its equity is its start equity plus what it has earned since."""
        closed = [position for position in self._closed if position.trading_session_id == session.id]
        opened = [position for position in self._snapshot.positions if position.trading_session_id == session.id]
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
        return self._rate_between(market.venue, market.symbol.partition("/")[2])

    def _rate_between(self, venue: str, currency: str) -> Decimal | None:
        return conversion_rate(self._markets, venue, currency, self._snapshot.account.currency)

    def _price(self, market: MarketSymbol) -> Decimal | None:
        depth = self._markets.latest_depth(market)
        return depth.bids[0].price if depth is not None and depth.bids else None


def _limits(snapshot: RiskSnapshot) -> tuple[RiskLimits, ...]:
    session = snapshot.session.risk if snapshot.session else None
    return (snapshot.account.risk,) if session is None else (snapshot.account.risk, session)


def _scopes(order: Order, snapshot: RiskSnapshot, losses: _LossHistory) -> tuple[LimitScope, ...]:
    here = tuple(position for position in snapshot.positions if position.market == order.market)
    account = snapshot.account.risk
    account_scope = LimitScope(
        "the account", account, here, snapshot.active, snapshot.sent_last_minute_by_account, losses.account_losses()
    )
    session = snapshot.session
    if session is None or session.risk is None:
        return (account_scope,)
    own = tuple(position for position in here if position.trading_session_id == session.id)
    active = tuple(other for other in snapshot.active if other.trading_session_id == session.id)
    session_losses = losses.session_losses(session, session.risk)
    return (
        account_scope,
        LimitScope(
            "the trading session",
            session.risk,
            own,
            active,
            snapshot.sent_last_minute_by_trading_session,
            session_losses,
        ),
    )
