"""The wire itself: what clients other than ccxt see."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
import websockets

from tests.support.sandbox import SandboxProcess, running_sandbox


async def request(sandbox: SandboxProcess, path: str, method: str = "GET") -> tuple[int, dict[str, Any], Any]:
    async with aiohttp.ClientSession() as http, http.request(method, sandbox.url + path) as response:
        return response.status, dict(response.headers), await response.json()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v3/depth?symbol=NOSUCH", 400, -1121),
        ("/api/v3/depth", 400, -1102),
        ("/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=x", 400, -1100),
        ("/api/v3/account", 401, -2014),
        ("/api/v3/nothing", 404, -1000),
        ("/admin/accounts", 404, -1000),
    ],
)
async def test_a_bad_request_gets_a_code(sandbox: SandboxProcess, path: str, status: int, code: int) -> None:
    answered, _, body = await request(sandbox, path)
    assert (answered, body["code"]) == (status, code)


async def test_an_administrator_without_the_token_is_refused(sandbox: SandboxProcess) -> None:
    status, _, body = await request(sandbox, "/admin/accounts", "POST")
    assert (status, body["code"]) == (401, -2015)


async def test_a_body_that_is_too_large_is_answered_with_413(sandbox: SandboxProcess) -> None:
    async with aiohttp.ClientSession() as http:
        for size in (100_000, 900_000):
            async with http.post(f"{sandbox.url}/api/v3/order", data=b"x" * size) as response:
                assert response.status == 413
    assert sandbox.errors == []


async def test_an_administrator_changes_filters_while_it_runs(sandbox: SandboxProcess) -> None:
    change = {"market": "BTC/USDT", "filters": [{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 7}]}
    answer = await sandbox.admin("filters", change)
    (symbol,) = (await sandbox.get("/api/v3/exchangeInfo?symbol=BTCUSDT"))["symbols"]
    assert symbol["filters"] == answer["filters"]
    assert {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 7} in symbol["filters"]
    with pytest.raises(AssertionError, match="a whole number"):
        await sandbox.admin("filters", change | {"filters": [{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": -1}]})


async def test_the_used_weight_is_shown_and_limited(tmp_path: Any) -> None:
    async with running_sandbox(tmp_path / "limited", unlimited=False) as sandbox, aiohttp.ClientSession() as http:
        for _ in range(610):  # which last for a part of two minutes at most
            async with http.get(f"{sandbox.url}/api/v3/exchangeInfo?symbol=BTCUSDT") as response:
                if response.status == 429:
                    assert int(response.headers["retry-after"]) > 0
                    assert (await response.json())["code"] == -1003
                    return
                assert int(response.headers["x-mbx-used-weight-1m"]) <= 6000
        pytest.fail("more than 6,000 of weight were let through in a minute")


async def test_limits_are_shown_only_if_they_are_enforced(sandbox: SandboxProcess, tmp_path: Any) -> None:
    _, headers, info = await request(sandbox, "/api/v3/exchangeInfo")
    assert info["rateLimits"] == []
    assert not [name for name in headers if name.lower().startswith("x-mbx-used-weight")]
    async with running_sandbox(tmp_path / "limited", unlimited=False) as limited:
        limits = (await limited.get("/api/v3/exchangeInfo"))["rateLimits"]
    assert {(limit["rateLimitType"], limit["limit"]) for limit in limits} >= {("REQUEST_WEIGHT", 6000), ("ORDERS", 100)}


async def test_streams_are_subscribed_listed_and_left(sandbox: SandboxProcess) -> None:
    async with websockets.connect(f"{sandbox.websocket_url}/ws") as socket, asyncio.timeout(60):

        async def ask(method: str, *names: str) -> dict[str, Any]:
            await socket.send(json.dumps({"method": method, "params": list(names), "id": 7}))
            while "id" not in (answer := json.loads(await socket.recv())):
                pass
            return answer

        assert await ask("SUBSCRIBE", "btcusdt@trade", "ethusdt@bookTicker") == {"result": None, "id": 7}
        assert await ask("LIST_SUBSCRIPTIONS") == {"result": ["btcusdt@trade", "ethusdt@bookTicker"], "id": 7}
        assert (await ask("SUBSCRIBE", "nosuch@trade"))["error"]["code"] == 2
        assert await ask("UNSUBSCRIBE", "btcusdt@trade") == {"result": None, "id": 7}
        assert (await ask("LIST_SUBSCRIPTIONS"))["result"] == ["ethusdt@bookTicker"]
        await socket.send("not json")
        await socket.send(b"\x00binary")
        assert (await ask("NONSENSE"))["error"]["code"] == 2


async def test_combined_streams_name_themselves(sandbox: SandboxProcess) -> None:
    names = ["btcusdt@depth@100ms", "btcusdt@depth5@100ms", "btcusdt@kline_1d", "btcusdt@miniTicker", "btcusdt@ticker"]
    url = f"{sandbox.websocket_url}/stream?streams={'/'.join(names)}"
    async with websockets.connect(url) as socket, asyncio.timeout(60):
        missing = set(names)
        while missing:
            frame = json.loads(await socket.recv())
            missing.discard(frame["stream"])
            assert frame["data"]


async def test_a_client_that_vanishes_leaves_no_trace_in_the_log(sandbox: SandboxProcess) -> None:
    for path in ("/ws/btcusdt@depth@100ms", "/ws-api/v3"):
        socket = await websockets.connect(sandbox.websocket_url + path)
        socket.transport.abort()
        await socket.wait_closed()
    async with asyncio.timeout(60):
        assert (await request(sandbox, "/api/v3/ping"))[0] == 200
    assert sandbox.errors == []
