"""A database that is there and answers nothing, as behind a network that has split."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from domain.core.errors import Unavailable
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import create_pool
from tests.support.users import a_user, stored_user

COMMAND_SECONDS = 5.0
"""More than any command takes on a busy machine while the server isn't frozen."""

LONG_SECONDS = 60.0
Work = Callable[[PostgresDatabase], Awaitable[None]]


class Freezer:
    """Passes bytes between clients and the server until it is frozen."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._pipes: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        for pipe in (self._pass(reader, to_server), self._pass(from_server, writer)):
            task = asyncio.create_task(pipe)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def close(self) -> None:
        self.thaw()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65_536):
                await self._thawed.wait()
                writer.write(part)
        finally:
            writer.close()


@pytest.fixture
async def freezer(database_dsn: str) -> AsyncIterator[Freezer]:
    folder = Path(parse_qs(urlsplit(database_dsn).query)["host"][0])
    freezer = Freezer(folder / ".s.PGSQL.5432")
    yield freezer
    await freezer.close()


@pytest.fixture
def command_seconds() -> float:
    return COMMAND_SECONDS


@pytest.fixture
async def database(
    database_dsn: str, freezer: Freezer, data_folder: Path, command_seconds: float
) -> AsyncIterator[PostgresDatabase]:
    server = await asyncio.start_unix_server(freezer.serve, data_folder / ".s.PGSQL.5432")
    dsn = urlsplit(database_dsn)._replace(query=urlencode({"host": str(data_folder)})).geturl()
    seconds = {"connect_timeout_seconds": LONG_SECONDS, "command_timeout_seconds": command_seconds}
    async with server, await create_pool(dsn, init_size=1, **seconds) as pool:
        yield PostgresDatabase(pool, EmbeddedBus(), SystemClock())
        freezer.thaw()


async def read(database: PostgresDatabase) -> None:
    async with database.read_only() as reading:
        await reading.users.get(a_user().id)


async def change(database: PostgresDatabase) -> None:
    async with database.transaction() as transaction:
        await transaction.users.set_password(a_user().id, "changed")


@pytest.mark.parametrize("work", [read, change])
async def test_a_server_that_answers_nothing_is_unavailable_as_soon_as_the_command_times_out(
    database: PostgresDatabase, freezer: Freezer, work: Work
) -> None:
    await stored_user(database)
    freezer.freeze()
    async with asyncio.timeout(LONG_SECONDS):
        with pytest.raises(Unavailable):
            await work(database)
    freezer.thaw()
    await work(database)


@pytest.mark.parametrize("command_seconds", [LONG_SECONDS])
@pytest.mark.parametrize("work", [read, change])
async def test_who_gives_up_on_a_server_that_answers_nothing_is_free_at_once(
    database: PostgresDatabase, freezer: Freezer, work: Work
) -> None:
    await stored_user(database)
    freezer.freeze()
    started = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await work(database)
    assert asyncio.get_running_loop().time() - started < LONG_SECONDS / 2
