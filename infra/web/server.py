"""The server under the application: uvicorn with the options that live data needs, and a shutdown that ends streams."""

import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette

from infra.web.settings import WebSettings

_GRACE_SECONDS: Final = 5


class WebServer(uvicorn.Server):
    """Ends all streams before it waits for connections to finish, which an endless one never would."""

    def __init__(self, app: Starlette, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to listen, close the sockets and streams of clients, then stop as usual.

        In this order, so that no client comes back to the server that it has just been sent away from.
        """
        for server in self.servers:
            server.close()
        await self._app.state.connections.close_all()
        await super().shutdown(sockets)


def server_config(app: Starlette, settings: WebSettings, host: str, port: int) -> uvicorn.Config:
    """Return uvicorn's options; logging is left to the caller.

    Frames aren't deflated: for market data it costs more processor time and memory a connection than it saves.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=settings.max_message_bytes,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
    )


def web_server(app: Starlette, settings: WebSettings, host: str = "127.0.0.1", port: int = 8000) -> WebServer:
    """Return a server for the application, to be run with `serve()`."""
    return WebServer(app, server_config(app, settings, host, port))
