"""Opens the venues of the settings: the sandboxes, embedded or shared, and those of ccxt."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from domain.core.clock import Clock
from infra.runtime.data_dir import DataDir
from infra.runtime.sandbox_process import SandboxAddress, SandboxChild, mirror_program, sandbox_program
from infra.settings import Settings
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues

SANDBOX = "sandbox"


@asynccontextmanager
async def sandboxes(settings: Settings, data_dir: DataDir) -> AsyncGenerator[dict[str, SandboxAddress]]:
    """Give the addresses of the sandbox exchanges by their venues' names; embedded ones start, and stop at the end."""
    async with AsyncExitStack() as stack:
        found = {SANDBOX: await stack.enter_async_context(sandbox(settings, data_dir))}
        if settings.mirror_venue is not None:
            found[settings.mirror_venue] = await stack.enter_async_context(mirror(settings, data_dir))
        yield found


@asynccontextmanager
async def sandbox(settings: Settings, data_dir: DataDir) -> AsyncGenerator[SandboxAddress]:
    """Give the address of the sandbox exchange; the embedded one is started, and stopped at the end."""
    if (shared := shared_sandbox(settings)) is not None:
        yield shared
        return
    async with _child(data_dir.folder / SANDBOX, sandbox_program(settings)) as address:
        yield address


@asynccontextmanager
async def mirror(settings: Settings, data_dir: DataDir) -> AsyncGenerator[SandboxAddress]:
    """Give the address of the sandbox exchange that mirrors a live venue, as `sandbox` does."""
    if (shared := shared_mirror(settings)) is not None:
        yield shared
        return
    assert settings.mirror_venue is not None
    async with _child(data_dir.folder / settings.mirror_venue, mirror_program(settings)) as address:
        yield address


def shared_sandbox(settings: Settings) -> SandboxAddress | None:
    """Return the sandbox exchange that the operator runs; None if the engine starts one."""
    return _shared(settings.sandbox_url, settings.sandbox_token)


def shared_mirror(settings: Settings) -> SandboxAddress | None:
    """Return the mirror that the operator runs; None if the engine starts one."""
    return _shared(settings.mirror_sandbox_url, settings.mirror_sandbox_token)


def _shared(url: str | None, token: SecretStr | None) -> SandboxAddress | None:
    return None if url is None or token is None else SandboxAddress(url.rstrip("/"), token.get_secret_value())


@asynccontextmanager
async def _child(folder: Path, program: Sequence[str]) -> AsyncGenerator[SandboxAddress]:
    child = SandboxChild(folder, program)
    try:
        yield await child.start()
    finally:
        await child.stop()


@asynccontextmanager
async def venues(settings: Settings, addresses: Mapping[str, SandboxAddress], clock: Clock) -> AsyncGenerator[Venues]:
    """Give all venues; they are connected when first used."""
    # Every sandbox speaks Binance's protocol, whichever venue it mirrors.
    named = [VenueSettings(name, "binance", address.url, live=False) for name, address in addresses.items()]
    named += [VenueSettings(name, name, None, live=True) for name in settings.venues]
    all_venues = Venues(named, clock, {name: address.token for name, address in addresses.items()})
    try:
        yield all_venues
    finally:
        await all_venues.close()
