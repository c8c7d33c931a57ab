"""Serves GraphiQL from our own files, under a content security policy that allows nothing else."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from infra.web.connections.host import socket_origins

STATIC: Final = Path(__file__).parent / "static"

_HEADERS: Final = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-cache"}


def content_security_policy(host: str) -> str:
    """Return the policy of the page as it is served to this `Host`.

    Scripts run from our files only, and nothing is fetched from elsewhere. Styles may be inline: the editor's menus
    insert theirs.
    """
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
        f"img-src 'self' data:; connect-src 'self'{socket_origins(host)}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def graphiql_page(request: Request) -> Response:
    """Return the page of GraphiQL."""
    headers = {**_HEADERS, "content-security-policy": content_security_policy(request.headers.get("host", ""))}
    return FileResponse(STATIC / "index.html", headers=headers, media_type="text/html")


def graphiql_routes() -> list[Route | Mount]:
    """Return the page and its files."""

    async def page(request: Request) -> Response:
        return graphiql_page(request)

    return [Route("/graphiql", page), Mount("/graphiql/static", StaticFiles(directory=STATIC))]
