"""Refuses requests for host names that aren't the engine's, which stops DNS rebinding."""

import re
import socket
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from infra.web.http.refusals import send_refusal

MISDIRECTED: Final = 421
BAD_REQUEST: Final = 400
_REMEMBERED: Final = 256
"""Of how many values of `Host` it is known whether they are allowed."""

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Requested by orchestrators under any name; they answer nothing that isn't public."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@,\[\]?#]+)(:\d{1,5})?", re.ASCII | re.IGNORECASE)


class AllowedHosts:
    """The values that `Host` may have: IP addresses, localhost, this machine's name, and those that are configured.

    DNS rebinding needs a name of a domain that the attacker owns; an address proves that no name was looked up.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        own = {"localhost", socket.gethostname().lower().rstrip(".")}
        named = {host.lower().rstrip(".") for host in hosts}
        self._any = "*" in named
        self._exact = own | {host for host in named if not host.startswith("*")}
        self._suffixes = (".localhost", *(host[1:] for host in named if host.startswith("*.")))
        self.is_allowed = lru_cache(_REMEMBERED)(self._check)
        """Return whether a `Host` header, perhaps with a port, is one of them."""

    def _check(self, header: str) -> bool:
        matched = _HOST.fullmatch(header.strip())
        if matched is None:
            return False
        host = matched[1].lower().rstrip(".")
        return self._any or host in self._exact or host.endswith(self._suffixes) or _is_address(host)


class AllowedHostsMiddleware:
    """Rejects requests and handshakes whose `Host` isn't allowed, before anything else is read."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope["path"] not in PROBES:
            given = [value for name, value in scope["headers"] if name == b"host"]
            if len(given) > 1 or (not given and scope.get("http_version") != "1.0"):
                await send_refusal(scope, send, BAD_REQUEST, "INVALID", "Send one Host header.")
                return
            if given and not self._hosts.is_allowed(given[0].decode("latin-1")):
                shown = given[0][:100].decode("latin-1")
                message = (
                    f"This engine isn't known as {shown!r}; its operator can add the name to R3EDGE_ALLOWED_HOSTS."
                )
                await send_refusal(scope, send, MISDIRECTED, "INVALID", message)
                return
        await self._app(scope, receive, send)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
