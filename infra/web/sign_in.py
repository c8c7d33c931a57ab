"""Takes browsers back from OpenID providers: `GET /sign-in/PROVIDER/callback`.

What the browser gets is a code for the client that started the sign-in, after the # of the operator's web page, or to
be copied from a page of ours; never a token.
"""

import html
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from domain.core.errors import Unavailable
from domain.users.oidc_attempts import OidcAttempts, SignInFailed
from resolvers.oidc import CALLBACK, SIGN_IN_PATH

_HEADERS: Final = {
    "cache-control": "no-store",
    # The address holds what the provider sent.
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
_REASONS: Final = {
    "denied": "The sign-in was cancelled at the provider.",
    "expired": "This sign-in took too long, or was finished before. Start again.",
    "rejected": "The provider's answer can't be trusted. Start again; if it happens again, ask the operator.",
    "unavailable": "The provider can't be reached now. Try again later.",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sign-in</title>
<p>{text}</p>
"""


class SignInRoute(BaseRoute):
    """Routes the callbacks of all providers; `app_url` is the web page that browsers are sent on to."""

    def __init__(self, attempts: OidcAttempts, app_url: str | None) -> None:
        self._attempts = attempts
        self._app_url = app_url

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HTTP by the path's beginning and end."""
        path = scope["path"]
        matches = scope["type"] == "http" and path.startswith(SIGN_IN_PATH) and path.endswith(CALLBACK)
        return (Match.FULL, {}) if matches else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "GET":
            return Response("Come back by GET.", 405, {"allow": "GET"})
        provider = request.scope["path"].removeprefix(SIGN_IN_PATH).removesuffix(CALLBACK)
        given = request.query_params
        # With an error the provider sends no code, so that the attempt ends as one that was denied.
        code = None if "error" in given else given.get("code")
        try:
            made = await self._attempts.finish(provider, given.get("state", ""), code, given.get("iss"))
        except SignInFailed as failed:
            return self._failed(failed.reason)
        except Unavailable:
            return self._failed("unavailable")
        if self._app_url is not None:
            return RedirectResponse(f"{self._app_url}#sign-in={quote(made)}", 303)
        return _page(200, f"You are almost signed in: give this code to the program that you came from. {made}")

    def _failed(self, reason: str) -> Response:
        if self._app_url is not None:
            return RedirectResponse(f"{self._app_url}#sign-in-error={reason}", 303)
        return _page(503 if reason == "unavailable" else 400, _REASONS[reason])


def _page(status: int, text: str) -> Response:
    return Response(_PAGE.format(text=html.escape(text)), status, media_type="text/html")
