"""What everything that works for one trading session shares: its plan, its dependencies and its transactions."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from domain.execution.commands import cancel_orders
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import CancelCode, Order, OrderRole
from domain.model.protection import PositionIntent
from domain.model.trading import Position, TradingSession, TradingSessionStatus, TradingSessionStatusCode
from domain.portfolio.valuation import Equity, compute_equity
from domain.ports.leases import Lease
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.session_plan import TradingSessionPlan
from domain.trading.dependencies import TradingDependencies
from domain.trading.executor_handle import ExecutorHandle

_STATUSES_OF_ACTIVE_RUNS = frozenset({TradingSessionStatus.STARTING, TradingSessionStatus.RUNNING})


class TradingSessionEnded(Exception):
    """The trading session is stopped or failed; its runner must end."""


@dataclass(frozen=True, slots=True)
class TradingSessionState:
    """A trading session's row, its open positions, its active orders and its intents to be flat, as stored.

    What isn't named after all of its markets is that of `symbol` alone.
    """

    session: TradingSession
    symbol: MarketSymbol
    all_positions: tuple[Position, ...]
    all_orders: tuple[Order, ...]
    all_intents: tuple[PositionIntent, ...]

    def of(self, symbol: MarketSymbol) -> "TradingSessionState":
        """Return the state of another of its markets."""
        return replace(self, symbol=symbol)

    @property
    def position(self) -> Position | None:
        """The open position."""
        return next((position for position in self.all_positions if position.market == self.symbol), None)

    @property
    def orders(self) -> tuple[Order, ...]:
        """The active orders, oldest first."""
        return tuple(order for order in self.all_orders if order.market == self.symbol)

    @property
    def intent(self) -> PositionIntent | None:
        """The intent to be flat."""
        return next((intent for intent in self.all_intents if intent.market == self.symbol), None)

    @property
    def has_place(self) -> bool:
        """Whether a position may be opened: fewer other markets than allowed have one, or an entry order."""
        most = self.session.max_open_positions
        entries = {order.market for order in self.all_orders if order.role is OrderRole.ENTRY}
        used = entries.union(position.market for position in self.all_positions) - {self.symbol}
        return most is None or len(used) < most

    @property
    def entries(self) -> tuple[Order, ...]:
        """The active orders that may still open or enlarge a position."""
        return tuple(order for order in self.orders if order.role is OrderRole.ENTRY)

    @property
    def is_flat(self) -> bool:
        """Whether nothing is open or under way."""
        return self.position is None and not self.orders


@dataclass(frozen=True, slots=True)
class TradingSessionTransaction:
    """A transaction under the account's lease that locked the trading session's row; `state` is what it then read."""

    unit_of_work: UnitOfWork
    state: TradingSessionState
    now: datetime

    async def save_session(self, session: TradingSession, *, publish: bool = True) -> None:
        """Store the changed trading session, with an event for its user unless only the engine needs the change."""
        await self.unit_of_work.trading_sessions.save(session)
        if publish:
            event = NewEvent(session.user_id, self.now, UserEventKind.TRADING_SESSION, session, session.status.value)
            self.unit_of_work.events.append([event])

    async def cancel_entries(self) -> None:
        """Request the cancel of the orders that may still open or enlarge the market's position."""
        if self.state.entries:
            session, market = self.state.session, self.state.symbol
            await cancel_session_orders(self.unit_of_work, session, self.now, OrderRole.ENTRY, market)


class TradingSessionContext:
    """The trading session's plan, one of its markets, what it trades with, and its transactions.

    `lease` returns the account's lease or raises `StaleLease`; `wake_keeper` has an intent carried out soon.
    """

    def __init__(
        self,
        plan: TradingSessionPlan,
        symbol: MarketSymbol,
        dependencies: TradingDependencies,
        lease: Callable[[], Lease],
        executor: ExecutorHandle,
        wake_keeper: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.session = plan.session
        self.symbol = symbol
        self.database = dependencies.database
        self.feed = dependencies.feed
        self.bus = dependencies.bus
        self.clock = dependencies.clock
        self.ids = dependencies.ids
        self.timings = dependencies.timings
        self.executor = executor
        self.wake_keeper = wake_keeper
        self._lease = lease

    def __repr__(self) -> str:
        return f"TradingSessionContext({self.session.id}, {self.symbol})"

    @property
    def market(self) -> Market | None:
        """The market as it is now; None if its venue doesn't list it any more."""
        return self.feed.catalogue.get(self.symbol)

    async def load_state(self) -> TradingSessionState:
        """Return the trading session's present state; raises `TradingSessionEnded`."""
        async with self.database.read_only() as reading:
            session = await reading.trading_sessions.get(self.session.user_id, self.session.id)
            return await _load_state(reading, session, self.symbol)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[TradingSessionTransaction]:
        """A transaction that may act for the trading session.

        Raises `StaleLease` if the account's lease is lost, and `TradingSessionEnded`.
        """
        async with self.database.transaction() as unit_of_work:
            await unit_of_work.leases.check(self._lease())
            session = await unit_of_work.trading_sessions.get_for_update(self.session.id)
            state = await _load_state(unit_of_work, session, self.symbol)
            yield TradingSessionTransaction(unit_of_work, state, self.clock.now())

    @property
    def lease(self) -> Lease:
        """The account's lease; raises `StaleLease` if it is lost."""
        return self._lease()

    async def equity(self, reading: UnitOfWork) -> Equity:
        """Return the account's equity in its currency, and the currencies that can't be priced now."""
        session = self.session
        balances = (await reading.accounts.balances([session.account_id])).get(session.account_id, [])
        return compute_equity(self.plan.currency, balances, self.convert)

    def convert(self, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices of the trading session's venue."""
        return self.feed.convert(self.symbol.venue, amount, currency, into)

    def is_missing_prices(self, worth: Equity) -> bool:
        """Return whether the equity leaves out a currency that markets of the venue connect with the account's."""
        graph = self.feed.graph(self.symbol.venue)
        return any(graph.connects(currency, self.plan.currency) for currency in worth.unpriced)

    async def set_status_reason(
        self, reason: str | None, code: TradingSessionStatusCode = TradingSessionStatusCode.WAITING_FOR_CANDLES
    ) -> None:
        """Store in the trading session's row what it waits for; None once that is there."""
        async with self.transaction() as transaction:
            session = transaction.state.session
            changed = replace(session, status_reason=reason)
            if session.status in _STATUSES_OF_ACTIVE_RUNS:
                changed = replace(changed, status_code=None if reason is None else code)
            if changed != session and session.status is not TradingSessionStatus.STOPPING:
                await transaction.save_session(changed)


async def cancel_session_orders(
    unit_of_work: UnitOfWork,
    session: TradingSession,
    at: datetime,
    role: OrderRole | None = None,
    market: MarketSymbol | None = None,
) -> None:
    """Request the cancel of the trading session's active orders, or of those with this role or on this market."""
    selected = OrderFilter(session.account_id, session.id, market, roles=None if role is None else (role,))
    await cancel_orders(unit_of_work, session.user_id, selected, CancelCode.TRADING_SESSION, at)


async def active_orders(unit_of_work: UnitOfWork, session: TradingSession) -> tuple[Order, ...]:
    """Return the trading session's orders that are not final, or whose trades are asked for, oldest first."""
    orders = await unit_of_work.orders.list_active(session.account_id)
    return tuple(order for order in orders if order.trading_session_id == session.id)


async def _load_state(
    unit_of_work: UnitOfWork, session: TradingSession | None, symbol: MarketSymbol
) -> TradingSessionState:
    if session is None or session.status.is_final:
        raise TradingSessionEnded
    positions = await unit_of_work.positions.list_open(session.account_id)
    intents = await unit_of_work.protection.list_open_intents(session.account_id)
    return TradingSessionState(
        session,
        symbol,
        tuple(position for position in positions if position.trading_session_id == session.id),
        await active_orders(unit_of_work, session),
        tuple(intent for intent in intents if intent.trading_session_id == session.id and intent.quantity is None),
    )
