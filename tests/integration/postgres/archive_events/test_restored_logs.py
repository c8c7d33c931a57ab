"""Logs of a database that was restored go on a billion numbers later: they are archived and read like all others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from domain.administration.restored_database import mark_restored
from domain.events.stream import PAGE, EventLogReader
from domain.model.events import SEQUENCES_SKIPPED, EventCursor, encode_event_cursor
from domain.trading.halts import HaltService
from infra.archive_storage.folder import FolderStorage
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.archive.restoring import restore_month, verify_files
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock
from tests.support.event_archive import (
    APRIL,
    JANUARY,
    MARCH,
    append,
    archiver,
    exported,
    reader,
    store_logs,
    stored_log,
    whole_log,
)
from tests.support.events import alert

DAY = timedelta(days=1)


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "archive")


@pytest.fixture
async def user_id(database: PostgresDatabase, pool: Pool) -> UUID:
    """A user with events from January to March; nobody else has any."""
    return (await store_logs(database, pool, 1)).users[0]


async def mark(database: PostgresDatabase, at: datetime) -> None:
    """Mark the database as restored, and tell its users, at a moment of the past."""
    clock = ManualClock(at)
    halts = HaltService(database, EmbeddedBus(), clock, TimeOrderedIds())
    await mark_restored(database, clock, halts, at - timedelta(minutes=5))


async def add(database: PostgresDatabase, user_id: UUID, at: datetime, count: int = 3) -> None:
    await append(database, [alert(user_id, str(number), at) for number in range(count)])


@pytest.mark.parametrize("restored_at", [MARCH + 9 * DAY, APRIL + DAY])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("archived", [JANUARY, MARCH, APRIL])
async def test_a_log_is_archived_and_read_across_the_jump_of_a_restore(
    restored_at: datetime, times: int, archived: datetime, user_id: UUID, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    await archiver(pool, storage).run(archived)
    for _ in range(times):
        await mark(database, restored_at)
    await add(database, user_id, restored_at + DAY)
    before = await whole_log(database, user_id)
    assert before[-1].sequence == 27 + times * (SEQUENCES_SKIPPED + 1) + 3

    result = await archiver(pool, storage).run(APRIL + 30 * DAY)

    assert result.failed == ()
    assert await stored_log(database, user_id) == []
    for page in (1, 4, 28):
        assert await whole_log(database, user_id, page) == before
    await restore_month(pool, storage, restored_at.replace(day=1))
    assert await whole_log(database, user_id) == before
    again = await archiver(pool, storage).run(APRIL + 30 * DAY, restored_at.replace(day=1))
    assert (again.failed, await whole_log(database, user_id)) == ((), before)


async def test_events_missing_before_a_jump_are_found_and_named(
    database: PostgresDatabase, user_id: UUID, pool: Pool, storage: FolderStorage
) -> None:
    await mark(database, APRIL + DAY)
    await pool.execute("DELETE FROM user_events WHERE user_id = $1 AND sequence IN (26, 27)", user_id)
    result = await archiver(pool, storage).run(APRIL + 30 * DAY)
    assert [failure.month for failure in result.failed] == [APRIL]
    assert f"events 26 to {SEQUENCES_SKIPPED + 27} of" in result.failed[0].error


async def test_numbers_of_a_restore_in_the_far_future_are_archived(
    database: PostgresDatabase, user_id: UUID, pool: Pool, storage: FolderStorage
) -> None:
    async with database.transaction() as transaction:
        await transaction.restores.mark(APRIL, datetime(2060, 1, 1, tzinfo=UTC))
    await add(database, user_id, APRIL + DAY, 1_000)
    before = await whole_log(database, user_id, 2_000)
    assert sum(event.sequence for event in before) > 2**63

    result = await archiver(pool, storage, rows_a_file=2_000).run(APRIL + 30 * DAY)

    assert result.failed == ()
    assert await whole_log(reader(pool, storage), user_id, 600) == before
    assert all([check.error is None async for check in verify_files(pool, storage)])


@pytest.mark.parametrize("archived", [JANUARY, APRIL, APRIL + 30 * DAY])
@pytest.mark.parametrize("orders_only", [False, True])
@pytest.mark.parametrize("left", [0, 1])
async def test_a_subscription_reads_across_the_jump_wherever_its_page_ends(
    archived: datetime, left: int, user_id: UUID, pool: Pool, storage: FolderStorage, *, orders_only: bool
) -> None:
    database = reader(pool, storage)
    await add(database, user_id, MARCH + 8 * DAY, PAGE - 27 + left)
    await mark(database, APRIL + DAY)
    expected = [e for e in await stored_log(database, user_id) if e.subject is not None or not orders_only]
    export = await exported(database, user_id, 50)
    await archiver(pool, storage, rows_a_file=100).run(archived)
    streams = EventLogReader(database, EmbeddedBus(), SystemClock(), 0.05)
    start = await streams.start(user_id, encode_event_cursor(EventCursor(user_id, 0, JANUARY)))
    stream = streams.follow(start, orders_only=orders_only)
    assert [await anext(stream) for _ in expected] == expected
    await stream.aclose()
    assert await exported(database, user_id, 50) == export
