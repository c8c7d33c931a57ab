"""Serves the console from our own files, under a content security policy that allows nothing else."""

import re
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from infra.web.connections.host import socket_origins
from infra.web.http.negotiation import prefers_html

STATIC: Final = Path(__file__).parent / "static"
ASSETS_PATH: Final = "/assets"

_RESERVED: Final = ("/graphiql", "/graphql")
_RESERVED_BELOW: Final = (
    *(f"/{name}/" for name in ("assets", "exports", "healthz", "hooks", "metrics", "readyz", "reports", "sign-in")),
    *("/tax-exports/", "/graphiql/", "/graphql/"),
)
"""The engine's own paths: what isn't found there is no page of the console."""

_PAGE: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[^/\\]+)+/?")
"""Paths of pages: no step is empty, `.` or `..`, which others may read as another path."""

_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_ROOT_FILES: Final = {"/favicon.svg": "image/svg+xml", "/LICENSES.txt": "text/plain"}
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


def content_security_policy(host: str) -> str:
    """Return the policy of the page as it is served to this `Host`: our own files and our own API, nothing inline."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
        f"connect-src 'self'{socket_origins(host)}; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    )


def console_routes() -> list[BaseRoute]:
    """Return the files, and the page for every path that nothing else serves: list them last."""
    return [Mount(ASSETS_PATH, _Assets(directory=STATIC / "assets")), _PageRoute()]


class _Assets(StaticFiles):
    """Files whose names have a hash of their content, so that a browser asks for each once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        scope["state"]["route"] = ASSETS_PATH
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        response.headers["cache-control"] = _IMMUTABLE
        return response


class _PageRoute(BaseRoute):
    """Answers `/`, and every path that a browser opens as a page of the console, with the one page.

    The page is read for each answer: after an upgrade on disk, one that was read before names files that are gone.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match reads of HTML alone, so that a program that errs in the path is told so."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return Match.NONE, {}
        path = scope["path"]
        is_ours = path in _RESERVED or path.startswith(_RESERVED_BELOW)
        is_page = path == "/" or (
            not is_ours and _PAGE.fullmatch(path) is not None and prefers_html(_accept(scope))
        )
        return (Match.FULL, {}) if is_page or path in _ROOT_FILES else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        scope["state"]["route"] = path if path in _ROOT_FILES else "/"
        try:
            response = _root_file(path) if path in _ROOT_FILES else _page(Request(scope))
        except FileNotFoundError:  # it is just being replaced
            response = PlainTextResponse("The console is being replaced: try again.", 503, {"retry-after": "1"})
        await response(scope, receive, send)


def _page(request: Request) -> Response:
    headers = {
        **_HEADERS,
        "cache-control": "no-cache",
        "content-security-policy": content_security_policy(request.headers.get("host", "")),
    }
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    page = text.replace('<base href="./" />', f'<base href="{_way_to_root(request.scope)}" />', 1)
    return Response(page, headers=headers, media_type="text/html")


def _root_file(path: str) -> Response:
    headers = {**_HEADERS, "cache-control": "no-cache"}
    return Response((STATIC / path[1:]).read_bytes(), headers=headers, media_type=_ROOT_FILES[path])


def _way_to_root(scope: Scope) -> str:
    """Return the relative URL of `/`, which holds below any prefix that a proxy takes away, without trusting a header."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return "../" * (path.split(b"?", 1)[0].count(b"/") - 1) or "./"


def _accept(scope: Scope) -> str | None:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"]
    return ", ".join(values) or None
