"""Transactions on PostgreSQL: the repositories, all on one connection."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from functools import cached_property
from typing import Self

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.model.events import NewEvent
from domain.ports.bus import MessageBus
from domain.ports.orders import StaleOrder
from infra.postgres.connection import Connection
from infra.postgres.event_notifier import EventNotifier
from infra.postgres.pool import Pool
from infra.postgres.repositories.accounts import PostgresAccounts
from infra.postgres.repositories.event_log import APPEND, PostgresEventLog, event_columns
from infra.postgres.repositories.halts import PostgresHalts
from infra.postgres.repositories.idempotency import PostgresIdempotency
from infra.postgres.repositories.leases import PostgresLeases
from infra.postgres.repositories.list_tables import PostgresLists
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.postgres.repositories.market_history import PostgresMarketHistory
from infra.postgres.repositories.order_updates import STEP
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.prices import PostgresPrices
from infra.postgres.repositories.reports import PostgresReports
from infra.postgres.repositories.strategies import PostgresStrategies
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from infra.postgres.repositories.transfers import PostgresTransfers
from infra.postgres.repositories.users import PostgresUsers
from infra.postgres.rows.event_lines import log_events
from infra.postgres.transaction_connection import TransactionConnection, acquire, release

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresTransaction:
    """The repositories, made when first asked for; implements `domain.ports.unit_of_work.UnitOfWork`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @cached_property
    def users(self) -> PostgresUsers:
        """Users, login sessions, API keys, activity."""
        return PostgresUsers(self._connection)

    @cached_property
    def idempotency(self) -> PostgresIdempotency:
        """The table of keys that mutations were called with."""
        return PostgresIdempotency(self._connection)

    @cached_property
    def events(self) -> PostgresEventLog:
        """The users' event logs."""
        return PostgresEventLog(self._connection)

    @cached_property
    def accounts(self) -> PostgresAccounts:
        """Accounts, their sealed credentials and balances."""
        return PostgresAccounts(self._connection)

    @cached_property
    def transfers(self) -> PostgresTransfers:
        """The money that came into accounts and left them otherwise than by fills."""
        return PostgresTransfers(self._connection)

    @cached_property
    def strategies(self) -> PostgresStrategies:
        """Strategies and their versions."""
        return PostgresStrategies(self._connection)

    @cached_property
    def trading_sessions(self) -> PostgresTradingSessions:
        """Trading sessions and their signals."""
        return PostgresTradingSessions(self._connection)

    @cached_property
    def positions(self) -> PostgresPositions:
        """Positions, open and closed."""
        return PostgresPositions(self._connection)

    @cached_property
    def orders(self) -> PostgresOrders:
        """Orders and fills."""
        return PostgresOrders(self._connection)

    @cached_property
    def reports(self) -> PostgresReports:
        """Jobs and reports."""
        return PostgresReports(self._connection)

    @cached_property
    def market_data(self) -> PostgresMarketData:
        """Markets, candles, trades and depth snapshots."""
        return PostgresMarketData(self._connection)

    @cached_property
    def prices(self) -> PostgresPrices:
        """Prices of the past, out of stored candles."""
        return PostgresPrices(self._connection)

    @cached_property
    def market_history(self) -> PostgresMarketHistory:
        """Volume by price, and books of the past."""
        return PostgresMarketHistory(self._connection)

    @cached_property
    def halts(self) -> PostgresHalts:
        """The halts that hold."""
        return PostgresHalts(self._connection)

    @cached_property
    def lists(self) -> PostgresLists:
        """Everything that is listed a page at a time."""
        return PostgresLists(self._connection)

    @cached_property
    def leases(self) -> PostgresLeases:
        """Who owns what, until when."""
        return PostgresLeases(self._connection, self._clock)


class PostgresDatabase:
    """Transactions on the connections of a pool; implements `domain.ports.unit_of_work.Database`."""

    def __init__(self, pool: Pool, bus: MessageBus, clock: Clock, *, acquire_timeout_seconds: float = 5.0) -> None:
        self._pool = pool
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._clock = clock
        self._notifier = EventNotifier(bus)
        self._readings: asyncio.Semaphore | None = None

    def with_readings(self, most: int) -> Self:
        """Return the same database with at most so many readings at once, so that connections are left for others."""
        bounded = copy(self)
        bounded._readings = asyncio.Semaphore(most)  # noqa: SLF001  # its own
        return bounded

    async def close(self) -> None:
        """Return when all listeners were told of what was committed; the pool belongs to whoever made it."""
        await self._notifier.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Begin with the first statement; commit at the end of the block, roll back where it raises.

        Raises `Unavailable` where the database can't be reached. A commit that broke on the wire may have happened.
        """
        driver = await acquire(self._pool, self._acquire_timeout_seconds)
        connection = TransactionConnection(driver, self._pool, self._acquire_timeout_seconds)
        try:
            transaction = PostgresTransaction(connection, self._clock)
            yield transaction
            events = await _write_last(transaction, connection)
            await connection.commit()
        except BaseException:
            await connection.roll_back()
            raise
        finally:
            await connection.release()
        self._notifier.notify({event.user_id for event in events})
        log_events(events)

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[PostgresTransaction]:
        """A connection for reads alone: each statement sees what was committed when it began."""
        async with self._reading_place(), self._read() as transaction:
            yield transaction

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresTransaction]:
        """A connection for reads alone that belong together: all see what was committed when the first began."""
        async with self._reading_place():
            driver = await acquire(self._pool, self._acquire_timeout_seconds)
            connection = TransactionConnection(driver, self._pool, self._acquire_timeout_seconds, _SNAPSHOT)
            try:
                yield PostgresTransaction(connection, self._clock)
            finally:
                try:
                    await connection.roll_back()
                finally:
                    await connection.release()

    @asynccontextmanager
    async def _reading_place(self) -> AsyncIterator[None]:
        if self._readings is None:
            yield
            return
        try:
            async with asyncio.timeout(self._acquire_timeout_seconds):
                await self._readings.acquire()
        except TimeoutError:
            raise Unavailable("Too much is read from the database now.") from None
        try:
            yield
        finally:
            self._readings.release()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[PostgresTransaction]:
        driver = await acquire(self._pool, self._acquire_timeout_seconds)
        try:
            transaction = PostgresTransaction(Connection(driver), self._clock)
            yield transaction
            assert not transaction.events.pending, "events are appended in a transaction, not while reading"
        finally:
            await release(self._pool, driver)


async def _write_last(transaction: PostgresTransaction, connection: TransactionConnection) -> Sequence[NewEvent]:
    """Write what was kept for the end, in one statement; return the events. The commit must follow."""
    step, events = transaction.orders.step, transaction.events.take()
    if step is not None:
        if not await connection.execute_final(STEP, *step.values(events)):
            raise StaleOrder(step.after)
    elif events:
        await connection.execute_final(APPEND, *event_columns(events))
    return events
