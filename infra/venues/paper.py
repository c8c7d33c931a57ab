"""The administrative side of a sandbox exchange: paper accounts and their balances."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec

from domain.markets.ports import VenueUnreachable
from domain.money import plain
from domain.trading.types import Balance, VenueCredentials

TIMEOUT_SECONDS = 10.0


class _Credentials(msgspec.Struct, rename="camel"):
    api_key: str
    secret: str


class SandboxAdmin:
    """`domain.trading.ports.PaperVenue` over the sandbox's administrative address."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"SandboxAdmin(url={self._url!r})"

    async def open_account(self, name: str, balances: Sequence[Balance]) -> VenueCredentials:
        """Make an account with balances; asked twice by the same name, it answers the same and pays once."""
        body = {"name": name, "balances": {each.currency: plain(each.total) for each in balances}}
        answer = await self._post("/admin/accounts", body)
        try:
            told = msgspec.json.decode(answer, type=_Credentials)
        except msgspec.DecodeError:
            raise VenueUnreachable("the sandbox's answer could not be read") from None
        return VenueCredentials(told.api_key, told.secret)

    async def deposit(self, name: str, currency: str, amount: Decimal, key: str) -> None:
        """Pay into an account, once a key."""
        body = {"name": name, "currency": currency, "amount": plain(amount), "key": key}
        await self._post("/admin/deposits", body)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, path: str, body: dict[str, Any]) -> bytes:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        try:
            async with self._session.post(self._url + path, json=body) as response:
                answer = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise VenueUnreachable(f"the sandbox can't be reached: {type(error).__name__}") from None
        if response.status >= 400:  # noqa: PLR2004  # HTTP's own line between answers and refusals
            raise VenueUnreachable(f"the sandbox answered {response.status}")
        return answer
