"""An exchange and real ccxt.pro clients of it."""

from contextlib import asynccontextmanager

import pytest
from ccxt.pro.binance import binance

from tests.support.sandbox import running_sandbox


@pytest.fixture
async def sandbox(tmp_path):
    async with running_sandbox(tmp_path / "sandbox") as process:
        yield process


@pytest.fixture
def connect(sandbox):
    """Return a maker of ccxt clients of the sandbox, with an account's keys or without."""

    @asynccontextmanager
    async def open_client(keys=None):
        client = binance({"enableRateLimit": False, "options": {
            "fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}})  # fmt: skip
        client.number = str
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

    return open_client


@pytest.fixture
async def trader(sandbox, connect):
    keys = await sandbox.create_account("trader", {"USDT": "1000000", "BTC": "5"})
    async with connect(keys) as client:
        await client.load_markets()
        yield client
