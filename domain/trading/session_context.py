"""A trading session's desk: what everything that works for the session shares, and its way to the database."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.execution.log_events import order_events
from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import Order, OrderRole
from domain.model.trading import Position, TradingSession, TradingSessionStatus, TradingSessionStatusCode
from domain.portfolio.equity import Equity, equity
from domain.ports.bus import MessageBus
from domain.ports.leases import Lease
from domain.ports.market_data import MarketFeed
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.rules.order_lifecycle import pending
from domain.rules.session_plan import SessionPlan

EXIT_ROLES = frozenset(OrderRole) - {OrderRole.ENTRY, OrderRole.MANUAL, OrderRole.FOREIGN}


class SessionEnded(Exception):
    """The session has ended, by whoever's hand."""


@dataclass(frozen=True, slots=True)
class RunnerDependencies:
    """What the runners of all sessions share."""

    database: Database
    feed: MarketFeed
    bus: MessageBus
    clock: Clock
    ids: IdGenerator


@dataclass(frozen=True, slots=True)
class SessionHolding:
    """What a session has now: its row, its open position, its orders that are still alive."""

    session: TradingSession
    position: Position | None
    orders: tuple[Order, ...]

    @property
    def is_exiting(self) -> bool:
        """Whether an order that closes the position is under way."""
        return any(order.role in EXIT_ROLES for order in self.orders)

    @property
    def entries(self) -> tuple[Order, ...]:
        """The orders that may still open a position, or make it larger."""
        return tuple(order for order in self.orders if order.role is OrderRole.ENTRY)


@dataclass(frozen=True, slots=True)
class SessionTransaction:
    """A transaction under the account's lease, in which the session's row is held."""

    transaction: UnitOfWork
    holding: SessionHolding
    now: datetime

    async def save(self, session: TradingSession, *, told: bool = True) -> None:
        """Store the changed session; the user is told, but of what only the engine looks at."""
        await self.transaction.trading_sessions.save(session)
        if told:
            event = NewEvent(session.user_id, self.now, UserEventKind.TRADING_SESSION, session, session.status.value)
            self.transaction.events.append([event])

    async def add_order(self, order: Order) -> None:
        """Commit to an order: the account's executor sends it."""
        step = pending(order)
        await self.transaction.orders.add(step.order)
        self.transaction.events.append(order_events(step.events))

    async def save_position(self, position: Position, message: str) -> None:
        """Store a changed position, whose row is held, and tell of it."""
        await self.transaction.positions.save(position)
        event = NewEvent(position.user_id, self.now, UserEventKind.POSITION, position, message)
        self.transaction.events.append([event])


_AT_WORK = frozenset({TradingSessionStatus.STARTING, TradingSessionStatus.RUNNING})


class SessionContext:
    """The session's plan, its ports, and its transactions."""

    def __init__(
        self,
        plan: SessionPlan,
        ports: RunnerDependencies,
        lease: Callable[[], Lease],
        wake_executor: Callable[[UUID | None], None],
    ) -> None:
        self.plan = plan
        self.ports = ports
        self.wake_executor = wake_executor
        self._lease = lease

    def __repr__(self) -> str:
        return f"SessionContext({self.plan.session.id}, {self.plan.session.market})"

    async def look(self) -> SessionHolding:
        """Return what the session has; raises `SessionEnded`."""
        async with self.ports.database.read_only() as reading:
            session = await reading.trading_sessions.get(self.plan.session.user_id, self.plan.session.id)
            return await _holding(reading, session)

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[SessionTransaction]:
        """A transaction that may act for the session; raises `StaleLease` if another node may, and `SessionEnded`."""
        async with self.ports.database.transaction() as transaction:
            await transaction.leases.check(self._lease())
            session = await transaction.trading_sessions.get_for_update(self.plan.session.id)
            yield SessionTransaction(transaction, await _holding(transaction, session), self.ports.clock.now())

    async def equity(self, reading: UnitOfWork) -> Equity:
        """Return what the account is worth in its currency, and what of it can't be priced now."""
        session = self.plan.session
        balances = (await reading.accounts.balances([session.account_id])).get(session.account_id, [])
        return equity(self.plan.currency, balances, self.convert)

    def convert(self, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices of the session's venue."""
        return self.ports.feed.convert(self.plan.session.market.venue, amount, currency, into)

    def waits_for_prices(self, worth: Equity) -> bool:
        """Tell whether the equity lacks the price of something that markets which are traded do price."""
        graph = self.ports.feed.graph(self.plan.session.market.venue)
        return any(graph.connects(currency, self.plan.currency) for currency in worth.unpriced)

    async def explain(self, reason: str | None) -> None:
        """Show in the session's row which candles it waits for; None where it waits for none any more."""
        async with self.acting() as acting:
            session = acting.holding.session
            explained = replace(session, status_reason=reason)
            if session.status in _AT_WORK:
                code = None if reason is None else TradingSessionStatusCode.WAITING_FOR_CANDLES
                explained = replace(explained, status_code=code)
            if explained != session:
                await acting.save(explained)


async def cancel(transaction: UnitOfWork, orders: Iterable[Order], now: datetime) -> None:
    """Ask for the cancel of orders that are still alive."""
    for order in orders:
        locked = await transaction.orders.locked(order.id)
        if locked is not None and not locked.status.is_final and locked.cancel_requested_at is None:
            await transaction.orders.save(locked.changed(now, cancel_requested_at=now))


async def live_orders(reading: UnitOfWork, session: TradingSession) -> tuple[Order, ...]:
    """Return the session's orders that are not final, oldest first."""
    active = await reading.orders.active(session.account_id)
    return tuple(order for order in active if order.trading_session_id == session.id)


async def _holding(reading: UnitOfWork, session: TradingSession | None) -> SessionHolding:
    if session is None or session.status.is_final:
        raise SessionEnded
    positions = await reading.positions.list_open(session.account_id)
    own = next((position for position in positions if position.trading_session_id == session.id), None)
    return SessionHolding(session, own, await live_orders(reading, session))
