"""The server that runs the application: uvicorn, with limits for connections and a shutdown that ends streams."""

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette

from infra.web.connections.limits import LimitedConfig
from infra.web.http.protocol import BoundedHttpProtocol
from infra.web.settings import WebSettings
from infra.web.websocket.protocol import BoundedWebSocketProtocol

_TICKS_A_SECOND = 10
"""How often uvicorn calls `on_tick`."""


class ServerConfig(LimitedConfig):
    """Uvicorn's options, and the limits of its protocols; logging is left to the caller.

    Frames aren't deflated: for market data that costs more processor time and memory per connection than it saves.
    Headers of proxies are read by `infra.web.connections.client_address`, from trusted proxies only.
    """

    def __init__(self, app: Starlette, settings: WebSettings, host: str, port: int) -> None:
        super().__init__(
            app,
            host=host,
            port=port,
            http=BoundedHttpProtocol,
            ws=BoundedWebSocketProtocol,
            ws_per_message_deflate=False,
            ws_max_size=settings.max_message_bytes,
            proxy_headers=False,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self.limits = app.state.limits


class WebServer(uvicorn.Server):
    """Ends all streams before it waits for connections to finish, which an endless one never would."""

    def __init__(self, app: Starlette, config: ServerConfig) -> None:
        super().__init__(config)
        self._app = app
        self._sweep_ticks = max(round(config.limits.settings.closed_sweep_seconds * _TICKS_A_SECOND), 1)
        self._closing: set[asyncio.Transport] = set()

    async def on_tick(self, counter: int) -> bool:
        """Abort, at intervals, connections that were closed before the last interval and whose peer doesn't read on."""
        if counter % self._sweep_ticks == 0:
            transports = {connection.transport for connection in self.server_state.connections}
            closing = {transport for transport in transports if transport.is_closing()}
            for transport in closing & self._closing:
                transport.abort()
            self._closing = closing - self._closing
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, close the sockets and streams of clients, then stop as usual.

        In this order, so that no client reconnects to the server that has just disconnected it.
        """
        for server in self.servers:
            server.close()
        await self._app.state.connections.close_all()
        await super().shutdown(sockets)


def web_server(app: Starlette, settings: WebSettings, host: str = "127.0.0.1", port: int = 8000) -> WebServer:
    """Return a server for the application, to be run with `serve()`."""
    return WebServer(app, ServerConfig(app, settings, host, port))
