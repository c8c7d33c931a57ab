import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import PARTITIONED, ensure_months, ensure_partitions, partition_name
from infra.postgres.pool import Pool
from infra.postgres.repositories.event_log import APPEND, event_params
from tests.support.events import alert
from tests.support.users import stored_user


async def ensure(pool: Pool, start: datetime, end: datetime) -> list[str]:
    async with pool.acquire() as driver:
        return await ensure_months(Connection(driver), "user_events", start, end)


async def test_months_ahead_are_made_once_for_every_table(pool: Pool) -> None:
    async with pool.acquire() as driver:
        # The first three are there since the migration, unless a month has begun since.
        await ensure_partitions(Connection(driver), 2)
        made = await ensure_partitions(Connection(driver), 5)
        assert await ensure_partitions(Connection(driver), 5) == []
    assert len(made) == 3 * len(PARTITIONED)
    assert {name.rsplit("_", 2)[0] for name in made} == set(PARTITIONED)


async def test_a_span_of_months_crosses_years_and_goes_by_utc(pool: Pool) -> None:
    start = datetime.fromisoformat("2024-12-01T00:30:00+02:00")
    made = await ensure(pool, start, datetime(2025, 2, 1, tzinfo=UTC))
    assert made == ["user_events_2024_11", "user_events_2024_12", "user_events_2025_01", "user_events_2025_02"]


async def test_many_who_make_the_same_months_at_once_make_each_once(pool: Pool) -> None:
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 6, 30, tzinfo=UTC)
    made = await asyncio.gather(*(ensure(pool, start, end) for _ in range(8)))
    assert sorted(name for names in made for name in names) == [f"user_events_2020_0{month}" for month in range(1, 7)]


async def test_the_first_and_last_moment_of_a_month_lie_in_its_partition(
    database: PostgresDatabase, pool: Pool
) -> None:
    month = datetime(2020, 2, 1, tzinfo=UTC)
    await ensure(pool, month, month)
    user = await stored_user(database)
    async with database.transaction() as transaction:
        last = datetime(2020, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
        transaction.events.append([alert(user.id, "first", month), alert(user.id, "last", last)])
    assert await pool.fetchval(f"SELECT count(*) FROM {partition_name('user_events', month)}") == 2


async def test_a_row_of_a_month_that_was_not_made_is_refused(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
        async with database.transaction() as transaction:
            transaction.events.append([alert(user.id, "too early", datetime(2020, 2, 1, tzinfo=UTC))])


async def test_partitions_are_made_while_a_transaction_writes(database: PostgresDatabase, pool: Pool) -> None:
    user = await stored_user(database)
    async with pool.acquire() as writer, writer.transaction():
        await writer.execute(APPEND, *event_params([alert(user.id, "x")]))
        async with asyncio.timeout(60):
            assert await ensure(pool, datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
