"""The client of a sandbox exchange's administrative API: paper accounts and their balances."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import aiohttp
import msgspec

from domain.core.errors import Unavailable
from domain.core.money import plain
from domain.model.trading import Balance, VenueCredentials
from domain.ports.market_data import VenueUnreachable
from domain.ports.venues import NoSuchPaperAccount, PaperRefused

TIMEOUT_SECONDS = 10.0
_TEMPORARY = frozenset({408, 418, 425, 429})
"""Rejections that a later request may not get: too late, too early, too many."""
_NO_TOKEN = frozenset({401, 403})
_NO_ACCOUNT = 404

log = logging.getLogger(__name__)

T = TypeVar("T", bound=msgspec.Struct)


class _Credentials(msgspec.Struct, rename="camel"):
    api_key: str
    secret: str


class _Deposited(msgspec.Struct):
    deposited: bool


class _Rejection(msgspec.Struct):
    msg: str


class _Currencies(msgspec.Struct):
    currencies: tuple[str, ...]


class SandboxAdmin:
    """`domain.ports.venues.PaperVenue` over the sandbox's administrative API."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"SandboxAdmin(url={self._url!r})"

    async def currencies(self) -> tuple[str, ...]:
        """Return the currencies that its accounts can hold."""
        return _read(await self._post("/admin/currencies", {}), _Currencies).currencies

    async def open_account(self, name: str, balances: Sequence[Balance]) -> VenueCredentials:
        """Create an account with balances. Idempotent by name: a repeated call returns the same keys."""
        body = {"name": name, "balances": {balance.currency: plain(balance.total) for balance in balances}}
        credentials = _read(await self._post("/admin/accounts", body), _Credentials)
        return VenueCredentials(credentials.api_key, credentials.secret)

    async def deposit(self, name: str, currency: str, amount: Decimal, key: str) -> bool:
        """Pay into an account, once for each key; returns False if the key was used before."""
        body = {"name": name, "currency": currency, "amount": plain(amount), "key": key}
        return _read(await self._post("/admin/deposits", body), _Deposited).deposited

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def _post(self, path: str, body: dict[str, Any]) -> bytes:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            self._http = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        try:
            async with self._http.post(self._url + path, json=body) as response:
                answer = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise VenueUnreachable(f"the sandbox can't be reached: {type(error).__name__}") from None
        if response.status >= 400:  # noqa: PLR2004  # HTTP's own line between answers and errors
            raise self._error(response.status, answer)
        return answer

    def _error(self, status: int, answer: bytes) -> VenueUnreachable | PaperRefused | Unavailable:
        if status in _NO_TOKEN:
            log.error("%s refuses the administrator's token: set R3EDGE_SANDBOX_TOKEN to that of its folder", self._url)
            return Unavailable("The sandbox refuses this engine; its operator has to set the right token.")
        if status >= 500 or status in _TEMPORARY:  # noqa: PLR2004  # HTTP's own line between the client's errors and the server's
            return VenueUnreachable(f"the sandbox answered {status}")
        reason = _read(answer, _Rejection).msg
        return NoSuchPaperAccount(reason) if status == _NO_ACCOUNT else PaperRefused(reason)


def _read(answer: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.DecodeError:
        raise VenueUnreachable("the sandbox's answer could not be read") from None
