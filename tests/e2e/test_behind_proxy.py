"""The engine behind the TLS proxy of `deploy/Caddyfile`, as browsers and programs on the internet reach it."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from websockets.asyncio.client import connect

from tests.support.caddy import Proxy, tls_proxy
from tests.support.engine import running_engine
from tests.support.graphql_client import initialise, receive
from tests.support.ports import free_port
from tests.support.run_folder import new_folder
from tests.support.trader_client import MARKET

REGISTER = """mutation($email: String!) {
  userRegister(input: {email: $email, password: "correct horse battery"}) { token errors { code } } }"""
BOOK = 'subscription { marketDepth(market: "%s", levels: L5) { __typename } }'
PATIENCE = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxy() -> AsyncIterator[Proxy]:
    """An engine whose other node, of which the proxy also knows, is down."""
    folder = new_folder()
    settings = {"R3EDGE_TRUSTED_PROXIES": "127.0.0.1,::1", "R3EDGE_REGISTRATIONS_PER_HOUR": "1"}
    async with (
        running_engine(folder / "engine", "--seed", "7", settings=settings) as engine,
        tls_proxy(folder, [engine.port, free_port()]) as found,
    ):
        yield found


def client(proxy: Proxy, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a client that comes from an address of its own of this machine."""
    transport = httpx.AsyncHTTPTransport(verify=proxy.trust, local_address=address)
    return httpx.AsyncClient(transport=transport, base_url=proxy.url, timeout=PATIENCE)


async def register(proxy: Proxy, address: str, name: str, **headers: str) -> list[str]:
    """Try to register; return the codes of the errors."""
    async with client(proxy, address) as http:
        variables = {"email": f"{name}@example.com"}
        answer = await http.post("/graphql", json={"query": REGISTER, "variables": variables}, headers=headers)
    body = answer.json()
    return (
        [error["code"] for error in body["data"]["userRegister"]["errors"]]
        if "errors" not in body
        else [error["extensions"]["code"] for error in body["errors"]]
    )


async def test_queries_are_answered_over_tls_though_one_node_is_down(proxy: Proxy) -> None:
    async with client(proxy) as http:
        for _ in range(8):
            answer = await http.post("/graphql", json={"query": "{ __typename }"})
            assert answer.json()["data"] == {"__typename": "Query"}


async def test_metrics_are_not_for_the_internet(proxy: Proxy) -> None:
    async with client(proxy) as http:
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.get("/healthz")).status_code == 200


async def test_an_address_that_the_client_makes_up_does_not_count(proxy: Proxy) -> None:
    assert await register(proxy, "127.0.0.2", "first", **{"X-Forwarded-For": "203.0.113.1"}) == []
    for forged in ("203.0.113.2", "127.0.0.1", "203.0.113.3, 127.0.0.1"):
        assert await register(proxy, "127.0.0.2", "second", **{"X-Forwarded-For": forged}) == ["RATE_LIMITED"]
    assert await register(proxy, "127.0.0.3", "second") == []


async def test_a_websocket_and_its_frames_pass(proxy: Proxy) -> None:
    url = proxy.url.replace("https", "wss") + "/graphql"
    async with connect(url, ssl=proxy.trust, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await initialise(socket)
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": BOOK % MARKET}}))
        for _ in range(3):
            message = await receive(socket)
            assert (message["type"], message["id"]) == ("next", "1")


async def test_events_of_a_stream_come_one_by_one(proxy: Proxy) -> None:
    headers = {"accept": "text/event-stream"}
    body = {"query": BOOK % MARKET}
    async with client(proxy) as http, http.stream("POST", "/graphql", json=body, headers=headers) as answer:
        seen = [line async for line in _first(answer.aiter_lines(), "data:", 3)]
    assert len(seen) == 3


async def _first(lines: AsyncIterator[str], start: str, count: int) -> AsyncIterator[str]:
    async for line in lines:
        if line.startswith(start):
            yield line
            count -= 1
            if not count:
                return
