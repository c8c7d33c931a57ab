"""Loads the input of an order's risk checks: the stored state of its account, and the market."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from domain.core.clock import Clock
from domain.execution.account_book import AccountBook
from domain.model.equity import ClosedResult
from domain.model.markets import FeedState, MarketSymbol
from domain.model.orders import Order
from domain.model.trading import Account, Position, RiskLimits, TradingSession
from domain.model.trading_state import TradingState
from domain.portfolio.equity_points import account_standing, session_standing
from domain.portfolio.reservations import held_by_sessions, is_settling, spent_currency
from domain.ports.orders import MarketView, RiskSnapshot
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.risk.context import LimitScope, LossRecord, RiskContext
from domain.risk.loss_history import day_start, measure_losses, measure_streak, needs_equity, needs_streak
from domain.rules.order_groups import without_rivals

_RATE_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Losses:
    """The losses of the account and of the order's trading session, as far as their limits need them."""

    account: LossRecord
    session: LossRecord


_NO_LOSSES = _Losses(LossRecord(), LossRecord())


async def load_risk_context(
    transaction: UnitOfWork, order: Order, markets: MarketView, now: datetime, *, reconciled: bool
) -> RiskContext:
    """Return the risk context of an order whose row is locked.

    Halts are read in the transaction that decides, so that one committed before the order is sent is obeyed.
    """
    snapshot = await transaction.orders.risk_snapshot(order, recent_since(now))
    return await _load_context(transaction, order, snapshot, markets, now, reconciled=reconciled)


async def remembered_risk_context(
    database: Database,
    book: AccountBook,
    order: Order,
    markets: MarketView,
    now: datetime,
    *,
    reconciled: bool,
    has_age: bool,
    clock: Clock,
) -> RiskContext:
    """Return the risk context of an order by what is known of its account, which is read if it isn't.

    Its age is read unless the caller `has_age`. The statement that commits the decision has to compare the halts and
    the limits.
    """
    snapshot = book.snapshot(order, recent_since(now))
    if snapshot is not None and has_age and not _depends_on_losses(order, snapshot):
        return _context(order, book.with_expected(snapshot), _NO_LOSSES, markets, now, reconciled=reconciled)
    version, began = book.version, clock.monotonic()
    async with database.read_only() as reading:
        if snapshot is None:
            snapshot = await reading.orders.risk_snapshot(order, recent_since(now))
            book.learn(snapshot, recent_since(now), version, began)
        elif not has_age:
            ages = await reading.orders.ages([order.id])
            snapshot = replace(snapshot, age_seconds=ages.get(order.id, 0.0))
        expected = book.with_expected(snapshot)
        return await _load_context(reading, order, expected, markets, now, reconciled=reconciled)


def recent_since(now: datetime) -> datetime:
    """Return since when orders were submitted that limits on their number count."""
    return now - _RATE_WINDOW


def _depends_on_losses(order: Order, snapshot: RiskSnapshot) -> bool:
    """Return whether any limit of the order depends on losses; none holds back an order that reduces."""
    limits = [snapshot.account.risk, *([snapshot.session.risk] if snapshot.session and snapshot.session.risk else [])]
    return not order.reduce_only and any(needs_equity(each) or needs_streak(each) for each in limits)


async def _load_context(
    transaction: UnitOfWork,
    order: Order,
    snapshot: RiskSnapshot,
    markets: MarketView,
    now: datetime,
    *,
    reconciled: bool,
) -> RiskContext:
    losses = _NO_LOSSES
    if _depends_on_losses(order, snapshot):
        losses = await _load_losses(transaction, snapshot, markets, now)
    return _context(order, snapshot, losses, markets, now, reconciled=reconciled)


def _context(
    order: Order, snapshot: RiskSnapshot, losses: _Losses, markets: MarketView, now: datetime, *, reconciled: bool
) -> RiskContext:
    base, _, quote = order.market.symbol.partition("/")
    balances = {balance.currency: balance for balance in snapshot.balances}
    return RiskContext(
        now=now,
        state=TradingState.strictest(TradingState.ACTIVE, *snapshot.halts),
        reconciled=reconciled,
        market=markets.catalogue.get(order.market),
        depth=markets.latest_depth(order.market),
        feed=_feed_state(markets, order.market),
        base=base,
        quote=quote,
        balances=balances,
        position=_matching_position(order, snapshot.positions),
        active=without_rivals(snapshot.active),
        settling=tuple(sent for sent in snapshot.recent if is_settling(sent, balances.get(spent_currency(order)))),
        quote_rate=markets.convert(order.market.venue, Decimal(1), quote, snapshot.account.currency),
        currency=snapshot.account.currency,
        scopes=_scopes(order, snapshot, losses),
        held=held_by_sessions(snapshot.positions, snapshot.active),
        age_seconds=snapshot.age_seconds,
    )


async def _load_losses(transaction: UnitOfWork, snapshot: RiskSnapshot, markets: MarketView, now: datetime) -> _Losses:
    account, session = snapshot.account, snapshot.session
    limits = session.risk if session is not None else None
    own = LossRecord()
    if session is not None and limits is not None:
        own = await _session_losses(transaction, account, session, limits, markets, now)
    return _Losses(await _account_losses(transaction, account, markets, now), own)


async def _account_losses(transaction: UnitOfWork, account: Account, markets: MarketView, now: datetime) -> LossRecord:
    results = await _recent_results(transaction, account, None, account.risk)
    if not needs_equity(account.risk):
        return measure_streak(results)
    start = day_start(now, account.risk.daily_reset_hour)
    ledger = await transaction.equity.account_ledger(account.id, start)
    assert ledger is not None  # the order's row refers to it
    connects = markets.graph(account.venue).connects
    standing = account_standing(ledger, partial(markets.convert, account.venue), connects)
    began_today = account.created_at >= start
    return measure_losses(standing, ledger.baseline, ledger.last, began_today=began_today, results=results)


async def _session_losses(
    transaction: UnitOfWork,
    account: Account,
    session: TradingSession,
    limits: RiskLimits,
    markets: MarketView,
    now: datetime,
) -> LossRecord:
    results = await _recent_results(transaction, account, session, limits)
    if not needs_equity(limits):
        return measure_streak(results)
    start = day_start(now, limits.daily_reset_hour)
    ledger = await transaction.equity.session_ledger(session, start)
    standing = session_standing(ledger, account.currency, partial(markets.convert, account.venue), markets.price_of)
    began_today = session.started_at >= start
    return measure_losses(standing, ledger.baseline, ledger.last, began_today=began_today, results=results)


async def _recent_results(
    transaction: UnitOfWork, account: Account, session: TradingSession | None, limits: RiskLimits
) -> list[ClosedResult]:
    if not needs_streak(limits):
        return []
    assert limits.cool_down_losses is not None
    session_id = session.id if session is not None else None
    return await transaction.equity.closed_results(account.id, session_id, limits.cool_down_losses)


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


def _scopes(order: Order, snapshot: RiskSnapshot, losses: _Losses) -> tuple[LimitScope, ...]:
    here = tuple(position for position in snapshot.positions if position.market == order.market)
    account = snapshot.account.risk
    others = without_rivals(snapshot.active)
    account_scope = LimitScope("the account", account, here, others, len(snapshot.recent), losses.account)
    session = snapshot.session
    if session is None or session.risk is None:
        return (account_scope,)
    own = tuple(position for position in here if position.trading_session_id == session.id)
    active = tuple(other for other in others if other.trading_session_id == session.id)
    return (
        account_scope,
        LimitScope(
            "the trading session",
            session.risk,
            own,
            active,
            sum(sent.trading_session_id == session.id for sent in snapshot.recent),
            losses.session,
        ),
    )
