"""Opens the backends: the database, the cache and the bus, embedded or shared."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from domain.core.background import BackgroundTasks
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.ports.bus import MessageBus
from domain.ports.cache import Cache
from infra.archive_storage.activity import ArchiveActivity
from infra.backup.folder import BackupFolder
from infra.backup.recovery import refuse_unfinished
from infra.backup.wal import archive_settings, prepare_wal_folder
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.archive.archives import Archives
from infra.postgres.database import PostgresDatabase
from infra.postgres.hosts import display_address
from infra.postgres.migrate import is_up_to_date, migrate
from infra.postgres.pool import (
    Pool,
    close_pool,
    connect,
    connection_error_reason,
    create_pool,
    create_standby_pool,
)
from infra.postgres.replicas import Replicas
from infra.postgres.server.embedded import DATA_FOLDER, EmbeddedPostgres
from infra.postgres.server.installation import EmbeddedPostgresError
from infra.postgres.server.server_user import server_user
from infra.runtime.archive import archiver_of, open_archives
from infra.runtime.data_dir import DataDir
from infra.setting_types import decode_secret_key
from infra.settings import Role, Settings

if TYPE_CHECKING:
    from infra.postgres.archive.archivers import Archivers

WARM_CONNECTIONS = 8
"""Connections opened at the start: one opened in the middle of an order would delay it by several milliseconds."""

LEASE_CONNECTIONS = 2
"""Connections that nothing but leases uses: they are renewed however busy all others are."""

_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Backends:
    """The database, cache and bus, with the clock and the id generator.

    `lease_database` is the same database, by connections of its own.
    """

    pool: Pool
    database: PostgresDatabase
    lease_database: PostgresDatabase
    cache: Cache
    bus: MessageBus
    clock: Clock
    ids: IdGenerator
    archives: Archives
    archiver: "Archivers | None" = None
    archive_activity: ArchiveActivity = field(default_factory=ArchiveActivity)
    replicas: Replicas | None = None


@asynccontextmanager
async def database(settings: Settings, data_dir: DataDir | None) -> AsyncGenerator[str]:
    """Give the DSN of the settings' database; the embedded one is started, and stopped at the end.

    Raises `BackupsUnusable` if it is half restored.
    """
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        await wait_for_database(dsn)
        yield dsn
        return
    assert data_dir is not None
    refuse_unfinished(data_dir.folder)
    server = EmbeddedPostgres(data_dir.folder / "postgres", backup_settings(settings, data_dir.folder / "postgres"))
    try:
        await server.start()
        async with _keep_alive(server):
            yield server.dsn
    finally:
        await server.stop()


def backup_settings(settings: Settings, folder: Path) -> Mapping[str, str]:
    """Return what the embedded PostgreSQL in `folder` needs to copy its log to the folder of backups, if there is one.

    Raises `EmbeddedPostgresError` if the server's user can't write there.
    """
    if settings.backups is None:
        return {}
    wal = BackupFolder(Path(settings.backups)).wal
    try:
        prepare_wal_folder(wal, server_user(folder / DATA_FOLDER))
    except OSError as error:
        raise EmbeddedPostgresError(f"backups can't be kept in {settings.backups}: {error.strerror}") from error
    return archive_settings(wal)


class SchemaOutdated(Exception):
    """The settings' database has an older schema than this code."""

    def __init__(self) -> None:
        super().__init__("the database has another schema version; run: r3edge migrate")


class DatabaseUnreachable(Exception):
    """The settings' database doesn't answer."""

    def __init__(self, dsn: str, cause: BaseException | None) -> None:
        super().__init__(f"the database at {display_address(dsn)} can't be reached: {connection_error_reason(cause)}")


async def wait_for_database(dsn: str, timeout_seconds: float = 0) -> None:
    """Return once the database answers, trying again until the timeout; raises `DatabaseUnreachable`.

    With a timeout of 0 it is tried once.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            await (await connect(dsn)).close()
        except Unavailable as error:
            if time.monotonic() >= deadline:
                raise DatabaseUnreachable(dsn, error.__cause__) from None
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


@asynccontextmanager
async def _keep_alive(server: EmbeddedPostgres) -> AsyncGenerator[None]:
    async with BackgroundTasks() as tasks:
        tasks.start(server.keep_alive(), name="postgresql")
        yield


@asynccontextmanager
async def open_backends(settings: Settings, dsn: str) -> AsyncGenerator[Backends]:
    """Open a migrated database, and the cache and the bus that the settings name.

    The embedded database is migrated here; a shared one by the operator, since an old node may use it.
    Raises `SchemaOutdated` if that wasn't done, `DatabaseIsNewer` and `ArchiveNotSet`.
    The caller holds the data directory of an embedded one, so the holders of its leases are dead.
    """
    clock, ids = SystemClock(), TimeOrderedIds()
    if settings.database_url is None:
        await migrate(dsn)
    async with AsyncExitStack() as stack:
        cache, bus = await open_cache_and_bus(settings, clock, stack)
        size = settings.database_pool_size
        pool = await create_pool(dsn, init_size=min(WARM_CONNECTIONS, size), max_size=size)
        stack.push_async_callback(close_pool, pool)
        if not await is_up_to_date(pool):
            raise SchemaOutdated
        lease_pool = await create_pool(dsn, init_size=1, max_size=LEASE_CONNECTIONS)
        stack.push_async_callback(close_pool, lease_pool)
        activity = ArchiveActivity()
        archives = await open_archives(settings, pool, activity)
        replicas = await _replicas(settings, clock, stack)
        database = PostgresDatabase(pool, bus, clock, archives=archives, replicas=replicas)
        lease_database = PostgresDatabase(lease_pool, bus, clock)
        stack.push_async_callback(database.close)
        if settings.database_url is None:
            async with database.transaction() as transaction:
                await transaction.leases.release_all()
                await transaction.jobs.release_all()
                await transaction.optimizations.release_all()
                await transaction.overview.delete_all_nodes()
        archiver = (
            await stack.enter_async_context(archiver_of(settings, dsn, activity))
            if Role.WORKER in settings.roles
            else None
        )
        yield Backends(pool, database, lease_database, cache, bus, clock, ids, archives, archiver, activity, replicas)


async def _replicas(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Replicas | None:
    if settings.replica_database_url is None:
        return None
    size = settings.database_pool_size
    pool = await create_standby_pool(settings.replica_database_url.get_secret_value(), max_size=size)
    stack.push_async_callback(close_pool, pool)
    return Replicas(pool, clock, settings.replica_max_lag_seconds)


async def open_cache_and_bus(settings: Settings, clock: Clock, stack: AsyncExitStack) -> tuple[Cache, MessageBus]:
    """Return the cache and the bus that the settings name, until the stack closes."""
    options = settings.hazelcast_options
    if options is None:
        cache, bus = EmbeddedCache(clock), EmbeddedBus()
        stack.push_async_callback(cache.close)
        stack.push_async_callback(bus.close)
        return cache, bus
    # Loading Hazelcast's client takes half a second, which a node without a cluster need not wait for.
    from infra.hazelcast.bus import HazelcastBus  # noqa: PLC0415
    from infra.hazelcast.cache import HazelcastCache  # noqa: PLC0415
    from infra.hazelcast.client import HazelcastConnection  # noqa: PLC0415
    from infra.hazelcast.seal import Seal  # noqa: PLC0415

    connection = HazelcastConnection(options, clock)
    await connection.start()
    stack.push_async_callback(connection.close)
    assert settings.secret_key is not None, "settings with members have a key"
    seal = Seal(decode_secret_key(settings.secret_key.get_secret_value()), settings.earlier_keys)
    shared_cache, shared_bus = HazelcastCache(connection, clock, seal), HazelcastBus(connection, seal, clock)
    stack.push_async_callback(shared_cache.close)
    stack.push_async_callback(shared_bus.close)
    return shared_cache, shared_bus
