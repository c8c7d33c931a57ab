"""A real PostgreSQL for the tests: one server a run, and a fresh migrated database for each test that asks."""

import asyncio
import fcntl
import itertools
import shutil
import subprocess
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest

from domain.core.clock import Clock
from domain.ports.bus import MessageBus
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.archive.archives import Archives
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.migrate import migrate
from infra.postgres.partitions import PARTITIONED, ensure_months
from infra.postgres.pool import Pool, create_pool
from infra.postgres.server.embedded import EmbeddedPostgres
from infra.postgres.server.installation import ROLE
from tests.support.run_folder import new_folder, shared_folder
from tests.support.waiting import PATIENCE_SECONDS

_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""No test that uses the shared server looks at what a power cut leaves."""

FIXED_MONTH = datetime(2026, 11, 1, tzinfo=UTC)
"""The month of all fixed times that tests store things with; each database has its partitions, whatever month it is."""

_numbers = itertools.count(1)

_T = TypeVar("_T")


def run_aside(work: Coroutine[None, None, _T]) -> _T:
    """Run a coroutine to its end in a loop of its own, for fixtures that outlive the loop of a test."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def with_database(dsn: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


async def execute(dsn: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def migrated_cluster() -> Path:
    """Return the folder of a stopped server with a migrated database, which one process makes for the whole run."""
    made = shared_folder() / "migrated"
    with (shared_folder() / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder = new_folder() / "postgres"
            run_aside(_make_migrated(EmbeddedPostgres(folder, _FAST)))
            folder.rename(made)
    return made


async def _make_migrated(server: EmbeddedPostgres) -> None:
    await server.start()
    await migrate(server.dsn)
    await server.stop()


def copy_migrated_cluster(folder: Path) -> None:
    """Put the data of a stopped server, migrated, into `folder` if it doesn't exist.

    Copying it takes a tenth of a second, creating it five.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # As root the files belong to another user, which cp keeps and shutil doesn't.
    subprocess.run(["cp", "-a", migrated_cluster(), folder], check=True)


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """A new private folder for an engine or a server of its own."""
    folder = new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A running server; its `dsn` names a database that tests don't touch."""
    folder = new_folder()
    copy_migrated_cluster(folder / "postgres")
    server = EmbeddedPostgres(folder / "postgres", _FAST)
    run_aside(server.start())
    yield server
    run_aside(server.stop())
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    """The name of a database with the newest schema, to be copied and not connected to."""

    async def make() -> None:
        # Nobody may be connected to the one that is copied.
        another = with_database(postgres_server.dsn, "postgres")
        await execute(another, f"CREATE DATABASE migrated TEMPLATE {ROLE} STRATEGY FILE_COPY")
        connection = await asyncpg.connect(with_database(postgres_server.dsn, "migrated"))
        for table in PARTITIONED:
            await ensure_months(Connection(connection), table, FIXED_MONTH, FIXED_MONTH)
        await connection.close()

    run_aside(make())
    return "migrated"


@pytest.fixture
async def empty_database_dsn(postgres_server: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of a new database without tables."""
    name = f"test_{next(_numbers)}"
    await execute(postgres_server.dsn, f"CREATE DATABASE {name}")
    yield with_database(postgres_server.dsn, name)
    await execute(postgres_server.dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database_dsn(postgres_server: EmbeddedPostgres, migrated_template: str) -> AsyncIterator[str]:
    """The address of a new database with the newest schema, and the partitions of this and of the fixed month."""
    # Files are copied three times faster than PostgreSQL's own way, which writes each page to its log.
    name = f"test_{next(_numbers)}"
    await execute(postgres_server.dsn, f"CREATE DATABASE {name} TEMPLATE {migrated_template} STRATEGY FILE_COPY")
    yield with_database(postgres_server.dsn, name)
    await execute(postgres_server.dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def patient_pool(dsn: str, *, max_size: int = 20) -> Pool:
    """Return a pool that outlasts the seconds for which a shared machine may stand still."""
    return await create_pool(
        dsn,
        init_size=1,
        max_size=max_size,
        connect_timeout_seconds=PATIENCE_SECONDS,
        command_timeout_seconds=PATIENCE_SECONDS,
    )


def patient_database(
    pool: Pool, bus: MessageBus, clock: Clock, *, archives: Archives | None = None
) -> PostgresDatabase:
    """Return a database that waits for a connection as long as `patient_pool` does."""
    return PostgresDatabase(pool, bus, clock, archives=archives, acquire_timeout_seconds=PATIENCE_SECONDS)


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[Pool]:
    """A pool on a new database."""
    pool = await patient_pool(database_dsn)
    yield pool
    await pool.close()


@pytest.fixture
async def database(pool: Pool) -> AsyncIterator[PostgresDatabase]:
    """A `PostgresDatabase` on a new database, with a bus of its own."""
    bus = EmbeddedBus()
    database = patient_database(pool, bus, SystemClock())
    yield database
    await database.close()
    await bus.close()


IDLE_AS_LONG_AS_IT_TAKES = "SET LOCAL idle_in_transaction_session_timeout = 0"
"""For a transaction that waits for another program: the engine's own may be idle for 30 s."""


async def somebody_waits_for_a_lock(pool: Pool) -> None:
    """Return when a connection to the same database waits for a row that another transaction holds."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await pool.fetchval(query):  # noqa: ASYNC110  # the database tells no event of it
            await asyncio.sleep(0.01)
