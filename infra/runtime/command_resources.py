"""What a command works on that may run beside an engine: the engine's database and sandbox, or its own for a while."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.clock import SystemClock
from infra.postgres.migrate import is_up_to_date, migrate
from infra.postgres.pool import Pool, create_pool
from infra.postgres.server.embedded import EmbeddedPostgres
from infra.runtime.backends import SchemaOutdated, database, wait_for_database
from infra.runtime.data_dir import DataDir, DataDirInUse
from infra.runtime.errors import StartupError
from infra.runtime.sandbox_process import SandboxAddress, find_running_sandbox
from infra.runtime.venues import SANDBOX, mirror, sandbox, shared_mirror, shared_sandbox, venues
from infra.settings import Settings
from infra.venues.registry import Venues

STARTING_SECONDS = 30.0
"""How long an engine that holds the data directory may take until its database or its sandbox answers."""
BULK_STATEMENT_SECONDS = 600.0
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 1.0


@dataclass
class CommandResources:
    """The surroundings of one command. What is held and started is let go of when `stack` closes."""

    settings: Settings
    purpose: str
    stack: AsyncExitStack = field(repr=False)
    _held: DataDir | None = None

    async def pool(self) -> Pool:
        """Return connections to a database of this version, for long statements; raises `StartupError`."""
        dsn = await self._dsn()
        pool = await create_pool(dsn, init_size=1, max_size=4, command_timeout_seconds=BULK_STATEMENT_SECONDS)
        self.stack.push_async_callback(pool.close)
        # An engine that starts at this moment may be migrating.
        deadline = time.monotonic() + (STARTING_SECONDS if self._held is None else 0)
        while not await is_up_to_date(pool):
            if time.monotonic() > deadline or self.settings.database_url is not None:
                raise SchemaOutdated
            await asyncio.sleep(_POLL_SECONDS)
        return pool

    async def venues(self, name: str) -> Venues:
        """Return the venues that the settings name; a sandbox is only started where it is `name`."""
        # A venue is connected with its first use, so an address that nobody asks for does no harm.
        names = [SANDBOX, *([self.settings.mirror_venue] if self.settings.mirror_venue else [])]
        addresses = dict.fromkeys(names, SandboxAddress("http://127.0.0.1:1", ""))
        if name in addresses:
            addresses[name] = await self._sandbox(name)
        return await self.stack.enter_async_context(venues(self.settings, addresses, SystemClock()))

    async def _dsn(self) -> str:
        if self.settings.database_url is not None:
            dsn = self.settings.database_url.get_secret_value()
            await wait_for_database(dsn)
            return dsn
        server = EmbeddedPostgres(_folder(self.settings) / "postgres")
        async for held in self._holding("PostgreSQL"):
            if held is not None:
                dsn = await self.stack.enter_async_context(database(self.settings, held))
                await migrate(dsn)
                return dsn
            if await server.attach(_LOOK_SECONDS):
                return server.dsn
        raise AssertionError("the last look raises")

    async def _sandbox(self, name: str) -> SandboxAddress:
        shared = shared_sandbox(self.settings) if name == SANDBOX else shared_mirror(self.settings)
        if shared is not None:
            return shared
        async for held in self._holding("sandbox exchange"):
            if held is not None:
                opened = sandbox if name == SANDBOX else mirror
                return await self.stack.enter_async_context(opened(self.settings, held))
            if (address := find_running_sandbox(_folder(self.settings) / name)) is not None:
                return address
        raise AssertionError("the last look raises")

    async def _holding(self, part: str) -> AsyncIterator[DataDir | None]:
        """Yield the data directory as often as `part` is looked for, None while an engine holds it.

        An engine that is starting hasn't got the part yet, and one that is stopping lets go of the directory soon.
        """
        deadline = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < deadline:
            yield self._hold()
            await asyncio.sleep(_POLL_SECONDS)
        folder = self.settings.data_dir
        raise StartupError(f"an engine runs on {folder}, but its {part} doesn't answer; try again once it is ready")

    def _hold(self) -> DataDir | None:
        """Hold the data directory; None where an engine, or another command, does."""
        if self._held is None:
            try:
                self._held = DataDir.hold(self.settings.data_dir, self.purpose)
            except DataDirInUse:
                return None
            self.stack.callback(self._held.release)
        return self._held


@asynccontextmanager
async def open_command_resources(settings: Settings, purpose: str) -> AsyncGenerator[CommandResources]:
    """Give the surroundings of a command called `purpose`.

    Where an engine runs on the data directory its PostgreSQL and its sandbox are used, and left alone at the end; else
    the directory is held, and what is asked for is started and stopped. Where all that is asked for is the operator's
    own, the data directory isn't looked at.
    """
    async with AsyncExitStack() as stack:
        yield CommandResources(settings, purpose, stack)


def _folder(settings: Settings) -> Path:
    return settings.data_dir.expanduser().absolute()
