"""The client's address: that of the peer, or the one that a trusted proxy names in `X-Forwarded-For`."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER: Final = "x-forwarded-for"
_MAX_CHARACTERS: Final = 128
"""Of an address with its port, and the zone that an IPv6 one may have."""

_REMEMBERED: Final = 4_096
"""Of how many addresses it is known what they are; a client asks more than once."""

_CUSTOMER_PREFIX_BITS: Final = 64
"""What a provider assigns to one customer: a client with one IPv6 address has all of its /64."""


class TrustedProxies:
    """The addresses and networks whose `X-Forwarded-For` is believed."""

    def __init__(self, proxies: Sequence[str]) -> None:
        self._networks = [ip_network(proxy, strict=False) for proxy in proxies]

    def is_trusted(self, address: str) -> bool:
        """Return whether the address belongs to a trusted proxy."""
        parsed = _parse(address) if self._networks else None
        return parsed is not None and any(parsed in network for network in self._networks)

    def client_address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the client's address for a connection from `peer` with these header values, first to last.

        Every proxy appends the address that it was called from, so the chain is read from its end: the first address
        that is not a trusted proxy's is the client's. Addresses before that one are only the client's own claim.
        """
        client = peer
        for hop in _hops_from_last(forwarded):
            if not self.is_trusted(client):
                break
            if _parse(hop) is None:
                break
            client = str(_parse(hop))
        return client


class ClientAddressMiddleware:
    """Replaces the peer's address in the ASGI scope by the client's if the peer is a trusted proxy."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if peer and self._proxies.is_trusted(peer[0]):
            address = self._proxies.client_address(peer[0], Headers(scope=scope).getlist(_HEADER))
            scope["client"] = (address, 0 if address != peer[0] else peer[1])
        await self._app(scope, receive, send)


@lru_cache(_REMEMBERED)
def network_of(address: str) -> str:
    """Return the key that limits are counted by: an IPv4 address, or the /64 of an IPv6 one; other text unchanged."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, _CUSTOMER_PREFIX_BITS), strict=False))
    return str(parsed) if parsed is not None else address


def _hops_from_last(values: Sequence[str]) -> Iterator[str]:
    for value in reversed(values):
        for hop in reversed(value.split(",")):
            yield hop.strip()


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address that may be written with a port, as `192.0.2.1:80` or `[2001:db8::1]:80`."""
    return _parse_short(text) if len(text) <= _MAX_CHARACTERS else None


@lru_cache(_REMEMBERED)
def _parse_short(text: str) -> IPv4Address | IPv6Address | None:
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
