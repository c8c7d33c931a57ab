"""GraphiQL from our own files, under a content security policy that lets nothing else in."""

import re
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

STATIC: Final = Path(__file__).parent / "static" / "graphiql"

_HEADERS: Final = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-cache"}
_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII)


def policy(host: str) -> str:
    """Return the content security policy of the page as it is served to this `Host`.

    Scripts run from our files alone and nothing is fetched from elsewhere. Styles may be inline: the editor's menus
    insert theirs. The sockets are named since some browsers don't count them as `self`.
    """
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
        f"img-src 'self' data:; connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def ide_page(request: Request) -> Response:
    """Return the page of GraphiQL."""
    headers = {**_HEADERS, "content-security-policy": policy(request.headers.get("host", ""))}
    return FileResponse(STATIC / "index.html", headers=headers, media_type="text/html")


def ide_routes() -> list[Route | Mount]:
    """Return the page and its files."""

    async def page(request: Request) -> Response:
        return ide_page(request)

    return [Route("/graphiql", page), Mount("/graphiql/static", StaticFiles(directory=STATIC))]
