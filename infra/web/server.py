"""The server under the application: uvicorn with the options that live data needs, and a shutdown that ends streams."""

import asyncio
import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette

from infra.web.connection_limits import ConnectionLimits
from infra.web.http.protocol import BoundedHttpProtocol
from infra.web.settings import WebSettings
from infra.web.websocket.protocol import BoundedWebSocketProtocol

_GRACE_SECONDS: Final = 5
_SWEEP_TICKS: Final = 100
"""How many of uvicorn's ticks, of 0.1 s, lie between two looks at connections that don't end."""


class ServerConfig(uvicorn.Config):
    """Uvicorn's options, and the limits that its protocols hold to; logging is left to the caller.

    Frames aren't deflated: for market data it costs more processor time and memory a connection than it saves. What a
    proxy says of its clients is read by `infra.web.http.client_address`, of proxies that are trusted alone.
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
            timeout_graceful_shutdown=_GRACE_SECONDS,
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self.limits: ConnectionLimits = app.state.limits


class WebServer(uvicorn.Server):
    """Ends all streams before it waits for connections to finish, which an endless one never would."""

    def __init__(self, app: Starlette, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app
        self._closing: set[asyncio.Transport] = set()

    async def on_tick(self, counter: int) -> bool:
        """Drop now and then what was closed a while ago and whose peer doesn't take its last bytes."""
        if counter % _SWEEP_TICKS == 0:
            transports = {connection.transport for connection in self.server_state.connections}
            closing = {transport for transport in transports if transport.is_closing()}
            for transport in closing & self._closing:
                transport.abort()
            self._closing = closing - self._closing
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to listen, close the sockets and streams of clients, then stop as usual.

        In this order, so that no client comes back to the server that it has just been sent away from.
        """
        for server in self.servers:
            server.close()
        await self._app.state.connections.close_all()
        await super().shutdown(sockets)


def web_server(app: Starlette, settings: WebSettings, host: str = "127.0.0.1", port: int = 8000) -> WebServer:
    """Return a server for the application, to be run with `serve()`."""
    return WebServer(app, ServerConfig(app, settings, host, port))
