"""What trading sessions of one account do at the same time is committed together, and the fault of one is its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from domain.events.leases import acquire_lease
from domain.model.trading import TradingSession, TradingSessionStatus
from domain.ports.leases import Lease, StaleLease
from domain.ports.trading_sessions import SeenCandle
from domain.trading.session_reads import TradingSessionReads
from domain.trading.session_state import TradingSessionEnded
from domain.trading.session_transactions import GroupCommit, TradingSessionTransaction
from infra.clock import SystemClock
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.statements import Statements
from tests.support.trading import BTC, NOW, World, stored_world
from tests.support.waiting import eventually

MANY = 40


@dataclass
class Account:
    """An account with many trading sessions, and their transactions."""

    world: World
    sessions: list[TradingSession]
    transactions: GroupCommit
    database: PostgresDatabase
    is_leased: bool = True

    async def read(self, session: TradingSession) -> TradingSession:
        async with self.database.read_only() as reading:
            found = await reading.trading_sessions.get(session.user_id, session.id)
        assert found is not None
        return found

    async def run(self, *sessions: TradingSession) -> list[BaseException | None]:
        """Start all of them at the same time, and return what became of each."""
        works = (self.transactions.run(session.id, BTC, start) for session in sessions)
        return await asyncio.gather(*works, return_exceptions=True)


async def start(transaction: TradingSessionTransaction) -> None:
    """Do what a trading session does with the first candle: it runs, has a reason, and has seen the candle."""
    session = transaction.state.session
    assert await transaction.batch.last_candle_at(session.id, BTC) is None
    transaction.batch.see(SeenCandle(session.id, BTC, NOW))
    await transaction.batch.balances()
    transaction.save_session(replace(session, status=TradingSessionStatus.RUNNING))


@pytest.fixture
async def account(database: PostgresDatabase, pool: Pool) -> AsyncIterator[Account]:
    async with database.transaction() as transaction:
        world = await stored_world(transaction._connection)
        sessions = [world.new_session() for _ in range(MANY)]
        for session in sessions:
            await transaction.trading_sessions.add(session)
    account_id = world.account.id
    handle = await acquire_lease(database, SystemClock(), "account", str(account_id), "node-1", 600)
    assert handle is not None

    def lease() -> Lease:
        if not account.is_leased or handle.current is None:
            raise StaleLease("lost")
        return handle.current

    transactions = GroupCommit(account_id, database, SystemClock(), lease)
    account = Account(world, sessions, transactions, database)
    yield account
    await transactions.close()


async def test_many_sessions_take_no_more_statements_than_two(account: Account, pool: Pool) -> None:
    counts = []
    for sessions in (account.sessions[:2], account.sessions[2:]):
        statements = Statements(pool)
        assert await account.run(*sessions) == [None] * len(sessions)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    for session in account.sessions:
        stored = await account.read(session)
        assert (stored.status, stored.last_candle_at) == (TradingSessionStatus.RUNNING, NOW)


async def test_many_sessions_are_read_by_as_many_statements_as_two(account: Account, pool: Pool) -> None:
    reads, counts = TradingSessionReads(account.world.account.id, account.database), []
    for sessions in (account.sessions[:2], account.sessions[2:]):
        statements = Statements(pool)
        loaded = await asyncio.gather(*(reads.load(session.id) for session in sessions))
        counts.append(len(statements))
        for session, found in zip(sessions, loaded, strict=True):
            assert found.state(session.id, BTC).session.id == session.id
    assert counts[0] == counts[1]
    await reads.close()


async def test_one_that_fails_is_rolled_back_alone(account: Account) -> None:
    first, broken, last = account.sessions[:3]

    async def fail(transaction: TradingSessionTransaction) -> None:
        transaction.save_session(replace(transaction.state.session, status=TradingSessionStatus.PAUSED))
        raise ZeroDivisionError

    works = ((first, start), (broken, fail), (last, start))
    running = (account.transactions.run(session.id, BTC, work) for session, work in works)
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ZeroDivisionError, type(None)]
    stored = [(await account.read(session)).status.value for session in (first, broken, last)]
    assert stored == ["RUNNING", "STARTING", "RUNNING"]


async def test_one_whose_row_is_locked_holds_up_no_other(account: Account) -> None:
    locked, *others = account.sessions[:5]
    async with account.database.transaction() as transaction:
        await transaction.trading_sessions.get_for_update(locked.id)
        waiting = asyncio.create_task(account.transactions.run(locked.id, BTC, start))
        assert await account.run(*others) == [None] * len(others)
        assert not waiting.done()
        await transaction.trading_sessions.save(replace(locked, status_reason="from the other"))
    await waiting
    stored = await account.read(locked)
    assert (stored.status, stored.status_reason) == (TradingSessionStatus.RUNNING, "from the other")


async def test_works_of_one_session_see_each_other(account: Account) -> None:
    session, count = account.sessions[0], 5

    async def extend(transaction: TradingSessionTransaction) -> None:
        reason = transaction.state.session.status_reason or ""
        transaction.save_session(replace(transaction.state.session, status_reason=f"{reason}x"))

    await asyncio.gather(*(account.transactions.run(session.id, BTC, extend) for _ in range(count)))
    assert (await account.read(session)).status_reason == "x" * count


async def test_a_session_that_has_ended_says_so_and_the_others_go_on(account: Account) -> None:
    ended, other = account.sessions[:2]
    async with account.database.transaction() as transaction:
        await transaction.trading_sessions.save(replace(ended, status=TradingSessionStatus.FAILED))
    outcomes = await account.run(ended, other)
    assert [type(outcome) for outcome in outcomes] == [TradingSessionEnded, type(None)]
    assert [type(outcome) for outcome in await account.run(ended)] == [TradingSessionEnded]


async def test_without_the_lease_nothing_is_stored(account: Account) -> None:
    account.is_leased = False
    outcomes = await account.run(*account.sessions[:3])
    assert {type(outcome) for outcome in outcomes} == {StaleLease}
    assert (await account.read(account.sessions[0])).status is TradingSessionStatus.STARTING


async def test_one_that_stops_waiting_takes_nobody_with_it(account: Account) -> None:
    leaving, other = account.sessions[:2]
    tasks = [asyncio.create_task(account.transactions.run(one.id, BTC, start)) for one in (leaving, other)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, type(None)]


async def test_closing_cancels_what_waits(account: Account) -> None:
    began: list[UUID] = []

    async def wait_for_ever(transaction: TradingSessionTransaction) -> None:
        began.append(transaction.state.session.id)
        await asyncio.Event().wait()

    first, second = account.sessions[:2]
    tasks = [asyncio.create_task(account.transactions.run(first.id, BTC, wait_for_ever))]
    await eventually(lambda: began, "the first is under way")
    tasks.append(asyncio.create_task(account.transactions.run(second.id, BTC, start)))
    await asyncio.sleep(0)
    await account.transactions.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    assert (await account.read(second)).status is TradingSessionStatus.STARTING
