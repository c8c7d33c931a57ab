"""Runs one trading session: from closed candles to signals, from signals to orders, from prices to exits.

All that must survive is in the database: the signal, the order that it causes and the candle that was acted on are
committed together, under the account's lease. The runner itself can be thrown away at any moment and built anew.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from domain.analytics.candles import candle_arrays
from domain.clock import Clock, Ids
from domain.errors import Unavailable
from domain.events import NewEvent, UserEventKind
from domain.keyset import TimeWindow, Window
from domain.markets.types import Candle, Trade
from domain.orders.events import order_events
from domain.orders.lifecycle import pending
from domain.orders.ports import OrderFilter
from domain.orders.types import Order, OrderRole
from domain.storage import Storage, Transaction
from domain.strategies.compiled import average_true_range
from domain.trading.equity import equity
from domain.trading.history import CandleHistory
from domain.trading.market_feed import MarketFeed
from domain.trading.money_manager import CannotSize, SizingContext, distance, quantity
from domain.trading.ports import Lease, StaleLease
from domain.trading.session_plan import (
    SessionPlan,
    entry_order,
    entry_price,
    exit_order,
    protection,
    triggered,
)
from domain.trading.types import (
    Position,
    Signal,
    SignalAction,
    TradingSession,
    TradingSessionStatus,
)

LATE_AFTER = timedelta(seconds=10)
CLOSING_TIME = timedelta(seconds=3)
TICK_SECONDS = 1.0
RETRY_SECONDS = 1.0
MAXIMUM_MISSED = 100
EXIT_ROLES = frozenset(OrderRole) - {OrderRole.ENTRY, OrderRole.MANUAL, OrderRole.FOREIGN}


@dataclass(frozen=True, slots=True)
class RunnerPorts:
    """What every runner of a node shares."""

    storage: Storage
    feed: MarketFeed
    clock: Clock
    ids: Ids


@dataclass(frozen=True, slots=True)
class _Holding:
    """What a session has now: its row, its open position, its orders that are still alive."""

    session: TradingSession
    position: Position | None
    orders: tuple[Order, ...]

    @property
    def is_exiting(self) -> bool:
        return any(order.role in EXIT_ROLES for order in self.orders)


class SessionRunner:
    """Owns one session while this node holds the lease of its account."""

    def __init__(
        self,
        plan: SessionPlan,
        ports: RunnerPorts,
        lease: Callable[[], Lease],
        wake_executor: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._ports = ports
        self._lease = lease
        self._wake_executor = wake_executor
        self._history = CandleHistory(max(plan.candles_needed, 2))
        self._candles: asyncio.Queue[Candle] = asyncio.Queue()
        self._woken = asyncio.Event()
        self._exit: tuple[OrderRole, UUID | None] | None = None
        self._last_exit_try = float("-inf")
        self._position: Position | None = None
        self._last_seen = plan.session.last_candle_at

    @property
    def session_id(self) -> UUID:
        """The session that this runs."""
        return self._plan.session.id

    def wake(self) -> None:
        """Look at the session's row, orders and position soon."""
        self._woken.set()

    async def run(self) -> None:
        """Run until the session is over; cancel to let go of it earlier. Raises `StaleLease` and `Unavailable`."""
        feed, session = self._ports.feed, self._plan.session
        subscription = await feed.closed_candles(session.market, session.timeframe, self._candles.put_nowait)
        try:
            await self._work()
        except BaseExceptionGroup as group:
            raise first_cause(group) from None
        finally:
            await subscription.close()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._watch_prices()), group.create_task(self._follow_candles())]
            await self._tick_until_over()
            for worker in workers:
                worker.cancel()

    # -- the session's row -------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        async with self._ports.storage.transaction() as transaction:
            await transaction.leases.check(self._lease())
            session = await transaction.trading_sessions.locked(self.session_id)
            if session is None or session.status is not TradingSessionStatus.STARTING:
                return
            start_equity = await self._equity(transaction)
            running = replace(session, status=TradingSessionStatus.RUNNING, start_equity=start_equity)
            await self._store(transaction, running)

    async def _tick_until_over(self) -> None:
        while await self._tick():
            self._woken.clear()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _tick(self) -> bool:
        """Do what the session's row, position and orders ask for; return whether the session goes on."""
        holding = await self._holding()
        if holding is None or holding.session.status.is_final:
            return False
        self._position = holding.position
        if holding.position is not None:
            await self._protect(holding.position)
        if holding.session.status is TradingSessionStatus.STOPPING:
            return await self._wind_down(holding)
        if holding.position is None:
            self._exit = None
        elif self._exit is not None:
            await self._close(holding, *self._exit)
        return True

    async def _wind_down(self, holding: _Holding) -> bool:
        if holding.orders and not holding.is_exiting:
            return True
        if holding.position is not None and holding.session.close_on_stop:
            await self._close(holding, OrderRole.CLOSE, None)
            return True
        if holding.orders:
            return True
        async with self._ports.storage.transaction() as transaction:
            await transaction.leases.check(self._lease())
            session = await transaction.trading_sessions.locked(self.session_id)
            if session is not None and session.status is TradingSessionStatus.STOPPING:
                now = self._ports.clock.now()
                await self._store(transaction, replace(session, status=TradingSessionStatus.STOPPED, stopped_at=now))
        return False

    async def _holding(self) -> _Holding | None:
        async with self._ports.storage.reading() as reading:
            session = await reading.trading_sessions.get(self._plan.session.user_id, self.session_id)
            if session is None:
                return None
            position = await _open_position(reading, session)
            orders = await _live_orders(reading, session)
        return _Holding(session, position, orders)

    async def _store(self, transaction: Transaction, session: TradingSession) -> None:
        await transaction.trading_sessions.save(session)
        now = self._ports.clock.now()
        event = NewEvent(session.user_id, now, UserEventKind.TRADING_SESSION, session, session.status.value)
        transaction.events.append([event])

    # -- candles -----------------------------------------------------------------------------------------------------

    async def _load_history(self) -> None:
        session = self._plan.session
        needed = self._plan.candles_needed + MAXIMUM_MISSED
        while True:
            async with self._ports.storage.reading() as reading:
                window = TimeWindow(limit=needed, backwards=True)
                candles = await reading.market_data.candles(session.market, session.timeframe, window)
            self._history = CandleHistory(max(needed, 2))
            self._history.load(candles)
            if self._is_warm() and self._is_current():
                break
            await asyncio.sleep(RETRY_SECONDS)

    def _is_warm(self) -> bool:
        return len(self._history) >= self._plan.candles_needed

    def _is_current(self) -> bool:
        """Whether no candle is missing but one that is closing right now."""
        newest = self._history.newest
        if newest is None:
            return False
        now = self._ports.feed.venue_now(self._plan.session.market.venue)
        return now - newest.close_time < self._plan.session.timeframe.duration + CLOSING_TIME

    async def _follow_candles(self) -> None:
        await self._load_history()
        await self._begin()
        if self._last_seen is None and self._history.newest is not None:
            self._last_seen = self._history.newest.open_time
        await self._catch_up()
        while True:
            candle = await self._candles.get()
            if self._last_seen is not None and candle.open_time <= self._last_seen:
                continue
            if self._history.append(candle):
                await self._judge(candle, is_newest=self._candles.empty())
            else:
                await self._load_history()
                await self._catch_up()

    async def _catch_up(self) -> None:
        """Judge the candles that closed while nobody ran the session: an exit that is still true is acted on."""
        last = self._last_seen
        unseen = [candle for candle in self._history.candles if last is None or candle.open_time > last]
        for candle in unseen[-MAXIMUM_MISSED:]:
            await self._judge(candle, is_newest=candle is unseen[-1])

    async def _judge(self, candle: Candle, *, is_newest: bool) -> None:
        """Say what the strategy says on a closed candle, and act on it."""
        self._last_seen = candle.open_time
        arrays = candle_arrays(self._history.upto(candle.open_time))
        latest = self._plan.compiled.latest(arrays)
        holding = await self._holding()
        if holding is None or holding.session.status.is_final:
            return
        is_late = not is_newest or self._age(candle) > LATE_AFTER
        if holding.position is not None and (latest.exit_long or self._is_held_too_long(holding.position, candle)):
            rule = "exit_long" if latest.exit_long else None
            reason = self._plan.compiled.explain(arrays, rule) if rule else "maxHoldingBars is reached"
            await self._signal_exit(holding, candle, reason, missed=not is_newest)
        elif holding.position is None and latest.enter_long and not holding.orders:
            missed = is_late or holding.session.status is not TradingSessionStatus.RUNNING
            if holding.session.status is TradingSessionStatus.RUNNING or is_late:
                await self._signal_entry(candle, self._plan.compiled.explain(arrays, "enter_long"), missed=missed)
        else:
            await self._seen(candle)

    def _age(self, candle: Candle) -> timedelta:
        return self._ports.feed.venue_now(candle.market.venue) - candle.close_time

    def _is_held_too_long(self, position: Position, candle: Candle) -> bool:
        most = self._plan.definition.max_holding_bars
        if most is None:
            return False
        held = candle.close_time - candle.timeframe.open_time(position.opened_at)
        return held >= (most + 1) * candle.timeframe.duration

    async def _seen(self, candle: Candle) -> None:
        async with self._ports.storage.transaction() as transaction:
            await self._mark_seen(transaction, candle)

    async def _mark_seen(self, transaction: Transaction, candle: Candle) -> TradingSession | None:
        session = await transaction.trading_sessions.locked(self.session_id)
        if session is not None:
            session = replace(session, last_candle_at=candle.open_time)
            await transaction.trading_sessions.save(session)
        return session

    # -- signals and orders ------------------------------------------------------------------------------------------

    async def _signal_entry(self, candle: Candle, reason: str, *, missed: bool) -> None:
        signal = self._signal(candle, SignalAction.ENTER_LONG, reason, missed=missed)
        async with self._ports.storage.transaction() as transaction:
            await transaction.leases.check(self._lease())
            session = await self._mark_seen(transaction, candle)
            if not missed and (session is None or session.status is not TradingSessionStatus.RUNNING):
                return
            order = None if missed else await self._entry(transaction, signal)
            if isinstance(order, CannotSize):
                signal, order = replace(signal, reason=f"{reason} — no order: {order}"), None
            await self._record(transaction, signal, order)
        if order is not None:
            self._wake_executor()

    async def _entry(self, transaction: Transaction, signal: Signal) -> Order | CannotSize:
        plan, market = self._plan, self._plan.market
        depth = self._ports.feed.latest_depth(market.symbol)
        price = entry_price(plan.definition.order, depth, signal.price, market)
        balances = (await transaction.accounts.balances([plan.session.account_id]))[plan.session.account_id]
        free = next((balance.free for balance in balances if balance.currency == market.quote), Decimal(0))
        atr = self._atr(signal)
        stop = plan.definition.stop_loss
        context = SizingContext(
            market=market,
            price=price,
            free_quote=free,
            equity=await self._equity(transaction),
            atr=atr,
            stop_distance=distance(stop, price, atr) if stop else None,
        )
        try:
            size = quantity(plan.sizing, context)
        except CannotSize as refusal:
            return refusal
        return entry_order(plan, self._ports.ids.new(), signal, size, price, self._ports.clock.now())

    async def _signal_exit(self, holding: _Holding, candle: Candle, reason: str, *, missed: bool) -> None:
        signal = self._signal(candle, SignalAction.EXIT_LONG, reason, missed=missed)
        async with self._ports.storage.transaction() as transaction:
            await transaction.leases.check(self._lease())
            await self._mark_seen(transaction, candle)
            await self._record(transaction, signal, None)
        if not missed:
            self._exit = (OrderRole.EXIT, signal.id)
            await self._close(holding, OrderRole.EXIT, signal.id)

    async def _close(self, holding: _Holding, role: OrderRole, signal_id: UUID | None) -> None:
        """Place the order that closes the position, at most one at a time and one a second."""
        now = self._ports.clock.monotonic()
        if holding.is_exiting or now - self._last_exit_try < RETRY_SECONDS:
            return
        self._last_exit_try = now
        session = holding.session
        async with self._ports.storage.transaction() as transaction:
            await transaction.leases.check(self._lease())
            position = await transaction.positions.locked_open(session.account_id, session.market, session.id)
            live = await _live_orders(transaction, session)
            if position is None or any(order.role in EXIT_ROLES for order in live):
                return
            order = await self._exit_order(transaction, position, role, signal_id)
            if order is not None:
                await self._add_order(transaction, order)
                if signal_id is not None:
                    await transaction.trading_sessions.set_signal_order(signal_id, order.id)
        self._wake_executor()

    async def _exit_order(
        self, transaction: Transaction, position: Position, role: OrderRole, signal_id: UUID | None
    ) -> Order | None:
        wanted = OrderFilter(trading_session_id=self.session_id, start=position.opened_at)
        tried = await transaction.orders.page(position.user_id, Window(limit=1_000), wanted)
        ordinal = sum(order.role is role for order in tried)
        now, order_id = self._ports.clock.now(), self._ports.ids.new()
        return exit_order(self._plan, order_id, position, role, ordinal, now, signal_id)

    def _signal(self, candle: Candle, action: SignalAction, reason: str, *, missed: bool) -> Signal:
        return Signal(
            id=self._ports.ids.new(),
            user_id=self._plan.session.user_id,
            trading_session_id=self.session_id,
            at=self._ports.clock.now(),
            action=action,
            price=candle.close,
            reason=reason,
            candle_at=candle.open_time,
            missed=missed,
        )

    async def _record(self, transaction: Transaction, signal: Signal, order: Order | None) -> None:
        if not await transaction.trading_sessions.add_signal(signal):
            return
        if order is not None:
            await self._add_order(transaction, order)
            await transaction.trading_sessions.set_signal_order(signal.id, order.id)
            signal = replace(signal, order_id=order.id)
        message = f"{signal.action.value} missed" if signal.missed else signal.action.value
        transaction.events.append([NewEvent(signal.user_id, signal.at, UserEventKind.SIGNAL, signal, message)])

    async def _add_order(self, transaction: Transaction, order: Order) -> None:
        step = pending(order)
        await transaction.orders.add(step.order)
        transaction.events.append(order_events(step.events))

    async def _equity(self, transaction: Transaction) -> Decimal | None:
        account = await transaction.accounts.by_id(self._plan.session.account_id)
        if account is None:
            return None
        balances = (await transaction.accounts.balances([account.id]))[account.id]
        return equity(account.venue, account.currency, balances, self._ports.feed.price_of)

    def _atr(self, signal: Signal) -> Decimal | None:
        if signal.candle_at is None or not self._plan.definition.needs_atr:
            return None
        return average_true_range(candle_arrays(self._history.upto(signal.candle_at)))

    # -- protection --------------------------------------------------------------------------------------------------

    async def _protect(self, position: Position) -> None:
        """Give a new position its stop-loss and take-profit, from its entry price and the candle before it."""
        definition = self._plan.definition
        is_protected = position.stop_loss_price is not None or position.take_profit_price is not None
        if is_protected or position.average_price is None or not (definition.stop_loss or definition.take_profit):
            return
        before = self._history.upto(position.opened_at - self._plan.session.timeframe.duration)
        atr = average_true_range(candle_arrays(before)) if definition.needs_atr else None
        stop, profit = protection(self._plan, position.average_price, atr)
        async with self._ports.storage.transaction() as transaction:
            session = self._plan.session
            locked = await transaction.positions.locked_open(session.account_id, session.market, session.id)
            if locked is None:
                return
            self._position = locked.changed(stop_loss_price=stop, take_profit_price=profit)
            await transaction.positions.save(self._position)
            now = self._ports.clock.now()
            event = NewEvent(locked.user_id, now, UserEventKind.POSITION, self._position, "protected")
            transaction.events.append([event])

    async def _watch_prices(self) -> None:
        """Close the position as soon as a trade reaches its stop-loss or take-profit."""
        async for trades in self._ports.feed.trade_stream(self._plan.session.market):
            role = self._reached(trades)
            if role is None:
                continue
            holding = await self._holding()
            if holding is not None and holding.position is not None and not holding.session.status.is_final:
                self._exit = (role, None)
                await self._close(holding, role, None)

    def _reached(self, trades: tuple[Trade, ...]) -> OrderRole | None:
        position = self._position
        if position is None or self._exit is not None:
            return None
        reached = (triggered(position, trade.price) for trade in trades)
        return next((role for role in reached if role is not None), None)


async def _open_position(reading: Transaction, session: TradingSession) -> Position | None:
    positions = await reading.positions.open_of_account(session.account_id)
    return next((found for found in positions if found.trading_session_id == session.id), None)


async def _live_orders(reading: Transaction, session: TradingSession) -> tuple[Order, ...]:
    active = await reading.orders.active(session.account_id)
    return tuple(order for order in active if order.trading_session_id == session.id)


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception of a group that decides what follows: a lost lease, then a fault, then a database away."""
    causes = list(_leaves(group))
    stale = [cause for cause in causes if isinstance(cause, StaleLease)]
    faults = [cause for cause in causes if not isinstance(cause, Unavailable)]
    return (stale or faults or causes)[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
