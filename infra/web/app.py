"""The ASGI application: GraphQL at `/graphql` over HTTP, SSE and WebSocket, GraphiQL, health and metrics."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final

import strawberry
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from infra.web.connections import ConnectionRegistry
from infra.web.context import ContextFactory
from infra.web.health import Readiness, health_routes
from infra.web.http import GraphQLHttp
from infra.web.ide import ide_page, ide_routes
from infra.web.metrics import WebMetrics
from infra.web.middleware import REQUEST_ID_HEADER, AccessLog
from infra.web.negotiation import prefers_html
from infra.web.operations import Operations
from infra.web.settings import WebSettings
from infra.web.websocket import WebSocketConnection, WebSocketParts

GRAPHQL_PATH: Final = "/graphql"

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
        response = ide_page(request) if self._is_for_page(request) else await self._http.answer(request)
        await response(scope, receive, send)

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
    app.state.operations = operations
    return app


def build_health_app(readiness: Readiness, registry: CollectorRegistry) -> Starlette:
    """Return the application of a node that serves no API: health and metrics alone."""
    app = Starlette(routes=[*health_routes(readiness, registry)])
    app.state.connections = ConnectionRegistry(WebMetrics(registry))
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
    middleware = [Middleware(AccessLog, metrics=metrics)]
    if settings.allowed_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type", REQUEST_ID_HEADER],
                expose_headers=[REQUEST_ID_HEADER],
                max_age=600,
            )
        )
    return middleware
