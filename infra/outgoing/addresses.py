"""Which addresses the engine calls because a user said so: never one of its own network (OWASP, SSRF prevention).

A name is resolved once for each connection, every address that it has is checked, and the connection goes to an address
that was checked: a name that leads elsewhere a moment later (DNS rebinding) gains nothing. All ways to write an address
(decimal, octal, hexadecimal, IPv6 with an IPv4 address in it) are resolved first and checked as what they are.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_Found = TypeVar("_Found")

MAX_URL: Final = 2_000
RESOLVERS: Final = 32
"""Threads that resolve names: a name server that stalls holds up nothing but these."""

RESOLVERS_PER_OWNER: Final = 2
"""How many of them one user's names may hold: a look-up that nobody waits for any more still has its thread."""

_GLOBAL_V6: Final = IPv6Network("2000::/3")
_SPECIAL: Final = tuple(
    ip_network(network)
    for network in (
        # IANA's special-purpose registries (RFC 6890), as far as Python's versions differ in them, and what clouds
        # serve inside of machines at addresses that look public.
        "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "198.18.0.0/15",
        "100.64.0.0/10", "168.63.129.16/32", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip


class AddressNotAllowed(Exception):
    """The address is not to be called; the message is for the user who named it."""


class AddressGuard:
    """Resolves names to addresses that may be called; `networks` may be, though they are the engine's own."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = tuple(ip_network(network, strict=False) for network in networks)
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolve")
        self._shares: WeakValueDictionary[UUID | None, asyncio.Semaphore] = WeakValueDictionary()

    def close(self) -> None:
        """Resolve no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def error(self, address: str) -> str | None:
        """Return what is wrong with an address that a user gives; None if nothing is."""
        try:
            self.parse(address)
        except AddressNotAllowed as error:
            return str(error)
        return None

    def parse(self, address: str) -> URL:
        """Return a URL that may be called if its name leads nowhere else; raises `AddressNotAllowed`."""
        example = "such as https://example.com/hook"
        if len(address) > MAX_URL:
            raise AddressNotAllowed(f"The address has {len(address)} characters; it may have {MAX_URL:,}.")
        if not address.isprintable() or " " in address or "\\" in address:
            raise AddressNotAllowed(
                f"The address has a blank or another character that no URL has; write one {example}."
            )
        try:
            url = URL(address)
            host, port = url.raw_host, url.port
        except ValueError:
            raise AddressNotAllowed(f"This is not the address of a web server {example}.") from None
        if url.scheme not in {"https", "http"} or not host or not port:
            raise AddressNotAllowed(f"This is not the address of a web server {example}.")
        if url.scheme == "http" and not self._networks:
            raise AddressNotAllowed(
                "The address must begin with https://: over http:// anybody on the way reads along."
            )
        if url.user is not None or url.password is not None:
            raise AddressNotAllowed("The address has a user or a password in it; leave them out: messages are signed.")
        if url.fragment:
            raise AddressNotAllowed("The address has a fragment (#…), which no server gets to see; leave it out.")
        return url

    async def resolve(self, url: URL, owner: UUID | None = None) -> list[Address]:
        """Return the addresses of the URL's host, of which each may be called; raises `AddressNotAllowed`, OSError.

        The names of one owner wait for each other if there are many at once.
        """
        host = url.host
        assert host is not None
        find = partial(socket.getaddrinfo, host, url.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        try:
            found = await self._look_up(find, owner)
        except UnicodeError:
            raise AddressNotAllowed("The address has no name of a host that can be looked up.") from None
        addresses = list(dict.fromkeys(ip_address(str(info[4][0]).partition("%")[0]) for info in found))
        for address in addresses:
            if self._is_own(address):
                continue
            if not is_public(address):
                raise AddressNotAllowed("The address leads into a network that isn't the internet; it isn't called.")
            if url.scheme == "http":
                raise AddressNotAllowed("The address must begin with https://, since it leads out of the own network.")
        return addresses

    async def _look_up(self, find: Callable[[], _Found], owner: UUID | None) -> _Found:
        loop, share = asyncio.get_running_loop(), self._shares.get(owner)
        if share is None:
            self._shares[owner] = share = asyncio.Semaphore(RESOLVERS_PER_OWNER)
        await share.acquire()

        def release(_ended: Future[_Found]) -> None:
            with suppress(RuntimeError):  # the loop has ended before the thread
                loop.call_soon_threadsafe(share.release)

        try:
            running = self._threads.submit(find)
        except BaseException:
            share.release()
            raise
        # By the thread's end, not by that of the wait: nothing cuts a look-up short.
        running.add_done_callback(release)
        return await asyncio.wrap_future(running)

    def _is_own(self, address: Address) -> bool:
        # As what it is: an IPv4 address in IPv6 form is one of its IPv4 network.
        inner = _inner(address)
        return any(part in network for part in {address, inner} for network in self._networks)


def is_public(address: Address) -> bool:
    """Return whether an address is one of the internet: neither of a private network nor of a special purpose."""
    inner = _inner(address)
    if inner is not address:
        # ::ffff:127.0.0.1 is 127.0.0.1 to the kernel; no other form with one inside leads anywhere useful.
        return isinstance(address, IPv6Address) and address.ipv4_mapped is not None and is_public(inner)
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
        return False
    return not any(address in network for network in _SPECIAL)


_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def _inner(address: Address) -> Address:
    """Return the IPv4 address in an IPv6 one; the address itself if there is none."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _NAT64) or not int(address) >> 32:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
