"""WebSockets that break the protocol, or whose credential ends: each closes with its code, and the others live on."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gql import Client as GqlClient
from gql import gql
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.support.engine import Engine
from tests.support.graphql_client import Client, initialise, receive
from tests.support.trader_client import HEAD, LOGIN, ORDER_EVENTS, PASSWORD, PLACE, TraderClient, new_trader, register

INIT = '{"type": "connection_init"}'
SUBSCRIBE = json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}})
TICKER = 'subscription { ticker(market: "sandbox:BTC/USDT") { last } }'
CREATE_KEY = """mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) {
  secret apiKey { id expiresAt } errors { code message path } } }"""
REVOKE_KEY = "mutation($id: ID!) { apiKeyRevoke(id: $id) { apiKey { id } errors { code message path } } }"


async def closing_code(socket: ClientConnection, timeout_seconds: float = 60.0) -> int | None:
    """Read on until the server closes; return its code."""
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                await socket.recv()
    except ConnectionClosed:
        return socket.close_code


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([b"\x00\x01"], 4400),
        ([INIT.encode()], 4400),
        (["hello"], 4400),
        (["[]"], 4400),
        (['{"type": "nope"}'], 4400),
        (['{"a":' * 10_000], 4400),
        (["x" * 1_000_000], 1009),
        ([SUBSCRIBE], 4401),
        ([INIT, INIT], 4429),
        (['{"type": "connection_init", "payload": 7}'], 4400),
        ([INIT, '{"type": "subscribe"}'], 4400),
        ([INIT, '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}'], 4400),
    ],
    ids=range(12),
)
async def test_breaking_the_protocol_closes_the_socket(engine: Engine, messages: list[str | bytes], code: int) -> None:
    async with engine.client().socket() as socket:
        try:
            for message in messages:
                await socket.send(message)
        except ConnectionClosed:
            pass
        assert await closing_code(socket) == code


async def test_text_that_is_not_utf8_closes_the_socket(engine: Engine) -> None:
    async with engine.client().socket() as socket:
        await socket.send(b"\xff\xfe\xfd", text=True)
        assert await closing_code(socket) == 1007


async def test_a_silent_client_is_disconnected(engine: Engine) -> None:
    async with engine.client().socket() as socket:
        assert await closing_code(socket) == 4408


async def test_an_id_that_is_in_use_closes_the_socket(engine: Engine) -> None:
    async with engine.client().socket() as socket:
        await initialise(socket)
        for _ in range(2):
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": TICKER}}))
        assert await closing_code(socket) == 4409


async def test_the_hundred_and_first_operation_is_refused_and_the_hundred_go_on(engine: Engine) -> None:
    async with engine.client().socket() as socket:
        await initialise(socket)
        for number in range(101):
            await socket.send(json.dumps({"type": "subscribe", "id": str(number), "payload": {"query": TICKER}}))
        answers: dict[str, Any] = {}
        while len(answers) < 101:
            message = await receive(socket)
            answers[message["id"]] = message
        refused = [name for name, message in answers.items() if message["type"] == "error"]
        assert refused == ["100"]


async def _login(client: Client, trader: TraderClient) -> Client:
    made = await client.change(LOGIN, input={"email": trader.email, "password": PASSWORD})
    return Client(client.url, made["token"])


async def test_logging_out_closes_the_sockets_of_that_login_and_no_others(engine: Engine, trader: TraderClient) -> None:
    second = await _login(engine.client(), trader)
    async with trader.client.socket() as leaving, second.socket() as staying:
        for socket, token in ((leaving, trader.client.token), (staying, second.token)):
            await initialise(socket, token)
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": TICKER}}))
            await receive(socket)
        await trader.client.change("mutation { userLogout { errors { code message path } } }")
        assert await closing_code(leaving) == 4403
        assert (await receive(staying))["type"] == "next"
    async with trader.client.socket() as socket:
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {trader.client.token}"}})
        )
        assert await closing_code(socket) == 4403


async def test_an_api_key_works_until_it_is_revoked(engine: Engine, trader: TraderClient) -> None:
    made = await trader.client.change(CREATE_KEY, input={"name": "long", "scopes": ["READ"]})
    bearer = Client(engine.graphql_url, made["secret"])
    assert (await bearer.one("{ viewer { email } }"))["email"] == trader.email
    (refused,) = await bearer.refusal(PLACE, input=trader.order())
    assert refused["extensions"]["code"] == "FORBIDDEN"
    async with bearer.socket() as socket:
        await initialise(socket, bearer.token)
        await trader.client.change(REVOKE_KEY, id=made["apiKey"]["id"])
        assert await closing_code(socket) == 4403
    assert await bearer.one("{ viewer { id } }") is None


async def test_an_api_key_works_until_it_expires(engine: Engine, trader: TraderClient) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=8)  # until it is made and used, however busy the machine
    made = await trader.client.change(
        CREATE_KEY, input={"name": "short", "scopes": ["READ"], "expiresAt": expires.isoformat()}
    )
    bearer = Client(engine.graphql_url, made["secret"])
    async with bearer.socket() as socket:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {bearer.token}"}}
        await socket.send(json.dumps(init))
        assert await closing_code(socket) == 4403
    assert datetime.now(UTC) >= expires
    assert await bearer.one("{ viewer { id } }") is None


@pytest.mark.parametrize("token", ["x", "Bearer", "\u00e4", "a b", "x" * 5_000, "' OR 1=1", "%00", "\\0"])
async def test_an_unknown_token_is_anonymous(engine: Engine, token: str) -> None:
    if token.isascii():
        assert await engine.client(token).one("{ viewer { id } }") is None
    async with engine.client().socket() as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
        assert await closing_code(socket) == 4403


async def test_ten_wrong_passwords_slow_down_the_next_and_lock_nobody_out(engine: Engine) -> None:
    victim = await register(engine.client())
    client, loop = engine.client(), asyncio.get_running_loop()
    for _ in range(10):
        wrong = await client.one(LOGIN, input={"email": victim.email, "password": "wrong horse battery"})
        assert (wrong["token"], [error["code"] for error in wrong["errors"]]) == (None, ["CREDENTIALS_REJECTED"])
    began = loop.time()
    right = await client.change(LOGIN, input={"email": victim.email, "password": PASSWORD})
    assert right["token"]
    assert loop.time() - began > 0.4


async def test_a_third_partys_client_follows_an_order(engine: Engine, trader: TraderClient) -> None:
    head = (await trader.client.one(HEAD))["eventCursor"]
    transport = WebsocketsTransport(
        url=engine.graphql_url.replace("http", "ws", 1),
        init_payload={"Authorization": f"Bearer {trader.client.token}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    document = gql(ORDER_EVENTS)
    document.variable_values = {"after": head}
    async with GqlClient(transport=transport, fetch_schema_from_transport=False) as session:
        events = session.subscribe(document)
        placed = await trader.place()
        async with asyncio.timeout(60):
            async for event in events:
                if event["orderEvents"]["order"]["status"] == "FILLED":
                    break
        await events.aclose()
    assert event["orderEvents"]["order"]["id"] == placed["id"]


async def test_readers_that_vanish_or_hammer_leave_the_engine_as_it_was(engine: Engine) -> None:
    before = engine.memory_bytes()

    async def vanish() -> None:
        async with engine.client().socket() as socket:
            await initialise(socket)
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": TICKER}}))
            await receive(socket)
            socket.transport.abort()

    for _ in range(5):
        await asyncio.gather(*(vanish() for _ in range(20)))
    other = await new_trader(engine.client())
    assert (await other.place())["status"] == "FILLED"
    assert engine.memory_bytes() - before < 64 * 2**20
