"""`/metrics`: for Prometheus, behind a token if the settings have one."""

import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

SHARED_SECONDS: Final = 1.0
"""Scrapes within this time get the same text: a node with many markets takes some milliseconds to write it."""
_MOST_FORMS: Final = 8
"""Of the text: Prometheus asks for one, and a client that asks for many keeps none of them."""

_SCHEME: Final = "bearer "


def metrics_endpoint(
    registry: CollectorRegistry, token: str | None = None, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of scrapes."""
    written: dict[str, tuple[float, bytes]] = {}

    async def scrape(request: Request) -> Response:
        if token is not None and not _is_allowed(request, token):
            return PlainTextResponse(
                "send the token of R3EDGE_METRICS_TOKEN as `Authorization: Bearer …`\n",
                401,
                {"www-authenticate": "Bearer"},
            )
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        now = monotonic()
        at, text = written.get(content_type, (float("-inf"), b""))
        if now - at >= SHARED_SECONDS:
            text = encode(registry)
            if len(written) == _MOST_FORMS:
                written.clear()
            written[content_type] = now, text
        return Response(text, headers={"content-type": content_type, "cache-control": "no-store"})

    return scrape


def _is_allowed(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    if not given.lower().startswith(_SCHEME):
        return False
    return hmac.compare_digest(given[len(_SCHEME) :].strip().encode(), token.encode())
