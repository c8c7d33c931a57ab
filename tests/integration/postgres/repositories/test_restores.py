"""What is marked in a database that was restored to an earlier moment."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from domain.core.errors import FaultCode, RequestFault
from domain.events.stream import EventLogReader
from domain.model.events import SEQUENCES_SKIPPED, EventCursor, NewEvent, UserEventKind, encode_event_cursor
from domain.model.markets import MarketSymbol
from domain.ports.leases import StaleLease
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.postgres.repositories.restores import EPOCHS_SKIPPED
from tests.support.trading import World, stored_user, stored_world

NOW = datetime.now(UTC)
MOMENT = NOW - timedelta(hours=1)


class _Lost(Exception):
    """What was done after a restore is lost by the next one."""


async def _append(database: PostgresDatabase, world: World, count: int) -> None:
    event = NewEvent(world.user.id, NOW, UserEventKind.ALERT, None, "an alert")
    async with database.transaction() as transaction:
        transaction.events.append([event] * count)


async def _mark(database: PostgresDatabase, moment: datetime = MOMENT) -> int:
    async with database.transaction() as transaction:
        return (await transaction.restores.mark(moment, NOW)).skipped_messages


@pytest.fixture
async def world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


async def test_an_account_is_restored_until_it_is_settled(database: PostgresDatabase, world: World) -> None:
    await _mark(database)
    await _mark(database, NOW)
    async with database.transaction() as transaction:
        assert await transaction.restores.restored_to(world.account.id) == MOMENT
        assert await transaction.restores.traded_markets(world.account.id) == {MarketSymbol("sandbox", "BTC/USDT")}
        await transaction.restores.settle(world.account.id)
    async with database.read_only() as reading:
        assert await reading.restores.restored_to(world.account.id) is None


async def test_a_cursor_from_the_forgotten_time_is_refused_by_a_clear_error(
    database: PostgresDatabase, world: World
) -> None:
    await _append(database, world, 2)
    reader = EventLogReader(database, EmbeddedBus(), SystemClock())
    known = await reader.head(world.user.id)
    await _mark(database)
    for sequence in (known.sequence, known.sequence + 500):
        cursor = encode_event_cursor(EventCursor(world.user.id, sequence, NOW))
        with pytest.raises(RequestFault, match="undone by a restore") as refused:
            await reader.start(world.user.id, cursor)
        assert refused.value.code is FaultCode.CURSOR_TOO_OLD
    head = await reader.start(world.user.id, None)
    await _append(database, world, 1)
    events = reader.follow(head, orders_only=False)
    assert (await anext(events)).sequence == head.sequence + 1
    await events.aclose()


async def test_a_backup_that_is_restored_twice_uses_no_sequence_twice(database: PostgresDatabase, world: World) -> None:
    await _append(database, world, 2)
    first = 0
    with suppress(_Lost):
        async with database.transaction() as transaction:
            await transaction.restores.mark(MOMENT, NOW)
            first, _ = await transaction.events.head(world.user.id)
            raise _Lost
    async with database.transaction() as transaction:
        await transaction.restores.mark(MOMENT, NOW + timedelta(hours=1))
        second, _ = await transaction.events.head(world.user.id)
        assert (second - first) % SEQUENCES_SKIPPED == 0
        assert second > first > 2
        await transaction.restores.mark(MOMENT, NOW - timedelta(days=9_000))
        third, _ = await transaction.events.head(world.user.id)
    assert third == second + SEQUENCES_SKIPPED


async def test_nobody_from_before_holds_a_lease(database: PostgresDatabase, world: World) -> None:
    async with database.transaction() as transaction:
        held = await transaction.leases.acquire("account", str(world.account.id), "node", 600)
    assert held is not None
    await _mark(database)
    with pytest.raises(StaleLease):
        async with database.transaction() as transaction:
            await transaction.leases.check(held)
    async with database.transaction() as transaction:
        again = await transaction.leases.acquire("account", str(world.account.id), "node", 600)
    assert again is not None
    assert again.epoch > held.epoch + EPOCHS_SKIPPED


async def test_what_waits_to_be_sent_is_not_sent_and_logins_end(database: PostgresDatabase, pool: Pool) -> None:
    async with pool.acquire() as driver:
        user = await stored_user(Connection(driver))
    await pool.execute(
        "INSERT INTO mails (id, kind, recipient, created_at, attempts, due_at)"
        " VALUES (gen_random_uuid(), 'WELCOME', 'a@example.com', $1, 0, $1)",
        NOW,
    )
    await pool.execute(
        "INSERT INTO login_sessions (id, user_id, token_hash, created_at, last_seen_at, confirmed_at, expires_at)"
        " VALUES (gen_random_uuid(), $1, 'x', $2, $2, $2, $3)",
        user.id, NOW, NOW + timedelta(days=1),
    )  # fmt: skip
    async with database.transaction() as transaction:
        mark = await transaction.restores.mark(MOMENT, NOW)
    assert (mark.login_sessions, mark.skipped_messages) == (1, 1)
    assert await pool.fetchval("SELECT given_up_at FROM mails") == NOW
    assert await pool.fetchval("SELECT revoked_at FROM login_sessions") == NOW
