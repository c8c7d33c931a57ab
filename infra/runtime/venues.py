"""The venues that the settings name: the sandbox, embedded or shared, and ccxt's."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from domain.clock import Clock
from infra.runtime.data_dir import DataDir
from infra.runtime.sandbox_child import SandboxAddress, SandboxChild
from infra.settings import Settings
from infra.venues.registry import Venues
from infra.venues.venue import VenueSettings

SANDBOX = "sandbox"


@asynccontextmanager
async def sandbox(settings: Settings, data_dir: DataDir) -> AsyncGenerator[SandboxAddress]:
    """Give the address of the sandbox exchange; the embedded one is started, and stopped at the end."""
    if settings.sandbox_url is not None and settings.sandbox_token is not None:
        yield SandboxAddress(settings.sandbox_url.rstrip("/"), settings.sandbox_token.get_secret_value())
        return
    child = SandboxChild(data_dir.folder / SANDBOX, settings)
    try:
        yield await child.start()
    finally:
        await child.stop()


@asynccontextmanager
async def venues(settings: Settings, address: SandboxAddress, clock: Clock) -> AsyncGenerator[Venues]:
    """Give all venues; they are connected when first used."""
    named = [VenueSettings(SANDBOX, "binance", address.url, live=False)]
    named += [VenueSettings(name, name, None, live=True) for name in settings.venues]
    all_venues = Venues(named, clock, {SANDBOX: address.token})
    try:
        yield all_venues
    finally:
        await all_venues.close()
