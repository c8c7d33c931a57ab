import asyncio

import asyncpg

from infra.postgres.migrate import current_is_head, head, migrate
from infra.postgres.pool import Pool, create_pool


async def test_an_empty_database_gets_every_revision_once(empty_database_dsn: str) -> None:
    applied = await migrate(empty_database_dsn)

    assert applied[0] == "0001"
    assert applied[-1] == head()
    assert await migrate(empty_database_dsn) == []


async def test_two_nodes_that_migrate_at_once_apply_each_revision_once(empty_database_dsn: str) -> None:
    first, second = await asyncio.gather(migrate(empty_database_dsn), migrate(empty_database_dsn))

    assert min(len(first), len(second)) == 0
    assert (first or second)[-1] == head()


async def test_a_database_is_known_to_be_behind_or_at_the_head(empty_database_dsn: str, pool: Pool) -> None:
    async with await create_pool(empty_database_dsn) as empty:
        assert not await current_is_head(empty)
    assert await current_is_head(pool)


async def test_migrating_makes_the_partitions_that_the_first_events_need(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    names = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'user_events'::regclass"
    )
    await connection.close()

    assert len(names) == 3


async def test_trades_that_were_stored_before_there_were_sums_of_them_are_summed(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    await connection.execute(
        "DROP TABLE minute_volumes; DROP FUNCTION summed_price; UPDATE alembic_version SET version_num = '0002';"
        "INSERT INTO trades SELECT 'sandbox:BTC/USDT', date_trunc('month', now()) + n * interval '40 seconds', n::text,"
        " 61234.56, 0.5, CASE WHEN n % 3 = 0 THEN 'SELL' ELSE 'BUY' END FROM generate_series(0, 5) n"
    )
    assert (await migrate(database_dsn))[0] == "0003"
    sums = await connection.fetch("SELECT price, bought, sold FROM minute_volumes ORDER BY minute")
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'minute_volumes'::regclass"
    made = await connection.fetchval(partitions)
    await connection.close()

    assert [tuple(map(str, row)) for row in sums] == [
        ("61234", "0.5", "0.5"),
        ("61234", "0.5", "0"),
        ("61234", "0.5", "0.5"),
        ("61234", "0.5", "0"),
    ]
    assert made == 3
