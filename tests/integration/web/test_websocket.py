import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import serving
from tests.support.waiting import eventually

DEPTH = "subscription { depth { sequence previous text } }"


def tick(message: dict, field: str = "depth") -> int:
    assert message["type"] == "next", message
    return message["payload"]["data"][field]["sequence"]


async def test_a_query_and_a_mutation_run_over_the_socket(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init()
        await client.subscribe('mutation { orderPlace(price: "1.5") { product { price } errors { code } } }', id="a")
        message = await client.receive()
        assert message["payload"]["data"]["orderPlace"] == {"product": {"price": "1.5"}, "errors": []}
        assert await client.receive() == {"id": "a", "type": "complete"}
        await client.subscribe("{ hello }", id="a")  # the id is free again
        assert (await client.receive())["payload"]["data"] == {"hello": "hello you"}


async def test_two_subscribers_share_one_execution_whatever_the_layout_of_their_documents(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served, served.socket() as one, served.socket() as two:
        for client, query in ((one, DEPTH), (two, "subscription{depth{sequence,previous,text}} # mine")):
            await client.init()
            await client.subscribe(query, id='q"1' if client is two else "1")
        await eventually(lambda: backend.depth.opened == 1, "the source is open")
        await eventually(lambda: len(app.state.operations.rooms) == 1, "both meet in one room")
        backend.depth.push("a")
        first, second = await one.receive(), await two.receive()
        assert tick(first) == tick(second) == 1
        assert second["id"] == 'q"1'
        before = backend.depth_executions
        backend.depth.push("b")
        assert tick(await one.receive()) == tick(await two.receive()) == 2
        assert backend.depth_executions == before + 1
        assert backend.depth.opened == 1


async def test_other_arguments_other_rooms_but_written_defaults_of_variables_are_the_same(backend: DemoBackend) -> None:
    app = demo_app(backend)
    query = "subscription ($levels: Int! = 5) { depth(levels: $levels) { sequence } }"
    async with serving(app) as served, served.socket() as client:
        await client.init()
        await client.subscribe(query, id="default")
        await client.subscribe(query, id="given", variables={"levels": 5})
        await client.subscribe(query, id="other", variables={"levels": 6})
        await eventually(lambda: backend.depth.opened == 2, "two rooms are open")
        assert len(app.state.operations.rooms) == 2


async def test_a_late_joiner_gets_a_snapshot_and_then_only_what_follows_it(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as early, served.socket() as late:
        await early.init()
        await early.subscribe(DEPTH)
        await eventually(lambda: backend.depth.readers, "the room is open")
        for number in (1, 2, 3):  # one after the other, since what comes while an event is rendered is merged
            backend.depth.push()
            assert tick(await early.receive()) == number
        await late.init()
        await late.subscribe(DEPTH)
        first = await late.receive()
        assert (tick(first), first["payload"]["data"]["depth"]["previous"]) == (3, None)
        backend.depth.push()
        following = await late.receive()
        assert following["payload"]["data"]["depth"] == {"sequence": 4, "previous": 3, "text": "x"}
        assert tick(await early.receive()) == 4


async def test_a_room_has_an_anonymous_context_even_if_a_user_opens_it(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init("good")
        await client.subscribe("subscription { depth { sequence who } }")
        await eventually(lambda: backend.depth.readers, "the room is open")
        backend.depth.push()
        assert (await client.receive())["payload"]["data"]["depth"]["who"] is None


async def test_a_private_stream_has_its_own_context_and_its_own_source(backend: DemoBackend) -> None:
    query = "subscription { journal { sequence who } }"
    async with serving(demo_app(backend)) as served, served.socket() as one, served.socket() as two:
        await one.init("good")
        await two.init("other")
        await one.subscribe(query)
        await two.subscribe(query)
        await eventually(lambda: backend.journal.opened == 2, "both streams are open")
        backend.journal.push()
        seen = [(await client.receive())["payload"]["data"]["journal"]["who"] for client in (one, two)]
        assert seen == ["credential-1", "credential-2"]


@pytest.mark.parametrize("ending", ["fault", "bug", "end"])
@pytest.mark.parametrize("field", ["depth", "journal"])
async def test_a_stream_that_ends_reports_how(backend: DemoBackend, field: str, ending: str) -> None:
    app = demo_app(backend)
    feed = getattr(backend, field)
    async with serving(app) as served, served.socket() as client:
        await client.init()
        await client.subscribe(f"subscription {{ {field} {{ sequence }} }}")
        await eventually(lambda: feed.readers, "the stream is open")
        feed.push(ending)
        message = await client.receive()
        if message["type"] == "next":  # a new subscriber of a room may get its newest state first
            message = await client.receive()
        if ending == "end":
            assert message == {"id": "1", "type": "complete"}
        else:
            (error,) = message["payload"]
            assert message["type"] == "error"
            assert "secret" not in json.dumps(message)
            assert error["extensions"]["code"] == ("UNAVAILABLE" if ending == "fault" else "INTERNAL")
        await eventually(lambda: not app.state.operations.rooms and not feed.readers, "nothing is left of the stream")


async def test_a_resolver_that_refuses_answers_with_its_code(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as client:
        await client.init()
        for operation, query, code in (
            ("1", "subscription { refused { sequence } }", "CURSOR_TOO_OLD"),
            ("2", "subscription { depth(levels: 101) { sequence } }", "INVALID"),
        ):
            await client.subscribe(query, id=operation)
            message = await client.receive()
            assert (message["type"], message["id"]) == ("error", operation)
            assert message["payload"][0]["extensions"]["code"] == code


async def test_unsubscribing_closes_the_room_with_the_last_subscriber_and_not_before(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served, served.socket() as client:
        await client.init()
        await client.subscribe(DEPTH, id="1")
        await client.subscribe(DEPTH, id="2")
        await eventually(lambda: backend.depth.readers, "the room is open")
        await client.send(type="complete", id="1")
        (room,) = app.state.operations.rooms
        await eventually(lambda: len(room.subscribers) == 1, "one subscriber has left")
        backend.depth.push()
        assert (await client.receive())["id"] == "2"
        await client.send(type="complete", id="2")
        await eventually(lambda: not backend.depth.readers, "the source is closed")
        assert not app.state.operations.rooms
        await client.subscribe(DEPTH, id="1")
        assert tick(await client.receive()) == 1


async def test_abrupt_disconnects_leave_no_task_no_room_and_no_source(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served:
        idle = len(asyncio.all_tasks())
        for _ in range(5):
            async with served.socket() as client:
                await client.init()
                await client.subscribe(DEPTH, id="1")
                await client.subscribe("subscription { journal { sequence } }", id="2")
                await client.subscribe("{ slow }", id="3")
                await eventually(lambda: backend.depth.readers and backend.journal.readers, "the streams are open")
                backend.depth.push()
                client.ws.transport.abort()
        await eventually(lambda: not backend.depth.readers and not backend.journal.readers, "the sources are closed")
        await eventually(lambda: not app.state.operations.rooms, "the rooms are closed")
        await eventually(lambda: not app.state.connections, "the connections are gone")
        await eventually(lambda: len(asyncio.all_tasks()) <= idle, "no task is left")


async def test_a_stalled_subscriber_neither_slows_the_others_nor_grows(backend: DemoBackend) -> None:
    app = demo_app(backend, WebSettings(queued_events_per_subscriber=4))
    async with serving(app) as served, served.socket() as quick, served.socket(max_queue=1) as stalled:
        for client in (quick, stalled):
            await client.init()
            await client.subscribe(DEPTH)
        await eventually(lambda: backend.depth.readers, "the room is open")
        (room,) = app.state.operations.rooms
        await eventually(lambda: len(room.subscribers) == 2, "both are in")
        stalled.ws.transport.pause_reading()
        text = "x" * 60_000
        for n in range(400):
            backend.depth.push(text)
            assert tick(await quick.receive()) == n + 1
            assert all(len(subscriber) <= 4 for subscriber in room.subscribers)
        stalled.ws.transport.resume_reading()
        sequence = 0
        snapshots = 0
        while sequence < 400:
            event = (await stalled.receive())["payload"]["data"]["depth"]
            assert event["previous"] in {None, sequence}  # the chain is complete, or starts again
            snapshots += event["previous"] is None
            sequence = event["sequence"]
        assert 1 <= snapshots < 100


async def test_a_subscriber_whose_events_cannot_be_conflated_is_disconnected(backend: DemoBackend) -> None:
    app = demo_app(backend, WebSettings(queued_events_per_subscriber=4))
    async with serving(app) as served, served.socket() as quick, served.socket(max_queue=1) as stalled:
        for client in (quick, stalled):
            await client.init()
            await client.subscribe("subscription { words { sequence text } }")
        await eventually(lambda: backend.depth.readers, "the room is open")
        stalled.ws.transport.pause_reading()
        for _ in range(300):
            backend.depth.push("x" * 60_000)
            assert tick(await quick.receive(), "words")
        stalled.ws.transport.resume_reading()
        while (message := await stalled.receive())["type"] == "next":
            pass
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "SLOW_READER"


async def test_a_private_reader_that_is_too_slow_gets_its_cursor_and_loses_nothing_before_it(
    backend: DemoBackend,
) -> None:
    async with (
        serving(demo_app(backend, WebSettings(send_timeout_seconds=0.3))) as served,
        served.socket(max_queue=1) as client,
    ):
        await client.init()
        await client.subscribe("subscription { journal { sequence text } }")
        await eventually(lambda: backend.journal.readers, "the stream is open")
        client.ws.transport.pause_reading()
        for _ in range(400):
            backend.journal.push("x" * 60_000)
        await eventually(lambda: not backend.journal.readers, "the server has given the stream up")
        client.ws.transport.resume_reading()
        sequences = []
        while (message := await client.receive())["type"] == "next":
            sequences.append(tick(message, "journal"))
        assert sequences == list(range(1, len(sequences) + 1))
        assert message["payload"][0]["extensions"] == {"cursor": f"after-{len(sequences)}", "code": "SLOW_READER"}


async def test_a_private_reader_that_reads_nothing_at_all_is_disconnected(backend: DemoBackend) -> None:
    app = demo_app(backend, WebSettings(send_timeout_seconds=0.1, close_timeout_seconds=0.2))
    async with serving(app) as served, served.socket(max_queue=1) as client:
        await client.init()
        await client.subscribe("subscription { journal { sequence text } }")
        await eventually(lambda: backend.journal.readers, "the stream is open")
        client.ws.transport.pause_reading()
        for _ in range(400):
            backend.journal.push("x" * 60_000)
        await eventually(lambda: not app.state.connections, "the server has closed it")
        assert not backend.journal.readers
        client.ws.transport.abort()


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
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}, "PERSISTED_QUERY_NOT_SUPPORTED"),
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
        assert (await client.closed())[0] == 1001
    assert not backend.depth.readers


async def test_a_socket_that_is_opened_while_the_server_stops_is_closed(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served:
        await app.state.connections.close_all()
        async with served.socket() as client:
            assert (await client.closed())[0] == 1001
