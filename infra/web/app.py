"""The ASGI application: GraphQL at `/graphql` over HTTP, SSE and WebSocket, console, GraphiQL, health, metrics."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.http.websocket_origin import normalize_origin

from domain.users.request_rates import RequestRates
from domain.users.subscription_places import SubscriptionPlaces
from infra.web.access_summary import AccessSummary
from infra.web.connections.client_address import ClientAddressMiddleware, TrustedProxies
from infra.web.connections.limits import ConnectionLimits
from infra.web.connections.registry import ConnectionRegistry
from infra.web.console.page import console_routes
from infra.web.context import ContextFactory
from infra.web.dependencies import TransportDependencies
from infra.web.graphiql.page import graphiql_page, graphiql_routes
from infra.web.http.access_log import REQUEST_ID_HEADER, AccessLogMiddleware
from infra.web.http.cancelled_requests import CancelledRequestMiddleware
from infra.web.http.handler import GraphQLHttpHandler
from infra.web.http.hosts import AllowedHosts, AllowedHostsMiddleware
from infra.web.http.messages import HttpRequest
from infra.web.http.negotiation import prefers_html
from infra.web.http.request_turns import RequestTurnsMiddleware
from infra.web.metrics import WebMetrics
from infra.web.metrics_endpoint import metrics_endpoint
from infra.web.operations import Operations
from infra.web.settings import WebSettings
from infra.web.websocket.connection import WebSocketConnection
from schema.common.engine_schema import EngineSchema

GRAPHQL_PATH: Final = "/graphql"
EXPOSED_HEADERS: Final = (
    REQUEST_ID_HEADER,
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
)
PREFLIGHT_SECONDS: Final = 7_200
"""How long a browser may cache a preflight answer: the maximum of Chromium."""

_DOCUMENT_PARAMETERS: Final = frozenset({"query", "documentId", "extensions"})
"""Parameters of a URL that say what to execute."""

Lifespan = Callable[[], AbstractAsyncContextManager[None]]
Readiness = Callable[[], Awaitable[Sequence[str]]]
"""Returns what is still missing, in words; empty when the node is ready to serve."""


class GraphQLEndpoint:
    """One path for all transports."""

    def __init__(self, dependencies: TransportDependencies) -> None:
        self._dependencies = dependencies
        self._http = GraphQLHttpHandler(dependencies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketConnection(self._dependencies, scope, receive, send).serve()
            return
        response: ASGIApp
        if scope["method"] == "GET" and self._is_for_page(request := Request(scope)):
            response = graphiql_page(request)
        else:
            response = await self._http.handle(HttpRequest(scope, receive))
        await response(scope, receive, send)

    def _is_for_page(self, request: Request) -> bool:
        return (
            self._dependencies.settings.graphiql
            and not _DOCUMENT_PARAMETERS.intersection(request.query_params)
            and prefers_html(request.headers.get("accept"))
        )


def build_app(
    schema: EngineSchema,
    contexts: ContextFactory,
    settings: WebSettings,
    readiness: Readiness,
    registry: CollectorRegistry,
    routes: list[BaseRoute] | None = None,
    lifespan: Lifespan = nullcontext,
    rates: RequestRates | None = None,
    places: SubscriptionPlaces | None = None,
) -> Starlette:
    """Return the application; `app.state` has its `connections`, `limits`, `operations` and `metrics`.

    `routes` are served besides ours; requests are served inside of `lifespan`, counted by `rates`;
    `places` counts subscriptions on all nodes, if there are several.
    """
    metrics = WebMetrics(registry)
    operations = Operations(schema, contexts, settings, metrics, rates, places)
    connections = ConnectionRegistry(metrics)
    summary = AccessSummary()
    endpoint = GraphQLEndpoint(TransportDependencies(operations, contexts, settings, metrics, connections, summary))

    @asynccontextmanager
    async def run(_app: Starlette) -> AsyncGenerator[None]:
        async with lifespan():
            yield
            await connections.close_all()
            await operations.aclose()

    all_routes = [
        _GraphQLRoute(endpoint),
        *_pages(settings),
        *_health_routes(readiness, registry, settings),
        *(routes or []),
        *(console_routes() if settings.console else []),
    ]
    app = EngineApp(endpoint, all_routes, settings, _connection_middleware(settings, metrics, summary), run)
    app.state.connections = connections
    app.state.limits = ConnectionLimits(settings, metrics)
    app.state.operations = operations
    app.state.metrics = metrics
    return app


def build_health_app(readiness: Readiness, registry: CollectorRegistry, settings: WebSettings) -> Starlette:
    """Return the application of a node that serves no API: health and metrics only."""
    metrics = WebMetrics(registry)
    routes = _health_routes(readiness, registry, settings)
    app = Starlette(routes=[*routes], middleware=_connection_middleware(settings, metrics, AccessSummary()))
    app.state.connections = ConnectionRegistry(metrics)
    app.state.limits = ConnectionLimits(settings, metrics)
    return app


class EngineApp(Starlette):
    """Serves the GraphQL path itself, and leaves all others to Starlette.

    Its routing, error pages and objects of requests cost more than a small query. What every request needs (its
    address, id, log line and so on) stands before both, so that there is one way to answer.
    """

    def __init__(
        self,
        endpoint: "GraphQLEndpoint",
        routes: list[BaseRoute],
        settings: WebSettings,
        middleware: list[Middleware],
        lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ) -> None:
        cors = _cors(settings.allowed_origins)
        super().__init__(routes=routes, middleware=cors, lifespan=lifespan)
        self._endpoint = _wrapped(endpoint, cors)
        self._connection_middleware = middleware

    def build_middleware_stack(self) -> ASGIApp:
        """Return what serves all requests."""
        endpoint, others = self._endpoint, super().build_middleware_stack()

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            is_graphql = scope["type"] != "lifespan" and scope["path"] == GRAPHQL_PATH
            await (endpoint if is_graphql else others)(scope, receive, send)

        return _wrapped(serve, self._connection_middleware)


def _wrapped(app: ASGIApp, middleware: list[Middleware]) -> ASGIApp:
    for each in reversed(middleware):
        app = each.cls(app, *each.args, **each.kwargs)
    return app


class _GraphQLRoute(BaseRoute):
    """Tells Starlette of the endpoint, for redirects to it."""

    def __init__(self, endpoint: GraphQLEndpoint) -> None:
        self._endpoint = endpoint

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match by the path; the endpoint checks the method."""
        return (Match.FULL, {}) if scope["path"] == GRAPHQL_PATH else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)


def _pages(settings: WebSettings) -> list[BaseRoute]:
    async def root(_request: Request) -> Response:
        return RedirectResponse("/graphiql")

    leads_to_graphiql = settings.graphiql and not settings.console
    return [*([Route("/", root)] if leads_to_graphiql else []), *(graphiql_routes() if settings.graphiql else [])]


def _health_routes(readiness: Readiness, registry: CollectorRegistry, settings: WebSettings) -> list[Route]:
    """Return `/healthz` (200 if the process runs), `/readyz` (503 with what is missing, or 200) and `/metrics`."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        missing = list(await readiness())
        status = {"status": "ready"} if not missing else {"status": "not ready", "missing": missing}
        return JSONResponse(status, 503 if missing else 200, {"cache-control": "no-store"})

    readiness = shared(readiness)
    metrics = metrics_endpoint(registry, settings.metrics_token)
    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def shared(readiness: Readiness) -> Readiness:
    """Return the same check, run once for all who ask while it runs: it asks the database, and may wait."""
    running: asyncio.Future[Sequence[str]] | None = None

    async def check() -> Sequence[str]:
        nonlocal running
        if running is None or running.done():
            running = asyncio.ensure_future(readiness())
        return await asyncio.shield(running)

    return check


def _connection_middleware(settings: WebSettings, metrics: WebMetrics, summary: AccessSummary) -> list[Middleware]:
    return [
        Middleware(ClientAddressMiddleware, proxies=TrustedProxies(settings.trusted_proxies)),
        Middleware(RequestTurnsMiddleware, settings=settings, metrics=metrics, summary=summary),
        Middleware(AccessLogMiddleware, metrics=metrics, summary=summary),
        Middleware(CancelledRequestMiddleware),
        Middleware(AllowedHostsMiddleware, hosts=AllowedHosts(settings.allowed_hosts)),
    ]


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    """Let pages of these origins send any header and read the answers.

    Any header, since only `authorization` gives rights, and a page must know the token for it; a list would only break
    what tracing and client libraries add. Credentials (cookies) are allowed for a proxy that may stand in front of the
    engine, which has none of its own; they aren't if every origin is allowed.
    """
    if not origins:
        return []
    allows_all = "*" in origins
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins if allows_all else [normalize_origin(origin) or origin for origin in origins],
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        allow_credentials=not allows_all,
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )
    return [cors]
