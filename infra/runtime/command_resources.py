"""The database and venues of a command: those of a running engine, or its own for as long as it runs."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.clock import SystemClock
from infra.postgres.archive.archives import Archives
from infra.postgres.migrate import is_up_to_date, migrate
from infra.postgres.pool import Pool, create_pool
from infra.postgres.server.embedded import EmbeddedPostgres
from infra.runtime.archive import open_archives
from infra.runtime.backends import SchemaOutdated, database, wait_for_database
from infra.runtime.data_dir import DataDir, DataDirInUse
from infra.runtime.errors import StartupError
from infra.runtime.sandbox_process import SandboxAddress, find_running_sandbox
from infra.runtime.venues import SANDBOX, mirror, sandbox, shared_mirror, shared_sandbox, venues
from infra.settings import Settings
from infra.venues.registry import Venues

STARTING_SECONDS = 30.0
"""Time allowed to an engine that holds the data directory until its database or its sandbox answers."""
BULK_STATEMENT_SECONDS = 600.0
_POLL_SECONDS = 0.1
_ATTACH_SECONDS = 1.0


@dataclass
class CommandResources:
    """The database and venues of a command; closing `stack` stops what it started and releases the data directory."""

    settings: Settings
    purpose: str
    stack: AsyncExitStack = field(repr=False)
    _held: DataDir | None = None

    async def pool(self, statement_seconds: float = BULK_STATEMENT_SECONDS) -> Pool:
        """Return connections to a database of this version, for long statements; raises `StartupError`."""
        dsn = await self.dsn()
        pool = await create_pool(dsn, init_size=1, max_size=4, command_timeout_seconds=statement_seconds)
        self.stack.push_async_callback(pool.close)
        # An engine that starts at this moment may be migrating.
        deadline = time.monotonic() + (STARTING_SECONDS if self._held is None else 0)
        while not await is_up_to_date(pool):
            if time.monotonic() > deadline or self.settings.database_url is not None:
                raise SchemaOutdated
            await asyncio.sleep(_POLL_SECONDS)
        return pool

    async def archives(self, pool: Pool) -> Archives:
        """Return what is archived, for queries; raises `ArchiveNotSet`."""
        return await open_archives(self.settings, pool)

    async def venues(self, name: str) -> Venues:
        """Return the venues that the settings name; a sandbox is only started if it is `name`."""
        # A venue is connected at its first use, so the placeholder address of an unused one does no harm.
        names = [SANDBOX, *([self.settings.mirror_venue] if self.settings.mirror_venue else [])]
        addresses = dict.fromkeys(names, SandboxAddress("http://127.0.0.1:1", ""))
        if name in addresses:
            addresses[name] = await self._sandbox(name)
        return await self.stack.enter_async_context(venues(self.settings, addresses, SystemClock()))

    async def dsn(self) -> str:
        """Return the address of the database, which is started if it is embedded and no engine runs on it."""
        if self.settings.database_url is not None:
            dsn = self.settings.database_url.get_secret_value()
            await wait_for_database(dsn)
            return dsn
        server = EmbeddedPostgres(_folder(self.settings) / "postgres")
        async for held in self._hold_or_wait("PostgreSQL"):
            if held is not None:
                dsn = await self.stack.enter_async_context(database(self.settings, held))
                await migrate(dsn)
                return dsn
            if await server.attach(_ATTACH_SECONDS):
                return server.dsn
        raise AssertionError("_hold_or_wait raises at its deadline")

    async def _sandbox(self, name: str) -> SandboxAddress:
        shared = shared_sandbox(self.settings) if name == SANDBOX else shared_mirror(self.settings)
        if shared is not None:
            return shared
        async for held in self._hold_or_wait("sandbox exchange"):
            if held is not None:
                opened = sandbox if name == SANDBOX else mirror
                return await self.stack.enter_async_context(opened(self.settings, held))
            if (address := find_running_sandbox(_folder(self.settings) / name)) is not None:
                return address
        raise AssertionError("_hold_or_wait raises at its deadline")

    async def _hold_or_wait(self, part: str) -> AsyncIterator[DataDir | None]:
        """Yield the data directory, or None while an engine holds it, once per attempt to find its `part`.

        Several attempts, since a starting engine doesn't have the part yet, and a stopping one soon releases the
        directory. Raises `StartupError` after `STARTING_SECONDS`.
        """
        deadline = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < deadline:
            yield self._hold()
            await asyncio.sleep(_POLL_SECONDS)
        folder = self.settings.data_dir
        raise StartupError(f"an engine runs on {folder}, but its {part} doesn't answer; try again once it is ready")

    def _hold(self) -> DataDir | None:
        """Hold the data directory; return None if an engine or another command holds it."""
        if self._held is None:
            try:
                self._held = DataDir.hold(self.settings.data_dir, self.purpose)
            except DataDirInUse:
                return None
            self.stack.callback(self._held.release)
        return self._held


@asynccontextmanager
async def open_command_resources(settings: Settings, purpose: str) -> AsyncGenerator[CommandResources]:
    """Give the resources of a command called `purpose`.

    If an engine runs on the data directory, its PostgreSQL and its sandbox are used, and left running at the end.
    Otherwise the directory is held, and what is asked for is started, and stopped at the end. The data directory isn't
    touched if all that is asked for is shared (`R3EDGE_DATABASE_URL` and its like).
    """
    async with AsyncExitStack() as stack:
        yield CommandResources(settings, purpose, stack)


def _folder(settings: Settings) -> Path:
    return settings.data_dir.expanduser().absolute()
