"""Commits what an account's trading sessions do, that of many in one transaction (a group commit).

However many trading sessions act on the same candle, the lease is checked, rows are read and events are appended once
for all of them. One that fails, or whose row is locked, is left to a transaction of its own and holds up no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from domain.core.background import BackgroundTasks
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.execution.commands import cancel_orders, place_orders
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import MarketSymbol
from domain.model.orders import CancelCode, Order, OrderRole
from domain.model.protection import PositionProtection
from domain.model.trading import Balance, Signal, TradingSession
from domain.ports.leases import Lease, StaleLease
from domain.ports.orders import OrderFilter
from domain.ports.trading_sessions import SeenCandle
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.trading.session_state import TradingSessionEnded, TradingSessionState, load_session_rows

MOST_TOGETHER = 100
"""How many trading sessions share a transaction at most, so that none of their rows is locked for long."""

T = TypeVar("T")


class TradingSessionBatch:
    """What the trading sessions of one transaction share: rows that are read once, and writes of one statement."""

    def __init__(self, unit_of_work: UnitOfWork, account_id: UUID, session_ids: Sequence[UUID]) -> None:
        self._unit_of_work = unit_of_work
        self._account_id = account_id
        self._session_ids = session_ids
        self._balances: Sequence[Balance] | None = None
        self._protections: Sequence[PositionProtection] | None = None
        self._last_candles: Mapping[tuple[UUID, MarketSymbol], datetime] | None = None
        self._seen: list[SeenCandle] = []
        self._entries: list[tuple[Order, PositionProtection]] = []
        self._signals: list[Signal] = []
        self._saved: dict[UUID, TradingSession] = {}

    async def balances(self) -> Sequence[Balance]:
        """Return the account's balances."""
        if self._balances is None:
            self._balances = (await self._unit_of_work.accounts.balances([self._account_id])).get(self._account_id, [])
        return self._balances

    async def protections(self) -> Sequence[PositionProtection]:
        """Return the account's protections that have not ended, as they were when the first asked for them."""
        if self._protections is None:
            self._protections = await self._unit_of_work.protection.list_open(self._account_id)
        return self._protections

    async def last_candle_at(self, session_id: UUID, market: MarketSymbol) -> datetime | None:
        """Return the open time of the newest candle that a trading session has acted on before."""
        if self._last_candles is None:
            self._last_candles = await self._unit_of_work.trading_sessions.last_candles(self._session_ids)
        return self._last_candles.get((session_id, market))

    def see(self, seen: SeenCandle) -> None:
        """Have it stored that a trading session has acted on a candle."""
        self._seen.append(seen)

    def save(self, session: TradingSession) -> None:
        """Have a changed trading session stored."""
        self._saved[session.id] = session

    def enter(self, order: Order, protection: PositionProtection) -> None:
        """Have an entry order placed, with the protection of what it brings."""
        self._entries.append((order, protection))

    def signal(self, signal: Signal) -> None:
        """Have it stored what became of a signal: a candle's is new, a submitted one has waited."""
        self._signals.append(signal)

    async def write(self, now: datetime) -> None:
        """Store what is left to be stored at the end."""
        if self._entries:
            await place_orders(self._unit_of_work, [order for order, _ in self._entries])
            await self._unit_of_work.protection.add_many([protection for _, protection in self._entries])
        if self._signals:
            await record_signals(self._unit_of_work, self._signals, now)
        if self._seen:
            await self._unit_of_work.trading_sessions.save_last_candles(self._seen)
        if self._saved:
            await self._unit_of_work.trading_sessions.save_many(list(self._saved.values()))


@dataclass(frozen=True, slots=True)
class TradingSessionTransaction:
    """A transaction under the account's lease that locked the trading session's row; `state` is what it then read.

    Other trading sessions of the account may share the transaction, which commits once all have done their work.
    """

    unit_of_work: UnitOfWork
    state: TradingSessionState
    now: datetime
    batch: TradingSessionBatch

    def save_session(self, session: TradingSession, *, publish: bool = True) -> None:
        """Have the changed trading session stored, with an event for its user unless only the engine needs it."""
        self.batch.save(session)
        if publish:
            event = NewEvent(session.user_id, self.now, UserEventKind.TRADING_SESSION, session, session.status.value)
            self.unit_of_work.events.append([event])

    async def cancel_entries(self) -> None:
        """Request the cancel of the orders that may still open or enlarge the market's position."""
        if self.state.entries:
            session, market = self.state.session, self.state.symbol
            await cancel_session_orders(self.unit_of_work, session, self.now, OrderRole.ENTRY, market)


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


async def record_signals(unit_of_work: UnitOfWork, signals: Sequence[Signal], at: datetime) -> None:
    """Store what became of signals, with an event of each: a candle's is new, a submitted one has waited."""
    new = [signal for signal in signals if not signal.waiting]
    if new:
        await unit_of_work.trading_sessions.add_signals(new)
    for signal in signals:
        settled = replace(signal, waiting=False)
        if signal.waiting:
            await unit_of_work.trading_sessions.save_signal(settled)
        message = f"{signal.action.value} missed" if signal.missed else signal.action.value
        unit_of_work.events.append([NewEvent(signal.user_id, at, UserEventKind.SIGNAL, settled, message)])


Work: TypeAlias = Callable[[TradingSessionTransaction], Awaitable[T]]
"""What a trading session does in a transaction. It may be called again, after one that was rolled back."""


@dataclass(eq=False, slots=True)
class _Request:
    session_id: UUID
    symbol: MarketSymbol
    work: Work[Any]
    outcome: "asyncio.Future[Any]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def succeed(self, result: object) -> None:
        if not self.outcome.done():
            self.outcome.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


class GroupCommit:
    """The transactions of an account's trading sessions. `lease` returns the account's lease or raises `StaleLease`."""

    def __init__(self, account_id: UUID, database: Database, clock: Clock, lease: Callable[[], Lease]) -> None:
        self._account_id = account_id
        self._database = database
        self._clock = clock
        self._lease = lease
        self._waiting: list[_Request] = []
        self._committing: asyncio.Task[None] | None = None
        self._tasks = BackgroundTasks()

    def __repr__(self) -> str:
        return f"GroupCommit({self._account_id}, waiting={len(self._waiting)})"

    async def close(self) -> None:
        """Roll back what is under way, and fail what waits, as cancelled."""
        await self._tasks.close()
        for request in self._waiting:
            request.outcome.cancel()

    async def run(self, session_id: UUID, symbol: MarketSymbol, work: Work[T]) -> T:
        """Return what `work` returns, once that is committed.

        Raises `StaleLease` if the account's lease is lost, `TradingSessionEnded`, and `Unavailable`. If the caller is
        cancelled meanwhile, the work may be committed or not.
        """
        request = _Request(session_id, symbol, work)
        self._waiting.append(request)
        if self._committing is None or self._committing.done():
            self._committing = self._tasks.start(self._commit_waiting(), name=f"sessions:{self._account_id}")
        result: T = await request.outcome
        return result

    async def _commit_waiting(self) -> None:
        while batch := self._take():
            await self._commit(batch)

    def _take(self) -> list[_Request]:
        """Return those that have waited longest, one of each trading session: the next one must see what it wrote."""
        batch: dict[UUID, _Request] = {}
        later = []
        for request in self._waiting:
            if request.outcome.done():
                continue
            if request.session_id in batch or len(batch) == MOST_TOGETHER:
                later.append(request)
            else:
                batch[request.session_id] = request
        self._waiting = later
        return list(batch.values())

    async def _commit(self, batch: Sequence[_Request]) -> None:
        try:
            await self._commit_together(batch)
        except (StaleLease, Unavailable) as error:
            for request in batch:
                request.fail(error)
        except Exception as error:  # noqa: BLE001  # of one of them, which must harm no other
            if len(batch) == 1:
                batch[0].fail(error)
            for request in batch if len(batch) > 1 else ():
                await self._commit([request])
        except BaseException:
            for request in batch:
                request.outcome.cancel()
            raise

    async def _commit_together(self, batch: Sequence[_Request]) -> None:
        """Do the work of all in one transaction; those whose row somebody else has locked wait for it alone."""
        left: list[_Request] = []
        done: list[tuple[_Request, object]] = []
        async with self._database.transaction() as unit_of_work:
            await unit_of_work.leases.check(self._lease())
            sessions = await self._lock(unit_of_work, [request.session_id for request in batch])
            rows, now = await load_session_rows(unit_of_work, self._account_id), self._clock.now()
            shared = TradingSessionBatch(unit_of_work, self._account_id, list(sessions))
            for request in batch:
                session = sessions.get(request.session_id)
                if session is None and len(batch) > 1:
                    left.append(request)
                    continue
                try:
                    state = rows.state(session, request.symbol)
                except TradingSessionEnded as ended:
                    request.fail(ended)
                    continue
                done.append((request, await request.work(TradingSessionTransaction(unit_of_work, state, now, shared))))
            await shared.write(now)
        for request, result in done:
            request.succeed(result)
        for request in left:
            self._tasks.start(self._commit([request]), name=f"session:{request.session_id}")

    async def _lock(self, unit_of_work: UnitOfWork, session_ids: Sequence[UUID]) -> dict[UUID, TradingSession]:
        if len(session_ids) == 1:
            session = await unit_of_work.trading_sessions.get_for_update(session_ids[0])
            return {} if session is None else {session.id: session}
        sessions = await unit_of_work.trading_sessions.get_unlocked_for_update(session_ids)
        return {session.id: session for session in sessions}
