"""`r3edge serve`: starts every part, says where it listens, and stops every part when asked to."""

import asyncio
import importlib
import importlib.metadata
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import structlog
import uvloop
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from domain.market_data.feed_manager import FeedManager
from domain.market_data.hub import MarketDataHub
from infra.listening import listening_problem
from infra.logging import configure_logging
from infra.metrics.bus import BusMetrics
from infra.metrics.market_data import MarketDataMetrics
from infra.metrics.venues import VenueMetrics
from infra.runtime.backends import Foundations, database, foundations
from infra.runtime.container import Parts, build_parts, build_services
from infra.runtime.credential_watcher import revocations
from infra.runtime.data_dir import DataDir
from infra.runtime.errors import REFUSALS, StartupError
from infra.runtime.garbage import spare_what_is_there
from infra.runtime.loop_monitor import LoopMonitor
from infra.runtime.node import missing, node_name, roles
from infra.runtime.resealing import reseal_credentials
from infra.runtime.sandbox_process import SandboxAddress
from infra.runtime.venues import sandboxes, venues
from infra.settings import Role, Settings
from infra.venues.registry import Venues
from infra.web.app import build_app, build_health_app
from infra.web.connection_limits import raise_descriptor_limit
from infra.web.context import ConnectionInfo
from infra.web.server import ServerConfig, WebServer
from infra.web.settings import WebSettings
from resolvers.context import RequestContext, Services
from resolvers.engine import EngineInfo
from schema import build_schema

CANNOT_START = 1
GRACE_SECONDS = 5

log = structlog.stdlib.get_logger("r3edge")


def run(settings: Settings) -> int:
    """Run the engine until it is told to stop; return the exit code."""
    configure_logging(settings.log_level, settings.log_format)
    raise_descriptor_limit()
    try:
        uvloop.run(_serve(settings))
    except REFUSALS as error:
        print(f"r3edge can't start: {error}", file=sys.stderr)  # noqa: T201  # the operator reads it
        return CANNOT_START
    return 0


async def _serve(settings: Settings) -> None:
    stopping = _stop_signals()
    data_dir = DataDir.hold(settings.data_dir)
    try:
        # The slowest import runs beside the start of the database and the sandbox.
        warming = asyncio.create_task(asyncio.to_thread(importlib.import_module, "ccxt.pro.binance"))
        async with _outside(settings, data_dir) as (base, all_venues):
            await warming
            await _run_node(settings, base, all_venues, data_dir.secret_key(settings), stopping)
    finally:
        data_dir.release()


@asynccontextmanager
async def _outside(settings: Settings, data_dir: DataDir) -> AsyncGenerator[tuple[Foundations, Venues]]:
    """Start the database and the sandboxes, both at once, and connect to them."""
    exchange = _Opened(sandboxes(settings, data_dir))
    starting = asyncio.create_task(exchange.open())
    try:
        async with database(settings, data_dir) as dsn, foundations(settings, dsn) as base:
            addresses = await starting
            async with venues(settings, addresses, base.clock) as all_venues:
                await all_venues.share_bans(base.bus)
                yield base, all_venues
    finally:
        await exchange.close(starting)


class _Opened:
    """A context manager that is entered in one task and left in another."""

    def __init__(self, manager: AbstractAsyncContextManager[dict[str, SandboxAddress]]) -> None:
        self._manager = manager

    async def open(self) -> dict[str, SandboxAddress]:
        return await self._manager.__aenter__()

    async def close(self, starting: "asyncio.Task[dict[str, SandboxAddress]]") -> None:
        await asyncio.wait([starting])
        if starting.exception() is None:
            await self._manager.__aexit__(None, None, None)


async def _run_node(
    settings: Settings, base: Foundations, all_venues: Venues, key: bytes, stopping: asyncio.Event
) -> None:
    hub = MarketDataHub(
        base.bus, base.cache, base.storage, base.clock, all_venues.venue_now, settings.max_feeds_per_venue
    )
    await hub.start()
    parts = build_parts(base, all_venues, hub, key, settings.earlier_keys)
    if settings.earlier_keys:
        await reseal_credentials(base.storage, parts.vault)
    try:
        async with roles(parts, settings, node_name(parts)) as feeds:
            await _listen(settings, parts, feeds, stopping)
    finally:
        await hub.close()
        parts.hasher.close()


async def _listen(settings: Settings, parts: Parts, feeds: FeedManager | None, stopping: asyncio.Event) -> None:
    async def healthy() -> bool:
        return not await missing(parts, settings)

    facts = EngineInfo(importlib.metadata.version("r3edge-engine"), parts.base.clock.now(), healthy)
    registry = CollectorRegistry()
    MarketDataMetrics(registry, parts.hub, feeds)
    VenueMetrics(registry, parts.venues)
    BusMetrics(registry, parts.base.bus)
    app = _app(settings, parts, build_services(parts, settings, facts), registry)
    base = parts.base
    async with revocations(base.storage, base.bus, base.clock, parts.authenticator, app.state.connections):
        server = _Server(app, ServerConfig(app, web_settings(settings), settings.host, settings.port))
        server.told_at_start, server.roles = _told_at_start(settings), ",".join(settings.roles)
        spare_what_is_there()
        serving = asyncio.create_task(server.serve())
        stop = asyncio.create_task(stopping.wait())
        watching = asyncio.create_task(LoopMonitor(registry).run(), name="loop monitor")
        await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
        if server.started:
            log.info("engine_stopping")
        server.should_exit = True
        await serving
        stop.cancel()
        watching.cancel()


def _app(settings: Settings, parts: Parts, services: Services, registry: CollectorRegistry) -> Starlette:
    async def context(credential: str | None, connection: ConnectionInfo) -> RequestContext:
        identity = await parts.authenticator.identify(credential) if credential else None
        return RequestContext(services, identity, connection.network, opened_by_user=connection.opened_by_user)

    web = web_settings(settings)
    if Role.WEB not in settings.roles:
        return build_health_app(lambda: missing(parts, settings), registry, web)
    return build_app(build_schema(), context, web, lambda: missing(parts, settings), registry)


def web_settings(settings: Settings) -> WebSettings:
    """Return how the web server behaves by the engine's settings."""
    return WebSettings(
        introspection=settings.introspection,
        suggestions=settings.introspection if settings.field_suggestions is None else settings.field_suggestions,
        graphiql=settings.graphiql,
        gzip_min_bytes=settings.gzip_min_bytes,
        allowed_origins=settings.allowed_origins,
        allowed_hosts=(*settings.allowed_hosts, settings.host),
        trusted_proxies=settings.trusted_proxies,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
    )


class _Server(WebServer):
    """The web server without its signal handling, which is the engine's, and that says where it listens."""

    told_at_start: Sequence[str] = ()
    roles = ""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the engine, which stops its parts in order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say where; raises `StartupError`."""
        try:
            await super().startup(sockets)
        except (SystemExit, UnicodeError) as end:  # uvicorn's way to end when it can't listen; a name that can't be one
            cause = end.__context__ if isinstance(end, SystemExit) else end
            raise StartupError(listening_problem(self.config.host, self.config.port, cause)) from None
        if self.started:
            self._announce()

    def _announce(self) -> None:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        version = importlib.metadata.version("r3edge-engine")
        log.info("engine_started", version=version, address=address, roles=self.roles)
        for line in self.told_at_start:
            print(line.format(address), flush=True)  # noqa: T201  # the first thing to know


def _told_at_start(settings: Settings) -> list[str]:
    if Role.WEB not in settings.roles:
        return ["r3edge-engine serves health and metrics on {}"]
    return ["r3edge-engine listens on {}/graphql", *(["GraphiQL: {}/graphiql"] if settings.graphiql else [])]


def _stop_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
