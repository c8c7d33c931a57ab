"""The media type and encoding of a response, by the Accept headers (RFC 9110, 12.5) and GraphQL over HTTP."""

from functools import lru_cache
from typing import Final

JSON: Final = "application/json"
RESPONSE_JSON: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
HTML: Final = "text/html"

_REMEMBERED: Final = 256
"""Of how many values of a header it is known what they mean; clients of one program send the same."""

OFFERED: Final = (RESPONSE_JSON, JSON, EVENT_STREAM)


@lru_cache(_REMEMBERED)
def negotiate(accept: str | None, offered: tuple[str, ...] = OFFERED) -> str | None:
    """Return the offered media type that the client prefers, or None if it accepts none of them.

    Without a header, and for `*/*`, it is `application/json`, which old clients expect.
    """
    if accept is None or not accept.strip():
        return JSON
    best: tuple[float, int, str] | None = None
    for media_range, quality in _ranges(accept):
        for rank, media_type in enumerate(offered):
            candidate = _match(media_range, media_type, offered)
            if candidate and quality > 0 and (best is None or (quality, -rank) > best[:2]):
                best = (quality, -rank, candidate)
    return best[2] if best else None


def prefers_html(accept: str | None) -> bool:
    """Return whether a browser requests a page: it accepts HTML, and names none of GraphQL's media types."""
    types = [media_range for media_range, quality in _ranges(accept or "") if quality > 0]
    return HTML in types and not any(offered in types for offered in OFFERED)


@lru_cache(_REMEMBERED)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether a client accepts gzip, and doesn't prefer plain text (RFC 9110, 12.5.3)."""
    qualities = dict(_ranges(accept_encoding or ""))
    gzip = next((qualities[name] for name in ("gzip", "x-gzip", "*") if name in qualities), 0.0)
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _match(media_range: str, media_type: str, offered: tuple[str, ...]) -> str | None:
    if media_range in {"*/*", "application/*"}:
        return JSON if JSON in offered else media_type
    return media_type if media_range == media_type else None


def _ranges(accept: str) -> list[tuple[str, float]]:
    ranges = []
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((_quality(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
        if _charset(parameters) == "utf-8":
            ranges.append((media_range, quality))
    return ranges


def _charset(parameters: list[str]) -> str:
    return next((piece[8:].strip('"') for piece in parameters if piece.startswith("charset=")), "utf-8")


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
