"""The ASGI application: GraphQL at `/graphql` over HTTP, SSE and WebSocket, GraphiQL, health and metrics."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final

import strawberry
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.http.websocket_origin import normalize_origin

from infra.web.connection_limits import ConnectionLimits
from infra.web.connections import ConnectionRegistry
from infra.web.context import ContextFactory
from infra.web.graphiql_page import ide_page, ide_routes
from infra.web.http.client_address import ClientAddress, TrustedProxies
from infra.web.http.handler import GraphQLHttp
from infra.web.http.health import Readiness, health_routes
from infra.web.http.hosts import AllowedHosts, HostCheck
from infra.web.http.middleware import REQUEST_ID_HEADER, AccessLog
from infra.web.http.negotiation import prefers_html
from infra.web.metrics import WebMetrics
from infra.web.operations import Operations
from infra.web.settings import WebSettings
from infra.web.websocket.handler import WebSocketConnection, WebSocketParts

GRAPHQL_PATH: Final = "/graphql"
EXPOSED_HEADERS: Final = (REQUEST_ID_HEADER, "retry-after")
PREFLIGHT_SECONDS: Final = 7_200
"""How long a browser may remember what it was allowed: the most that Chromium takes."""

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class GraphQLEndpoint:
    """One path for all transports."""

    def __init__(self, http: GraphQLHttp, websocket: WebSocketParts) -> None:
        self._http = http
        self._websocket = websocket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one socket."""
        if scope["type"] == "websocket":
            await WebSocketConnection(self._websocket, scope, receive, send).serve()
            return
        request = Request(scope, receive)
        response: ASGIApp = ide_page(request) if self._is_for_page(request) else await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        """Answer; the server cancels what is still under way when its grace is over, and that is no failure."""
        try:
            return await self._http.answer(request)
        except asyncio.CancelledError:
            error = {"message": "The server stops; ask again.", "extensions": {"code": "UNAVAILABLE"}}
            return JSONResponse({"errors": [error]}, status_code=503)

    def _is_for_page(self, request: Request) -> bool:
        return (
            self._websocket.settings.graphiql
            and request.method == "GET"
            and "query" not in request.query_params
            and prefers_html(request.headers.get("accept"))
        )


def build_app(
    schema: strawberry.Schema,
    contexts: ContextFactory,
    settings: WebSettings,
    readiness: Readiness,
    registry: CollectorRegistry,
    routes: list[BaseRoute] | None = None,
    lifespan: Lifespan = nullcontext,
) -> Starlette:
    """Return the application; `app.state.connections` closes sockets, `app.state.operations` executes.

    `routes` are served beside ours; `lifespan` surrounds the time in which requests are served.
    """
    metrics = WebMetrics(registry)
    operations = Operations(schema, contexts, settings, metrics)
    connections = ConnectionRegistry(metrics)
    endpoint = GraphQLEndpoint(
        GraphQLHttp(operations, contexts, settings, metrics, connections),
        WebSocketParts(operations, contexts, settings, metrics, connections),
    )

    @asynccontextmanager
    async def run(_app: Starlette) -> AsyncGenerator[None]:
        async with lifespan():
            yield
            await connections.close_all()
            await operations.aclose()

    all_routes = [_GraphQLRoute(endpoint), *_pages(settings), *health_routes(readiness, registry), *(routes or [])]
    app = Starlette(routes=all_routes, middleware=_middleware(settings, metrics), lifespan=run)
    app.state.connections = connections
    app.state.limits = ConnectionLimits(settings, metrics)
    app.state.operations = operations
    return app


def build_health_app(readiness: Readiness, registry: CollectorRegistry, settings: WebSettings) -> Starlette:
    """Return the application of a node that serves no API: health and metrics alone."""
    metrics = WebMetrics(registry)
    app = Starlette(routes=[*health_routes(readiness, registry)], middleware=_entrance(settings, metrics))
    app.state.connections = ConnectionRegistry(metrics)
    app.state.limits = ConnectionLimits(settings, metrics)
    return app


class _GraphQLRoute(BaseRoute):
    """Hands both kinds of connection and every method at one path to the endpoint."""

    def __init__(self, endpoint: GraphQLEndpoint) -> None:
        self._endpoint = endpoint

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path alone; the endpoint answers for the method."""
        return (Match.FULL, {}) if scope["path"] == GRAPHQL_PATH else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        await self._endpoint(scope, receive, send)


def _pages(settings: WebSettings) -> list[BaseRoute]:
    async def root(_request: Request) -> Response:
        return RedirectResponse("/graphiql")

    return [Route("/", root), *ide_routes()] if settings.graphiql else []


def _middleware(settings: WebSettings, metrics: WebMetrics) -> list[Middleware]:
    return [*_entrance(settings, metrics), *_cors(settings.allowed_origins)]


def _entrance(settings: WebSettings, metrics: WebMetrics) -> list[Middleware]:
    return [
        Middleware(ClientAddress, proxies=TrustedProxies(settings.trusted_proxies)),
        Middleware(AccessLog, metrics=metrics),
        Middleware(HostCheck, hosts=AllowedHosts(settings.allowed_hosts)),
    ]


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    """Let pages of these origins call with any header and read the answers.

    Any header, since none of them gives rights but `authorization`, which a page must know the token for; a list would
    only break what tracing and client libraries add. Credentials are for what may stand in front of the engine, which
    has no cookies of its own; where every origin is let in, they aren't.
    """
    if not origins:
        return []
    lets_all_in = "*" in origins
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins if lets_all_in else [normalize_origin(origin) or origin for origin in origins],
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        allow_credentials=not lets_all_in,
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )
    return [cors]
