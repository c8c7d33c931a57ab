"""Runs the engine: starts every part, prints its address, and stops every part on SIGTERM or Ctrl-C."""

import asyncio
import gc
import importlib
import importlib.metadata
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext

import structlog
import uvloop
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from domain.administration.nodes import has_successor
from domain.market_data.hub import MarketDataHub
from domain.model.users import Device
from domain.users.subscription_places import SubscriptionPlaces
from infra.listening import listen_error
from infra.logging import configure_logging
from infra.report_files.page import POLICY
from infra.runtime.backends import Backends, database, open_backends
from infra.runtime.container import Container, build_container, build_services
from infra.runtime.credential_watcher import close_revoked_connections
from infra.runtime.data_dir import DataDir
from infra.runtime.document_watcher import following_known_documents
from infra.runtime.errors import STARTUP_ERRORS, StartupError
from infra.runtime.loop_monitor import LoopMonitor
from infra.runtime.metrics import build_registry
from infra.runtime.node import NodeWork, node_name, pending_dependencies, running_work
from infra.runtime.node_report import reporting_node
from infra.runtime.outgoing import open_outgoing
from infra.runtime.sandbox_process import SandboxAddress
from infra.runtime.stop_monitor import end_other_tasks, reporting_slow_stop
from infra.runtime.traces import traces
from infra.runtime.venues import sandboxes, venues
from infra.security import hash_keys, reseal_channels, reseal_credentials, reseal_secrets
from infra.settings import Role, Settings
from infra.strategy_plugins.catalogue import load_templates
from infra.venues.registry import Venues
from infra.web.app import Readiness, build_app, build_health_app
from infra.web.billing_hook import BillingHookRoute
from infra.web.connections.limits import raise_descriptor_limit
from infra.web.context import ConnectionInfo
from infra.web.downloads import TAX_EXPORTS_AT_ONCE, DownloadRoute, export_download, report_download, tax_download
from infra.web.server import ServerConfig, WebServer
from infra.web.settings import WebSettings
from infra.web.sign_in import SignInRoute
from infra.web.signal_hooks import SignalHookRoute
from resolvers.context import RequestContext
from resolvers.data_exports import EXPORT_PATH
from resolvers.reports import REPORT_PATH
from resolvers.services import EngineInfo, Services
from resolvers.taxes import TAX_PATH
from schema import build_schema

STARTUP_FAILED = 1

log = structlog.stdlib.get_logger("r3edge")


def run(settings: Settings) -> int:
    """Run the engine until it is asked to stop; return the exit code."""
    configure_logging(settings.log_level, settings.log_format)
    raise_descriptor_limit()
    try:
        uvloop.run(_serve(settings))
    except STARTUP_ERRORS as error:
        print(f"r3edge can't start: {error}", file=sys.stderr)  # noqa: T201  # the operator reads it
        return STARTUP_FAILED
    return 0


async def _serve(settings: Settings) -> None:
    stopping = _stop_signals()
    data_dir = DataDir.hold(settings.data_dir)
    try:
        # The slowest import runs while the database and the sandbox start.
        warming = asyncio.create_task(asyncio.to_thread(importlib.import_module, "ccxt.pro.binance"))
        async with reporting_slow_stop(stopping):
            async with _external_services(settings, data_dir) as (backends, all_venues):
                await warming
                await _run_node(settings, backends, all_venues, data_dir.secret_key(settings), stopping)
            await end_other_tasks()
    finally:
        data_dir.release()


@asynccontextmanager
async def _external_services(settings: Settings, data_dir: DataDir) -> AsyncGenerator[tuple[Backends, Venues]]:
    """Start the database and the sandboxes concurrently, and connect to them."""
    exchange = _CrossTaskContext(sandboxes(settings, data_dir))
    starting = asyncio.create_task(exchange.open())
    try:
        async with database(settings, data_dir) as dsn, open_backends(settings, dsn) as backends:
            addresses = await starting
            async with venues(settings, addresses, backends.clock) as all_venues:
                await all_venues.share_bans(backends.bus)
                yield backends, all_venues
    finally:
        await exchange.close(starting)


class _CrossTaskContext:
    """A context manager that is entered in one task and exited in another."""

    def __init__(self, manager: AbstractAsyncContextManager[dict[str, SandboxAddress]]) -> None:
        self._manager = manager

    async def open(self) -> dict[str, SandboxAddress]:
        return await self._manager.__aenter__()

    async def close(self, starting: "asyncio.Task[dict[str, SandboxAddress]]") -> None:
        await asyncio.wait([starting])
        if starting.exception() is None:
            await self._manager.__aexit__(None, None, None)


async def _run_node(
    settings: Settings, backends: Backends, all_venues: Venues, key: bytes, stopping: asyncio.Event
) -> None:
    hub = MarketDataHub(
        backends.bus,
        backends.cache,
        backends.database,
        backends.clock,
        all_venues.venue_now,
        settings.max_feeds_per_venue,
    )
    await hub.start()
    async with open_outgoing(settings, backends.clock) as outgoing:
        templates = await asyncio.to_thread(load_templates)
        container = build_container(backends, all_venues, hub, key, settings.earlier_keys, templates, outgoing)
        await _run_container(settings, container, stopping)


async def _run_container(settings: Settings, container: Container, stopping: asyncio.Event) -> None:
    backends, hub = container.backends, container.hub
    if settings.earlier_keys:
        await reseal_credentials(backends.database, container.vault)
        await reseal_secrets(backends.database, container.vault)
        await reseal_channels(backends.database, container.vault)
    await hash_keys(backends.database, container.vault)
    try:
        name = node_name(container)
        async with traces(settings, name), running_work(container, settings, name) as work:
            await _listen(settings, container, name, work, stopping)
    finally:
        await hub.close()
        container.hasher.close()


async def _listen(settings: Settings, container: Container, name: str, work: NodeWork, stopping: asyncio.Event) -> None:
    async def is_healthy() -> bool:
        return not await pending_dependencies(container, settings)

    async def readiness() -> Sequence[str]:
        return ["a node that doesn't drain"] if work.is_draining else await pending_dependencies(container, settings)

    engine_info = EngineInfo(
        importlib.metadata.version("r3edge-engine"),
        container.backends.clock.now(),
        is_healthy,
        settings.smtp_host is not None,
        settings.app_url,
    )
    services = build_services(container, settings, engine_info)
    registry = build_registry(container, work, services.events.followers, name, settings.roles)
    backends, loop_monitor = container.backends, LoopMonitor(registry)
    # One node alone counts in its memory.
    places = SubscriptionPlaces(backends.database, name) if settings.hazelcast_members else None
    app = _app(settings, container, services, registry, places, readiness)
    async with (
        close_revoked_connections(
            backends.database, backends.bus, backends.clock, container.authenticator, app.state.connections
        ),
        reporting_node(
            container, settings, name, engine_info.started_at, work, app.state.connections, loop_monitor
        ) as draining,
        _known_documents(settings, container, app),
    ):
        server = _Server(app, ServerConfig(app, web_settings(settings), settings.host, settings.port))
        server.startup_lines, server.roles = _startup_lines(settings), ",".join(settings.roles)
        # Modules, schema and markets live as long as the process; searching them for dead cycles took 50 to 180 ms.
        gc.freeze()
        gc.enable()
        serving = asyncio.create_task(server.serve())
        stop = asyncio.create_task(stopping.wait())
        watching: list[asyncio.Task[None]] = [asyncio.create_task(loop_monitor.run(), name="loop monitor")]
        if places is not None:
            watching.append(asyncio.create_task(places.run(), name="places of subscriptions"))
        await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
        if server.started:
            log.info("engine_stopping")
            # A node that nobody trades after answers what it was asked before it stops working, as one alone does.
            if settings.hazelcast_members and await has_successor(backends.database, name, Role.TRADER):
                await draining.stop()
        server.should_exit = True
        await serving
        stop.cancel()
        for task in watching:
            task.cancel()


def _app(
    settings: Settings,
    container: Container,
    services: Services,
    registry: CollectorRegistry,
    places: SubscriptionPlaces | None,
    readiness: Readiness,
) -> Starlette:
    async def context(credential: str | None, connection: ConnectionInfo) -> RequestContext:
        identity = await container.authenticator.identify(credential) if credential else None
        device = Device(connection.address, connection.user_agent)
        opened_by_user = connection.opened_by_user
        return RequestContext(services, identity, connection.network, opened_by_user=opened_by_user, device=device)

    web = web_settings(settings)
    if Role.WEB not in settings.roles:
        return build_health_app(readiness, registry, web)
    routes = [
        SignalHookRoute(services.webhook_receiver),
        *_billing_routes(settings, container, services),
        *_download_routes(settings, services),
        SignInRoute(services.oidc_attempts, settings.app_url),
    ]
    return build_app(
        build_schema(),
        context,
        web,
        readiness,
        registry,
        routes,
        rates=services.rates,
        places=places,
    )


def _known_documents(settings: Settings, container: Container, app: Starlette) -> AbstractAsyncContextManager[None]:
    if Role.WEB not in settings.roles:
        return nullcontext()
    return following_known_documents(container.backends.database, app.state.operations.persisted)


def _download_routes(settings: Settings, services: Services) -> list[BaseRoute]:
    rates, per_minute = services.rates, settings.requests_per_minute_per_address
    return [
        DownloadRoute(EXPORT_PATH, export_download(services.data_exports), rates, per_minute),
        DownloadRoute(TAX_PATH, tax_download(services.tax_links), rates, per_minute, TAX_EXPORTS_AT_ONCE),
        DownloadRoute(REPORT_PATH, report_download(services.report_downloads, POLICY), rates, per_minute),
    ]


def _billing_routes(settings: Settings, container: Container, services: Services) -> list[BaseRoute]:
    secrets = [secret.get_secret_value() for secret in settings.billing_secrets]
    clock = container.backends.clock
    return [BillingHookRoute(services.billing, services.rates, clock, secrets)] if secrets else []


def web_settings(settings: Settings) -> WebSettings:
    """Return the web server's settings."""
    return WebSettings(
        introspection=settings.introspection,
        suggestions=settings.introspection if settings.field_suggestions is None else settings.field_suggestions,
        graphiql=settings.graphiql,
        console=settings.console,
        compiled_selections=settings.compiled_selections,
        shared_answers_bytes=settings.shared_answers_megabytes * 1024 * 1024,
        known_documents_only=settings.known_documents_only,
        gzip_min_bytes=settings.gzip_min_bytes,
        allowed_origins=settings.allowed_origins,
        allowed_hosts=(*settings.allowed_hosts, settings.host),
        trusted_proxies=settings.trusted_proxies,
        metrics_token=None if settings.metrics_token is None else settings.metrics_token.get_secret_value(),
        max_connections=settings.max_connections,
        requests_per_second_per_address=settings.requests_per_second_per_address,
        requests_per_minute_per_address=settings.requests_per_minute_per_address,
        max_connections_per_address=settings.max_connections_per_address,
        messages_per_second_per_address=settings.messages_per_second_per_address,
        operation_timeout_seconds=settings.operation_timeout_seconds,
    )


class _Server(WebServer):
    """The web server without signal handling, which is the engine's; it prints its address."""

    startup_lines: Sequence[str] = ()
    roles = ""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the engine, which stops its parts in order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the address; raises `StartupError`."""
        try:
            await super().startup(sockets)
        except (SystemExit, UnicodeError) as end:  # uvicorn exits if it can't listen; a host that is no name
            cause = end.__context__ if isinstance(end, SystemExit) else end
            raise StartupError(listen_error(self.config.host, self.config.port, cause)) from None
        if self.started:
            self._announce()

    def _announce(self) -> None:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        version = importlib.metadata.version("r3edge-engine")
        log.info("engine_started", version=version, address=address, roles=self.roles)
        with _may_be_unread():
            for line in self.startup_lines:
                print(line.format(address), flush=True)  # noqa: T201  # the first thing to know


@contextmanager
def _may_be_unread() -> Iterator[None]:
    """Print in the block; if the reader of the output is gone, or its disk is full, the engine goes on without it."""
    try:
        yield
    except OSError:
        # What is left in the buffer would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _startup_lines(settings: Settings) -> list[str]:
    if Role.WEB not in settings.roles:
        return ["r3edge-engine serves health and metrics on {}"]
    pages = [
        *(["Console: {}/"] if settings.console else []),
        *(["GraphiQL: {}/graphiql"] if settings.graphiql else []),
    ]
    return ["r3edge-engine listens on {}/graphql", *pages]


def _stop_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
