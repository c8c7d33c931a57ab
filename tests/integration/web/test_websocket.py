"""The graphql-transport-ws protocol, as its messages and close codes show it."""

import pytest
from websockets.exceptions import InvalidStatus

from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import serving
from tests.support.waiting import eventually

DEPTH = "subscription { depth { sequence previous text } }"


async def test_a_query_and_a_mutation_run_over_the_socket(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init()
        await client.subscribe('mutation { orderPlace(price: "1.5") { product { price } errors { code } } }', id="a")
        message = await client.receive()
        assert message["payload"]["data"]["orderPlace"] == {"product": {"price": "1.5"}, "errors": []}
        assert await client.receive() == {"id": "a", "type": "complete"}
        await client.subscribe("{ hello }", id="a")  # the id is free again
        assert (await client.receive())["payload"]["data"] == {"hello": "hello you"}


async def test_a_query_has_fresh_loaders_each_time_and_a_token_that_is_revoked_meanwhile_closes(
    backend: DemoBackend,
) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init("good")
        before = backend.contexts
        for operation in ("1", "2"):
            await client.subscribe("{ me }", id=operation)
            assert (await client.receive())["payload"]["data"] == {"me": "credential-1"}
            await client.receive()
        assert backend.contexts == before + 2
        backend.tokens.clear()
        await client.subscribe("{ me }", id="3")
        assert (await client.closed())[0] == 4403


async def test_revoking_a_credential_closes_its_sockets_and_no_others(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served, served.socket() as mine, served.socket() as other, served.socket() as anonymous:
        await mine.init("good")
        await other.init("other")
        await anonymous.init()
        assert await app.state.connections.close_credential("credential-1") == 1
        assert (await mine.closed())[0] == 4403
        for client in (other, anonymous):
            await client.subscribe("{ hello }")
            assert (await client.receive())["type"] == "next"


async def test_an_expiring_credential_closes_the_socket_by_itself(backend: DemoBackend) -> None:
    backend.seconds_left = 0.2
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init("good")
        assert (await client.closed())[0] == 4403


@pytest.mark.parametrize("payload", [{"Authorization": "Bearer bad"}, {"authorization": "x"}, {"Authorization": 5}])
async def test_a_bad_token_closes_with_4403(backend: DemoBackend, payload: dict) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.send(type="connection_init", payload=payload)
        assert (await client.closed())[0] == 4403


async def test_a_token_in_the_handshakes_header_counts(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        async with served.socket(additional_headers={"Authorization": "Bearer good"}) as client:
            await client.init()
            await client.subscribe("{ me }")
            assert (await client.receive())["payload"]["data"] == {"me": "credential-1"}
        async with served.socket(additional_headers={"Authorization": "Bearer bad"}) as client:
            await client.send(type="connection_init")
            assert (await client.closed())[0] == 4403


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x00\xff", 4400),
        ("not json", 4400),
        ("[]", 4400),
        ("null", 4400),
        ("{}", 4400),
        ('{"type": "start", "id": "1"}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }"}}', 4401),
        ('{"type": "connection_init", "payload": []}', 4400),
        ("[" * 60_000, 4400),
        ("x" * 70_000, 1009),
    ],
    ids=["binary", "text", "array", "null", "no type", "legacy", "early", "init array", "deep", "too big"],
)
async def test_messages_outside_the_protocol_close_with_their_code(
    backend: DemoBackend, sent: str | bytes, code: int
) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.ws.send(sent)
        assert (await client.closed())[0] == code


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"type": "connection_init"}], 4429),
        ([{"type": "subscribe", "id": "1"}], 4400),
        ([{"type": "subscribe", "id": "", "payload": {"query": "{ hello }"}}], 4400),
        ([{"type": "subscribe", "id": "1", "payload": {"query": "{ slow }"}}] * 2, 4409),
        ([{"type": "complete"}], 4400),
        ([{"type": "complete", "id": 1}], 4400),
        ([{"type": "complete", "id": ""}], 4400),
        ([{"type": "ping", "payload": 1}], 4400),
        ([{"type": "pong", "payload": []}], 4400),
    ],
    ids=[
        "second init",
        "no payload",
        "empty id",
        "id in use",
        "complete without id",
        "complete of a number",
        "complete of nothing",
        "ping payload",
        "pong payload",
    ],
)
async def test_breaking_the_protocol_after_the_acknowledgement_closes(
    backend: DemoBackend, messages: list[dict], code: int
) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init()
        for message in messages:
            await client.send(**message)
        assert (await client.closed())[0] == code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": 5}, "INVALID"),
        ({"query": "{ hello }", "variables": []}, "INVALID"),
        ({"query": "{"}, "INVALID"),
        ({"query": "{ nothing }"}, "INVALID"),
        ({"query": "query A { hello } query B { hello }"}, "INVALID"),
        ({"query": "query ($v: Decimal!) { echo(value: $v) }", "variables": {"v": 1.5}}, "INVALID"),
        ({"query": "{" + " ".join(f"a{n}: hello" for n in range(16)) + "}"}, "OPERATION_TOO_COMPLEX"),
        ({"query": "subscription {" + " ".join(f"a{n}: depth {{ sequence }}" for n in range(16)) + "}"},
         "OPERATION_TOO_COMPLEX"),
        ({"query": "{ " + "hello " * 1_000 + "}"}, "INVALID"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}, "PERSISTED_QUERY_NOT_FOUND"),
    ],
)  # fmt: skip
async def test_an_operation_that_cannot_run_is_answered_with_error_and_the_socket_lives(
    backend: DemoBackend, payload: dict, code: str
) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init()
        await client.send(type="subscribe", id="1", payload=payload)
        message = await client.receive()
        assert (message["type"], message["id"]) == ("error", "1")
        assert {error["extensions"]["code"] for error in message["payload"]} == {code}
        await client.subscribe("{ hello }", id="1")
        assert (await client.receive())["type"] == "next"


async def test_the_hundred_and_first_operation_is_refused(backend: DemoBackend) -> None:
    settings = WebSettings(max_operations_per_connection=2)
    async with serving(demo_app(backend, settings)) as served, served.socket() as client:
        await client.init()
        for operation in ("1", "2", "3"):
            await client.subscribe(DEPTH, id=operation)
        message = await client.receive()
        assert (message["id"], message["payload"][0]["extensions"]["code"]) == ("3", "RATE_LIMITED")
        await client.send(type="complete", id="1")
        await client.subscribe("{ hello }", id="3")
        assert (await client.receive())["payload"]["data"] == {"hello": "hello you"}


async def test_a_client_that_does_not_initialise_is_disconnected(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, WebSettings(init_timeout_seconds=0.1))) as served, served.socket() as client:
        assert (await client.closed())[0] == 4408


async def test_pings_are_echoed_and_the_server_sends_its_own(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, WebSettings(ping_interval_seconds=0.2))) as served, served.socket() as client:
        await client.init()
        await client.send(type="ping", payload={"n": 1})
        assert await client.receive() == {"type": "pong", "payload": {"n": 1}}
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}
        await client.send(type="ping", payload=None, id="x", foo=2)
        assert await client.receive() == {"type": "pong", "payload": None}
        assert await client.receive(pings=True) == {"type": "ping"}
        await client.send(type="pong")
        assert await client.receive(pings=True) == {"type": "ping"}


@pytest.mark.parametrize("subprotocols", [["graphql-ws"], None])
async def test_the_legacy_protocol_is_refused(backend: DemoBackend, subprotocols: list[str] | None) -> None:
    async with serving(demo_app(backend)) as served, served.socket(subprotocols=subprotocols) as client:
        assert (await client.closed())[0] == 4406


async def test_a_foreign_page_may_connect_only_if_its_origin_is_allowed(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, WebSettings(allowed_origins=("https://app.example",)))) as served:
        for origin in ("https://app.example", served.url):
            async with served.socket(origin=origin) as client:
                await client.init()
        with pytest.raises(InvalidStatus) as refused:
            async with served.socket(origin="https://evil.example"):
                pass
        assert refused.value.response.status_code == 403


async def test_a_mutation_ends_though_its_socket_is_closed(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        async with served.socket() as client:
            await client.init()
            await client.subscribe('mutation { orderSlowly(price: "1") }')
            await eventually(lambda: backend.waiting == 1, "the mutation has begun")
        backend.gate.set()
        await eventually(lambda: backend.placed, "the mutation has ended")


async def test_an_operation_that_takes_too_long_is_ended(backend: DemoBackend) -> None:
    async with (
        serving(demo_app(backend, WebSettings(operation_timeout_seconds=0.1))) as served,
        served.socket() as client,
    ):
        await client.init()
        await client.subscribe("{ slow }")
        message = await client.receive()
        assert message["payload"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_shutting_down_closes_the_sockets_and_the_rooms(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served, served.socket() as client:
        await client.init()
        await client.subscribe(DEPTH)
        await eventually(lambda: backend.depth.readers, "the room is open")
        served.server.should_exit = True
        assert (await client.closed())[0] == 1012
    assert not backend.depth.readers


async def test_a_socket_that_is_opened_while_the_server_stops_is_closed(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served:
        await app.state.connections.close_all()
        async with served.socket() as client:
            assert (await client.closed())[0] == 1012
