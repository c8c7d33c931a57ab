"""Answers the requests that a stopping server cancels at the end of its grace."""

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.web.operation_log import OperationLogEntry


class CancelledRequestMiddleware:
    """Ends a cancelled request with 503, if its answer hasn't begun: the server itself would log an error.

    Here the task of a request ends, so that this is the only place where its cancellation stops.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except asyncio.CancelledError:
            OperationLogEntry.current().add_error("UNAVAILABLE")
            if not has_begun:
                await _stopping()(scope, receive, send)


def _stopping() -> JSONResponse:
    error = {"message": "The server stops; ask again.", "extensions": {"code": "UNAVAILABLE"}}
    return JSONResponse({"errors": [error]}, status_code=503)
