"""Real ccxt.pro clients of a sandbox exchange."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from ccxt.pro.binance import binance

from tests.support.sandbox import SandboxKeys, SandboxProcess

Client = Any
Connect = Callable[..., AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def ccxt_client(sandbox: SandboxProcess, keys: SandboxKeys | None = None) -> AsyncIterator[Client]:
    """Open a client of `sandbox`, with an account's keys or for public data alone."""
    options = {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}
    client = binance({"enableRateLimit": False, "options": options})
    client.number = str
    client.verify = False  # else it reads the certificates of all authorities, and speaks plain HTTP
    if keys:
        client.apiKey, client.secret = keys.api_key, keys.secret
    api = client.urls["api"]
    api["public"] = api["private"] = f"{sandbox.url}/api/v3"
    api["sapi"] = f"{sandbox.url}/sapi/v1"
    api["ws"]["spot"] = f"{sandbox.websocket_url}/ws"
    api["ws"]["ws-api"]["spot"] = f"{sandbox.websocket_url}/ws-api/v3"
    try:
        yield client
    finally:
        await client.close()
