"""Makes traces while the engine runs, if the settings say where to send them."""

import importlib.metadata
from asyncio import timeout
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from domain.core.tracing import set_tracer
from infra.runtime.errors import StartupError
from infra.settings import Settings

GOODBYE_SECONDS: Final = 3.0
"""How long the last spans may take; a collector that is away doesn't keep the engine from ending."""


@asynccontextmanager
async def traces(settings: Settings, node: str) -> AsyncGenerator[None]:
    """Make traces inside the block; raises `StartupError` if what it takes isn't installed."""
    if settings.traces_url is None:
        yield
        return
    try:
        from infra.tracing import open_tracer  # noqa: PLC0415  # it is there with the extra alone
    except ModuleNotFoundError:
        raise StartupError("R3EDGE_TRACES_URL needs the extra otel: pip install 'r3edge-engine[otel]'") from None
    version = importlib.metadata.version("r3edge-engine")
    tracer = open_tracer(settings.traces_url, settings.traces_share, version, node)
    set_tracer(tracer)
    try:
        yield
    finally:
        set_tracer(None)
        with suppress(TimeoutError):
            async with timeout(GOODBYE_SECONDS):
                await tracer.close()
