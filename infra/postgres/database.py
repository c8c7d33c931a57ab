"""Transactions on PostgreSQL: all repositories of one work on one connection."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from datetime import datetime
from functools import cached_property
from typing import Self
from uuid import UUID

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.events.notices import EventNotice, notices_of
from domain.model.events import NewEvent
from domain.ports.bus import MessageBus
from domain.ports.leases import StaleLease
from domain.ports.unit_of_work import Reads
from infra.postgres.archive.archives import Archives
from infra.postgres.connection import Connection
from infra.postgres.event_history import PostgresEventHistory
from infra.postgres.event_notifier import EventNotifier
from infra.postgres.pool import Pool
from infra.postgres.pool_use import PoolUse
from infra.postgres.replicas import Replicas
from infra.postgres.repositories.accounts import UPSERT_BALANCES, PostgresAccounts
from infra.postgres.repositories.administration import PostgresAdministration
from infra.postgres.repositories.alert_rules import PostgresAlertRules
from infra.postgres.repositories.backtests import PostgresBacktests
from infra.postgres.repositories.channels import PostgresChannels
from infra.postgres.repositories.data_exports import PostgresDataExports
from infra.postgres.repositories.drift import PostgresDrift
from infra.postgres.repositories.equity import PostgresEquity
from infra.postgres.repositories.event_log import APPEND, PostgresEventLog, event_params
from infra.postgres.repositories.halts import PostgresHalts
from infra.postgres.repositories.idempotency import PostgresIdempotency
from infra.postgres.repositories.invitations import PostgresInvitations
from infra.postgres.repositories.jobs import PostgresJobs
from infra.postgres.repositories.leases import PostgresLeases
from infra.postgres.repositories.list_tables import PostgresLists
from infra.postgres.repositories.mails import PostgresEmailCodes, PostgresMails
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.postgres.repositories.market_history import PostgresMarketHistory
from infra.postgres.repositories.monitoring import PostgresMonitoring
from infra.postgres.repositories.oidc import PostgresOidc
from infra.postgres.repositories.operator_reports import PostgresOperatorReports
from infra.postgres.repositories.optimizations import PostgresOptimizations
from infra.postgres.repositories.order_updates import write_rows, write_with_events
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.overview import PostgresOverview
from infra.postgres.repositories.persisted_documents import PostgresPersistedDocuments
from infra.postgres.repositories.personal_data import PostgresPersonalData
from infra.postgres.repositories.plans import PostgresPlans
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.prices import PostgresPrices
from infra.postgres.repositories.profit import PostgresProfit
from infra.postgres.repositories.protection import PostgresProtection
from infra.postgres.repositories.recommendations import PostgresRecommendations
from infra.postgres.repositories.report_files import PostgresReportFiles
from infra.postgres.repositories.report_schedules import PostgresReportSchedules
from infra.postgres.repositories.reports import PostgresReports
from infra.postgres.repositories.restores import PostgresRestores
from infra.postgres.repositories.signal_webhooks import PostgresSignalWebhooks
from infra.postgres.repositories.strategies import PostgresStrategies
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from infra.postgres.repositories.transfers import PostgresTransfers
from infra.postgres.repositories.two_factors import PostgresTwoFactors
from infra.postgres.repositories.users import PostgresUsers
from infra.postgres.rows.event_lines import log_events
from infra.postgres.transaction_connection import PooledConnection, TransactionConnection, acquire, release

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresTransaction:
    """Implements `domain.ports.unit_of_work.UnitOfWork`; repositories are created when first used."""

    def __init__(self, connection: Connection, clock: Clock, archives: Archives) -> None:
        self._connection = connection
        self._clock = clock
        self._archives = archives

    @cached_property
    def users(self) -> PostgresUsers:
        return PostgresUsers(self._connection)

    @cached_property
    def plans(self) -> PostgresPlans:
        return PostgresPlans(self._connection)

    @cached_property
    def personal_data(self) -> PostgresPersonalData:
        return PostgresPersonalData(self._connection, self._archives.events)

    @cached_property
    def data_exports(self) -> PostgresDataExports:
        return PostgresDataExports(self._connection)

    @cached_property
    def administration(self) -> PostgresAdministration:
        return PostgresAdministration(self._connection)

    @cached_property
    def overview(self) -> PostgresOverview:
        return PostgresOverview(self._connection)

    @cached_property
    def two_factors(self) -> PostgresTwoFactors:
        return PostgresTwoFactors(self._connection)

    @cached_property
    def report_files(self) -> PostgresReportFiles:
        return PostgresReportFiles(self._connection)

    @cached_property
    def mails(self) -> PostgresMails:
        return PostgresMails(self._connection)

    @cached_property
    def email_codes(self) -> PostgresEmailCodes:
        return PostgresEmailCodes(self._connection)

    @cached_property
    def invitations(self) -> PostgresInvitations:
        return PostgresInvitations(self._connection)

    @cached_property
    def alert_rules(self) -> PostgresAlertRules:
        return PostgresAlertRules(self._connection)

    @cached_property
    def operator_reports(self) -> PostgresOperatorReports:
        return PostgresOperatorReports(self._connection)

    @cached_property
    def report_schedules(self) -> PostgresReportSchedules:
        return PostgresReportSchedules(self._connection)

    @cached_property
    def channels(self) -> PostgresChannels:
        return PostgresChannels(self._connection)

    @cached_property
    def oidc(self) -> PostgresOidc:
        return PostgresOidc(self._connection)

    @cached_property
    def idempotency(self) -> PostgresIdempotency:
        return PostgresIdempotency(self._connection)

    @cached_property
    def events(self) -> PostgresEventLog:
        return PostgresEventLog(self._connection, self._archives.events)

    @cached_property
    def accounts(self) -> PostgresAccounts:
        return PostgresAccounts(self._connection)

    @cached_property
    def transfers(self) -> PostgresTransfers:
        return PostgresTransfers(self._connection)

    @cached_property
    def equity(self) -> PostgresEquity:
        return PostgresEquity(self._connection)

    @cached_property
    def profit(self) -> PostgresProfit:
        return PostgresProfit(self._connection)

    @cached_property
    def strategies(self) -> PostgresStrategies:
        return PostgresStrategies(self._connection)

    @cached_property
    def trading_sessions(self) -> PostgresTradingSessions:
        return PostgresTradingSessions(self._connection)

    @cached_property
    def signal_webhooks(self) -> PostgresSignalWebhooks:
        return PostgresSignalWebhooks(self._connection)

    @cached_property
    def positions(self) -> PostgresPositions:
        return PostgresPositions(self._connection)

    @cached_property
    def protection(self) -> PostgresProtection:
        return PostgresProtection(self._connection)

    @cached_property
    def orders(self) -> PostgresOrders:
        return PostgresOrders(self._connection)

    @cached_property
    def jobs(self) -> PostgresJobs:
        return PostgresJobs(self._connection)

    @cached_property
    def reports(self) -> PostgresReports:
        return PostgresReports(self._connection)

    @cached_property
    def backtests(self) -> PostgresBacktests:
        return PostgresBacktests(self._connection)

    @cached_property
    def recommendations(self) -> PostgresRecommendations:
        return PostgresRecommendations(self._connection)

    @cached_property
    def optimizations(self) -> PostgresOptimizations:
        return PostgresOptimizations(self._connection)

    @cached_property
    def drift(self) -> PostgresDrift:
        return PostgresDrift(self._connection)

    @cached_property
    def market_data(self) -> PostgresMarketData:
        return PostgresMarketData(self._connection, self._archives)

    @cached_property
    def prices(self) -> PostgresPrices:
        return PostgresPrices(self._connection, self._archives)

    @cached_property
    def market_history(self) -> PostgresMarketHistory:
        return PostgresMarketHistory(self._connection, self._archives)

    @cached_property
    def halts(self) -> PostgresHalts:
        return PostgresHalts(self._connection)

    @cached_property
    def lists(self) -> PostgresLists:
        return PostgresLists(self._connection)

    @cached_property
    def monitoring(self) -> PostgresMonitoring:
        return PostgresMonitoring(self._connection)

    @cached_property
    def persisted_documents(self) -> PostgresPersistedDocuments:
        return PostgresPersistedDocuments(self._connection)

    @cached_property
    def restores(self) -> PostgresRestores:
        return PostgresRestores(self._connection)

    @cached_property
    def leases(self) -> PostgresLeases:
        return PostgresLeases(self._connection, self._clock)

    def notices(self, events: Sequence[NewEvent]) -> dict[UUID, set[EventNotice]]:
        """Return what the transaction means for those who trade, by users: by its events, and without events."""
        notices = notices_of(events)
        for user_id, account_id in self.protection.added:
            notices.setdefault(user_id, set()).add(EventNotice(account_id))
        return notices


class PostgresDatabase:
    """Transactions on the connections of a pool; implements `domain.ports.unit_of_work.Database`.

    Without archives, queries that need archived rows fail.
    """

    def __init__(
        self,
        pool: Pool,
        bus: MessageBus,
        clock: Clock,
        *,
        archives: Archives | None = None,
        replicas: Replicas | None = None,
        acquire_timeout_seconds: float = 5.0,
    ) -> None:
        self._pool = pool
        self._archives = archives or Archives()
        self._replicas = replicas
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._clock = clock
        self._notifier = EventNotifier(bus)
        self.use = PoolUse(pool)
        self._read_slots: asyncio.Semaphore | None = None
        self._write_slots: asyncio.Semaphore | None = None

    def with_limits(self, *, reads: int, writes: int) -> Self:
        """Return the same database with at most so many reads and transactions at once.

        Connections are then left for others, and others' transactions don't wait behind all of these for the same rows,
        such as the head of a user's event log.
        """
        bounded = copy(self)
        bounded._read_slots = asyncio.Semaphore(reads)  # noqa: SLF001  # its own
        bounded._write_slots = asyncio.Semaphore(writes)  # noqa: SLF001  # its own
        return bounded

    def event_history(self, reads: Reads | None = None) -> PostgresEventHistory:
        return PostgresEventHistory(reads or self.read_only, self._archives.events)

    async def close(self) -> None:
        """Return once listeners have been notified of everything that was committed; doesn't close the pool."""
        await self._notifier.close()

    async def _acquire(self) -> PooledConnection:
        with self.use.waiting():
            return await acquire(self._pool, self._acquire_timeout_seconds)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        async with self._slot(self._write_slots, "written to"), self._transaction() as transaction:
            yield transaction

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[PostgresTransaction]:
        # The transaction begins with the first statement.
        driver = await self._acquire()
        connection = TransactionConnection(driver, self._pool, self._acquire_timeout_seconds)
        try:
            transaction = PostgresTransaction(connection, self._clock, self._archives)
            yield transaction
            events = await _write_last(transaction, connection)
            await connection.commit()
        except BaseException:
            await connection.roll_back()
            raise
        finally:
            await connection.release()
        self._notifier.notify(transaction.notices(events))
        log_events(events)

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[PostgresTransaction]:
        async with self._slot(self._read_slots, "read from"), self._read() as transaction:
            yield transaction

    @asynccontextmanager
    async def read_past(self, until: datetime) -> AsyncIterator[PostgresTransaction]:
        async with self._slot(self._read_slots, "read from"):
            driver = None if self._replicas is None else await self._replicas.acquire(until)
            if driver is None or self._replicas is None:
                async with self._read() as transaction:
                    yield transaction
                return
            try:
                yield PostgresTransaction(Connection(driver), self._clock, self._archives)
            finally:
                await self._replicas.release(driver)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresTransaction]:
        async with self._slot(self._read_slots, "read from"):
            driver = await self._acquire()
            connection = TransactionConnection(driver, self._pool, self._acquire_timeout_seconds, _SNAPSHOT)
            try:
                yield PostgresTransaction(connection, self._clock, self._archives)
            finally:
                try:
                    await connection.roll_back()
                finally:
                    await connection.release()

    @asynccontextmanager
    async def _slot(self, slots: asyncio.Semaphore | None, what: str) -> AsyncIterator[None]:
        if slots is None:
            yield
            return
        try:
            async with asyncio.timeout(self._acquire_timeout_seconds):
                await slots.acquire()
        except TimeoutError:
            raise Unavailable(f"Too much is {what} the database now.") from None
        try:
            yield
        finally:
            slots.release()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[PostgresTransaction]:
        driver = await self._acquire()
        try:
            transaction = PostgresTransaction(Connection(driver), self._clock, self._archives)
            yield transaction
            assert not transaction.events.pending, "events are appended in a transaction, not while reading"
        finally:
            await release(self._pool, driver)


async def _write_last(transaction: PostgresTransaction, connection: TransactionConnection) -> Sequence[NewEvent]:
    """Write balances, and one order and the events by one statement; return the events. A commit must follow."""
    orders, events = transaction.orders.drain(), transaction.events.drain()
    balances = transaction.accounts.pending_balances
    if balances is not None:
        is_last = not (orders or events)
        write = connection.execute_final if is_last else connection.fetchval
        if not await write(UPSERT_BALANCES, *balances):
            raise StaleLease("The lease is no longer held, so the balances were not stored.")
    if len(orders) == 1:
        await write_with_events(connection, orders[0], events)
        return events
    if orders:
        await write_rows(connection, orders)
    if events:
        await connection.execute_final(APPEND, *event_params(events))
    return events
