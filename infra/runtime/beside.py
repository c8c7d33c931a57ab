"""What a command works on that may run beside an engine: the engine's database and sandbox, or its own for a while."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.clock import SystemClock
from infra.postgres.embedded import EmbeddedPostgres
from infra.postgres.migrate import current_is_head, migrate
from infra.postgres.pool import Pool, create_pool
from infra.runtime.data_dir import DataDir, DataDirInUse
from infra.runtime.foundations import database
from infra.runtime.refusals import CannotStart
from infra.runtime.sandbox_child import SandboxAddress, running_sandbox_address
from infra.runtime.venues import SANDBOX, sandbox, venues
from infra.settings import Settings
from infra.venues.registry import Venues

STARTING_SECONDS = 30.0
"""How long an engine that holds the data directory may take until its database or its sandbox answers."""
BULK_STATEMENT_SECONDS = 600.0
_POLL_SECONDS = 0.1


@dataclass
class Beside:
    """The surroundings of one command. `held` is the data directory where no engine runs on it."""

    settings: Settings
    held: DataDir | None
    stack: AsyncExitStack = field(repr=False)

    async def pool(self) -> Pool:
        """Return connections to a database of this version, for long statements; raises `CannotStart`."""
        dsn = await self._dsn()
        pool = await create_pool(dsn, init_size=1, max_size=4, command_timeout_seconds=BULK_STATEMENT_SECONDS)
        self.stack.push_async_callback(pool.close)
        # An engine that starts at this moment may be migrating.
        deadline = time.monotonic() + (STARTING_SECONDS if self.held is None else 0)
        while not await current_is_head(pool):
            if time.monotonic() > deadline or self.settings.database_url is not None:
                raise CannotStart("the database has another schema version; run: r3edge migrate")
            await asyncio.sleep(_POLL_SECONDS)
        return pool

    async def venues(self, name: str) -> Venues:
        """Return the venues that the settings name; the sandbox is only started where it is `name`."""
        # A venue is connected with its first use, so an address that nobody asks for does no harm.
        address = await self._sandbox() if name == SANDBOX else SandboxAddress("http://127.0.0.1:1", "")
        return await self.stack.enter_async_context(venues(self.settings, address, SystemClock()))

    async def _dsn(self) -> str:
        if self.settings.database_url is not None:
            return self.settings.database_url.get_secret_value()
        if self.held is None:
            return await _of_the_engine(_folder(self.settings))
        dsn = await self.stack.enter_async_context(database(self.settings, self.held))
        await migrate(dsn)
        return dsn

    async def _sandbox(self) -> SandboxAddress:
        if self.held is not None:
            return await self.stack.enter_async_context(sandbox(self.settings, self.held))
        if self.settings.sandbox_url is not None and self.settings.sandbox_token is not None:
            return SandboxAddress(self.settings.sandbox_url.rstrip("/"), self.settings.sandbox_token.get_secret_value())
        return await _running_sandbox(_folder(self.settings))


@asynccontextmanager
async def beside_engine(settings: Settings, purpose: str) -> AsyncGenerator[Beside]:
    """Give the surroundings of a command called `purpose`.

    Where an engine runs on the data directory its PostgreSQL and its sandbox are used, and left alone at the end; else
    the directory is held, and what is needed is started and stopped. With a database and a sandbox of the operator's
    own the data directory isn't looked at.
    """
    async with AsyncExitStack() as stack:
        yield Beside(settings, _held(settings, purpose, stack), stack)


def _held(settings: Settings, purpose: str, stack: AsyncExitStack) -> DataDir | None:
    if settings.database_url is not None and settings.sandbox_url is not None:
        return None
    try:
        held = DataDir.hold(settings.data_dir, purpose)
    except DataDirInUse:
        return None
    stack.callback(held.release)
    return held


def _folder(settings: Settings) -> Path:
    return settings.data_dir.expanduser().absolute()


async def _of_the_engine(data_dir: Path) -> str:
    server = EmbeddedPostgres(data_dir / "postgres")
    if not await server.attach(STARTING_SECONDS):
        raise CannotStart(f"an engine holds {data_dir}, but its PostgreSQL doesn't answer; try again once it is ready")
    return server.dsn


async def _running_sandbox(data_dir: Path) -> SandboxAddress:
    async def known() -> SandboxAddress:
        while (address := running_sandbox_address(data_dir / SANDBOX)) is None:  # noqa: ASYNC110  # a file tells no event
            await asyncio.sleep(_POLL_SECONDS)
        return address

    try:
        return await asyncio.wait_for(known(), STARTING_SECONDS)
    except TimeoutError:
        text = f"an engine holds {data_dir}, but its sandbox exchange isn't there; try again once it is ready"
        raise CannotStart(text) from None
