"""POST requests to guarded addresses: bounded in time and size, with no redirect followed and no cookie kept."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import aiohttp
from yarl import URL

from domain.ports.notifications import NotDelivered
from infra.outgoing.addresses import Address, AddressGuard, AddressNotAllowed

CONNECT_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 16 * 1_024
"""How much of an answer is read; a connection with more is closed."""

ADDRESSES_TRIED: Final = 2
KEPT_ALIVE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: the status, and the beginning of the body."""

    status: int
    body: bytes
    retry_after: str | None


class OutgoingHttp:
    """A client whose connections go to addresses that were checked for this connection, and to no others."""

    def __init__(self, guard: AddressGuard, total_seconds: float = 10.0) -> None:
        self.guard = guard
        self._total_seconds = total_seconds
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        address: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        checked: bool = True,
        owner: UUID | None = None,
    ) -> Answer:
        """Return the answer to a POST; raises `NotDelivered`, which doesn't repeat the address.

        `checked` is False for an address that the operator has set: it may be of the own network. `owner` is the user
        who named it: slow names hold up no other's.
        """
        try:
            url = self.guard.parse(address) if checked else URL(address)
            async with asyncio.timeout(self._total_seconds):
                if not checked:
                    return await self._post(url, url, body, headers)
                return await self._post_to_first(url, await self.guard.resolve(url, owner), body, headers)
        except AddressNotAllowed as error:
            raise NotDelivered(str(error)) from None
        except TimeoutError:
            raise NotDelivered(f"The receiver took longer than {self._total_seconds:g} s.") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotDelivered(_reason(error)) from None

    async def close(self) -> None:
        """Close all connections."""
        self.guard.close()
        if self._session is not None:
            await self._session.close()

    async def _post_to_first(
        self, url: URL, addresses: list[Address], body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """Send to the first of the addresses that can be reached; nothing was sent to one that can't."""
        for address in addresses[: ADDRESSES_TRIED - 1]:
            try:
                return await self._post(url, url.with_host(str(address)), body, headers)
            except aiohttp.ClientConnectorError:
                if address == addresses[-1]:
                    raise
        return await self._post(url, url.with_host(str(addresses[ADDRESSES_TRIED - 1])), body, headers)

    async def _post(self, named: URL, pinned: URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            self._session = _session()
        host = named.host_port_subcomponent
        assert host is not None
        async with self._session.post(
            pinned,
            data=body,
            headers={**headers, "Host": host},
            allow_redirects=False,
            server_hostname=named.raw_host if named.scheme == "https" else None,
        ) as response:
            content = await response.content.read(MAX_ANSWER_BYTES)
            if not response.content.at_eof():
                response.close()
            return Answer(response.status, content, response.headers.get("Retry-After"))


def _session() -> aiohttp.ClientSession:
    # The names are resolved already; no proxy of the environment is asked, nothing is unpacked, no cookie is kept.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_ALIVE_SECONDS, ssl=ssl.create_default_context())
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"User-Agent": "r3edge-engine", "Accept": "application/json"},
    )


def _reason(error: Exception) -> str:
    """Return why a request failed, in words of ours: what the library says may repeat the address."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "The receiver's certificate isn't valid for its name."
    if isinstance(error, aiohttp.ClientSSLError):
        return "No encrypted connection could be made to the receiver."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "The receiver can't be reached."
    if isinstance(error, aiohttp.ClientError):
        return "The receiver closed the connection, or what it answered is no HTTP."
    return "The name of the receiver can't be resolved, or its network can't be reached."
