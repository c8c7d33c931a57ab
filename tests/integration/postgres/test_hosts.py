"""Which of several hosts the engine's connections go to."""

from urllib.parse import parse_qs, urlencode, urlsplit

import asyncpg
import pytest

from domain.core.errors import Unavailable
from infra.postgres.hosts import PrimaryConnector, _Opened, single_hosts
from infra.postgres.pool import Pool, create_pool
from tests.support.postgres import execute
from tests.support.silent_server import silent_server
from tests.support.waiting import PATIENCE_SECONDS


def with_hosts(dsn: str, *hosts: tuple[str, int]) -> str:
    """Return the DSN with these hosts in the place of its own; `("", 0)` stands for that."""
    parts = urlsplit(dsn)
    own = (parse_qs(parts.query)["host"][0], int(parse_qs(parts.query)["port"][0]))
    listed = [host if host[0] else own for host in hosts]
    query = {"host": ",".join(name for name, _ in listed), "port": ",".join(str(port) for _, port in listed)}
    return parts._replace(query=urlencode(query)).geturl()


OWN = ("", 0)


@pytest.mark.parametrize(
    ("dsn", "single"),
    [
        ("postgresql://u:p%40@h1:1,h2/d", ["//u:p%40@/d?host=h1&port=1", "//u:p%40@/d?host=h2&port=5432"]),
        ("postgresql://u@h1,h2/d?port=7", ["//u@/d?port=7&host=h1", "//u@/d?port=7&host=h2"]),
        ("postgresql:///d?host=/a,/b&port=1,2", ["/d?host=%2Fa&port=1", "/d?host=%2Fb&port=2"]),
        ("postgresql://u@[::1]:5,h/d", ["//u@/d?host=%5B%3A%3A1%5D&port=5", "//u@/d?host=h&port=5432"]),
        ("postgresql://u@%2Fa,h:2/d", ["//u@/d?host=%2Fa&port=5432", "//u@/d?host=h&port=2"]),
        ("postgresql://u@h/d?sslmode=require", ["//u@h/d?sslmode=require"]),
    ],
)
def test_a_list_of_hosts_is_one_address_each(dsn: str, single: list[str]) -> None:
    assert [it.removeprefix("postgresql:") for it in single_hosts(dsn)] == single


async def test_a_frozen_first_host_does_not_use_up_the_time_of_the_others(database_dsn: str) -> None:
    async with silent_server() as port:
        dsn = with_hosts(database_dsn, ("127.0.0.1", port), OWN)
        async with await create_pool(dsn, init_size=2, connect_timeout_seconds=PATIENCE_SECONDS) as pool:
            assert await pool.fetchval("SELECT 1") == 1


async def test_no_host_that_answers_is_unavailable_in_time(database_dsn: str) -> None:
    async with silent_server() as one, silent_server() as other:
        dsn = with_hosts(database_dsn, ("127.0.0.1", one), ("127.0.0.1", other))
        with pytest.raises(Unavailable):
            await create_pool(dsn, init_size=1, connect_timeout_seconds=1.5)


async def test_a_host_that_refuses_the_password_is_named_rather_than_one_that_is_away(database_dsn: str) -> None:
    wrong = urlsplit(database_dsn)._replace(netloc="r3edge:wrong@").geturl()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await PrimaryConnector(with_hosts(wrong, OWN, ("127.0.0.1", 9))).connect()


async def test_connections_to_a_former_primary_are_replaced_when_another_one_is_found(database_dsn: str) -> None:
    # The same server under two names stands for two.
    same = parse_qs(urlsplit(database_dsn).query)["host"][0] + "/."
    dsn = with_hosts(database_dsn, OWN, (same, 5432))
    async with await create_pool(dsn, init_size=2, max_size=2) as pool:
        former = await _sessions(pool)
        connector: PrimaryConnector = pool._connect.__self__
        (another,) = set(single_hosts(dsn)) - {connector._primary}
        async with pool.acquire() as connection:
            await connector._note(_Opened(connection, another, 1))
        assert not former & await _sessions(pool)


async def _sessions(pool: Pool) -> set[int]:
    """Return which server processes the pool's two connections have."""
    async with pool.acquire() as one, pool.acquire() as other:
        return {await it.fetchval("SELECT pg_backend_pid()") for it in (one, other)}


async def test_a_primary_with_an_older_timeline_than_one_seen_is_refused(database_dsn: str) -> None:
    connector = PrimaryConnector(with_hosts(database_dsn, ("127.0.0.1", 9), OWN))
    await (await connector.connect()).close()
    connector._timeline += 1
    with pytest.raises(ConnectionError, match="former primary"):
        await connector.connect()


@pytest.mark.parametrize("kind", ["read-write", "primary"])
async def test_a_dsn_that_asks_for_the_primary_in_its_own_words_finds_it_in_the_same_way(
    database_dsn: str, kind: str
) -> None:
    async with silent_server() as port:
        dsn = f"{with_hosts(database_dsn, ('127.0.0.1', port), OWN)}&target_session_attrs={kind}"
        await (await PrimaryConnector(dsn).connect(timeout=PATIENCE_SECONDS)).close()


async def test_a_server_that_takes_no_writes_is_passed_over(database_dsn: str) -> None:
    name = urlsplit(database_dsn).path[1:]
    await execute(database_dsn, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await PrimaryConnector(with_hosts(database_dsn, OWN, OWN)).connect()
