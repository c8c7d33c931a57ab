import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from domain.core.errors import Unavailable
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool, create_pool
from infra.postgres.server.embedded import EmbeddedPostgres
from tests.support.postgres import copy_migrated_cluster, execute
from tests.support.users import stored_user
from tests.support.waiting import eventually


async def test_values_come_back_in_the_domains_types(pool: Pool) -> None:
    number, id_ = Decimal("12345678901234567890.123456789012345678"), UUID(int=7)
    at = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
    row = await pool.fetchrow("SELECT $1::numeric, $2::uuid, $3::timestamptz", number, id_, at)
    assert tuple(row) == (number, id_, at)
    assert row[2].utcoffset() == timedelta(0)


async def test_json_is_bytes_in_and_out_alone_and_in_arrays(pool: Pool) -> None:
    row = await pool.fetchrow("SELECT $1::jsonb, $2::jsonb[], $1::jsonb ->> 'a'", b'{"a": "\xc3\xa9"}', [b"1", None])
    assert tuple(row) == (b'{"a": "\xc3\xa9"}', [b"1", None], "é")


async def test_what_arrays_hold_is_asked_once_and_not_on_each_connection(pool: Pool) -> None:
    query, arrays, statements = "SELECT $1::uuid[], $2::jsonb[]", ([UUID(int=7)], [b"1"]), list[str]()
    async with pool.acquire() as first, pool.acquire() as second:
        assert tuple(await first.fetchrow(query, *arrays)) == arrays
        with second.query_logger(lambda record: statements.append(record.query)):
            assert tuple(await second.fetchrow(query, *arrays)) == arrays
            await eventually(lambda: query in statements, "the statement is logged")
            assert statements == [query]
            await second.execute("CREATE TYPE pg_temp.side AS ENUM ('BUY')")
            assert await second.fetchval("SELECT ARRAY['BUY']::pg_temp.side[]") == ["BUY"]


async def test_of_several_hosts_the_one_that_answers_and_takes_writes_is_used(database_dsn: str) -> None:
    socket = database_dsn.partition("host=")[2].partition("&")[0]
    several = database_dsn.replace(f"host={socket}&port=5432", f"host=/nowhere,{socket}&port=5432,5432")
    async with await create_pool(several, init_size=1) as pool:
        assert await pool.fetchval("SELECT pg_is_in_recovery()") is False


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await create_pool("postgresql://nobody@127.0.0.1:9/none", init_size=1, connect_timeout_seconds=2)


async def test_a_server_that_takes_no_writes_is_unavailable(
    database: PostgresDatabase, pool: Pool, database_dsn: str
) -> None:
    user = await stored_user(database)
    name = await pool.fetchval("SELECT current_database()")
    await execute(database_dsn, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await pool.expire_connections()
    with pytest.raises(Unavailable):
        await _change(database, user.id)
    await execute(database_dsn, f"BEGIN READ WRITE; ALTER DATABASE {name} RESET ALL; COMMIT")
    await _change(database, user.id)


async def test_a_connection_to_a_primary_that_became_a_standby_is_dropped(
    database: PostgresDatabase, pool: Pool
) -> None:
    user = await stored_user(database)
    async with pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = on")
        demoted = connection.get_server_pid()
    with pytest.raises(Unavailable):
        await _change(database, user.id)
    await _change(database, user.id)
    assert demoted != await pool.fetchval("SELECT pg_backend_pid()")


async def test_a_connection_whose_server_is_gone_closes_without_an_error(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_pipe(_connection: object, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncpg's
        raise BrokenPipeError(timeout)

    monkeypatch.setattr(asyncpg.Connection, "close", break_pipe)
    async with pool.acquire() as connection:
        await connection.close()


async def _change(database: PostgresDatabase, user_id: UUID) -> None:
    async with database.transaction() as transaction:
        await transaction.users.set_password(user_id, "changed")


@pytest.fixture
async def own_server(data_folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    copy_migrated_cluster(data_folder / "postgres")
    server = EmbeddedPostgres(data_folder / "postgres")
    await server.start()
    yield server
    await server.stop()


async def test_the_pool_recovers_after_a_restart_of_the_server(own_server: EmbeddedPostgres) -> None:
    async with await create_pool(own_server.dsn, init_size=2) as pool:
        database = PostgresDatabase(pool, EmbeddedBus(), SystemClock())
        user = await stored_user(database)
        await own_server.stop()
        for outcome in await asyncio.gather(*(_change(database, user.id) for _ in range(5)), return_exceptions=True):
            assert isinstance(outcome, Unavailable)
        with pytest.raises(Unavailable):
            async with database.read_only():
                pass

        await own_server.start()
        await asyncio.gather(*(_change(database, user.id) for _ in range(5)))
        async with database.read_only() as reading:
            assert await reading.users.password_hash(user.id) == "changed"
