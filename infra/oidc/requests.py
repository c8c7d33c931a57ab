"""Requests to OpenID providers."""

from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from domain.core.errors import Unavailable
from domain.ports.oidc import OidcRejected

TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
MAX_ANSWER_BYTES: Final = 512 * 1024


async def fetch_json(
    method: str, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the JSON object that a provider answers with status 200.

    A connection for each request: they are few. No redirect is followed, since a provider's addresses are those that it
    names. Raises `OidcRejected` for an error by RFC 6749 (5.2), and `Unavailable` for anything else.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                method, url, data=form, headers={"accept": "application/json", **(headers or {})}, allow_redirects=False
            ) as response,
        ):
            status, body = response.status, await _read(response)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:  # the last for an address that is none
        raise Unavailable(f"The sign-in provider can't be reached ({type(error).__name__}).") from None
    found = _decode(body)
    if status in {400, 401} and found is not None and "error" in found:
        raise OidcRejected(f"the provider answered {str(found['error'])[:100]!r}")
    if status != 200 or found is None:  # noqa: PLR2004  # OK
        raise Unavailable(f"The sign-in provider answered with status {status} and nothing that could be used.")
    return found


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; one that is too long is cut, and no JSON then."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return b""
    return bytes(body)


def _decode(body: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
