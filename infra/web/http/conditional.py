"""Conditional GET (RFC 9110, 13): a client that has the answer already is told so, instead of being sent it again."""

import re
from hashlib import blake2b
from typing import Final

from infra.web.http.messages import NOT_MODIFIED, HttpResponse, RawHeaders

_VALIDATED: Final = (b"cache-control", b"private, no-cache")
"""The client may keep the answer, and asks whether it still holds whenever it needs it."""

_VARY: Final = b"accept, authorization"
_ENTITY_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def entity_tag(data: bytes) -> str:
    """Return the weak tag of an answer's data: what is said beside them, such as requests left, may differ."""
    return f'W/"{blake2b(data, digest_size=16).hexdigest()}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Return whether a list of tags, or `*`, names this one, by the weak comparison (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return tag.removeprefix("W/") in _ENTITY_TAG.findall(if_none_match)


def validated(response: HttpResponse, data: bytes, if_none_match: str | None) -> HttpResponse:
    """Return the response with a tag of its data; without a body (304) if the client has these data already."""
    tag = entity_tag(data)
    own: RawHeaders = [_VALIDATED, (b"etag", tag.encode())]
    kept = [header for header in response.headers if header[0] not in {b"cache-control", b"vary"}]
    if not matches(if_none_match, tag):
        return HttpResponse(response.body, response.status, [*kept, *own, (b"vary", _VARY)])
    kept = [header for header in kept if header[0] != b"content-type"]
    return HttpResponse(b"", NOT_MODIFIED, [*kept, *own, (b"vary", _VARY)])
