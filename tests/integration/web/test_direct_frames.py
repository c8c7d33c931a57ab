"""Frames of a room that are written to the transport at once: their order, and who doesn't read or has left."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.frames import CloseCode as ProtocolCloseCode
from websockets.frames import Frame, Opcode

from infra.web.connections.close_codes import CloseCode
from infra.web.connections.direct_writes import EXTENSION
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import Served, Socket, serving
from tests.support.waiting import PATIENCE_SECONDS, eventually

DEPTH, TICKER = "subscription { depth { sequence previous text } }", "subscription { ticker { sequence } }"
PATIENT = WebSettings(
    queued_events_per_subscriber=4,
    send_timeout_seconds=PATIENCE_SECONDS,
    write_timeout_seconds=PATIENCE_SECONDS,
    close_timeout_seconds=PATIENCE_SECONDS,
)


class WithoutDirectWrites:
    """The application behind a server that offers no way to write at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {name: offered for name, offered in scope.get("extensions", {}).items() if name != EXTENSION}
        await self._app({**scope, "extensions": extensions}, receive, send)


@pytest.fixture(params=["direct", "by send alone"])
def app(request: pytest.FixtureRequest, backend: DemoBackend) -> Starlette:
    """An application of each kind: what its clients see must be the same."""
    app = demo_app(backend, PATIENT)
    if request.param != "direct":
        app.add_middleware(WithoutDirectWrites)
    return app


@pytest.fixture
async def served(app: Starlette) -> AsyncIterator[Served]:
    async with serving(app) as served:
        yield served


async def subscribed(client: Socket, backend: DemoBackend, query: str = DEPTH, id: str = "1") -> None:
    """Subscribe, and return when the first event has come."""
    feed = backend.depth if query == DEPTH else backend.ticker
    await client.subscribe(query, id=id)
    await eventually(lambda: feed.readers, "the room is open")
    feed.push()
    assert (await client.receive())["id"] == id


def the(message: dict[str, Any], field: str = "depth") -> dict[str, Any]:
    assert message["type"] == "next", message
    return message["payload"]["data"][field]


@pytest.mark.parametrize("size", [0, 40, 41, 42, 43, 44, 45, 46, 65_400, 65_450, 65_500, 200_000])
async def test_a_frame_of_any_size_arrives_as_it_was_sent(served: Served, backend: DemoBackend, size: int) -> None:
    async with served.socket() as client:
        await client.init()
        await subscribed(client, backend)
        for text in ("a" * size, "ä" * (size // 2), "€" * (size // 3)):
            backend.depth.push(text)
            assert the(await client.receive())["text"] == text


async def test_events_keep_their_order_whether_they_wait_in_the_queue_or_not(
    served: Served, backend: DemoBackend
) -> None:
    async with served.socket(max_queue=1) as client:
        await client.init()
        await subscribed(client, backend)
        sequence = 1
        for burst in range(40):
            if burst % 4 == 1:
                client.ws.transport.pause_reading()
            for _ in range(burst % 7 + 1):
                backend.depth.push("x" * (60_000 if burst % 3 else 10))
                await asyncio.sleep(0)
            client.ws.transport.resume_reading()
            while sequence < backend.depth.sequence:
                event = the(await client.receive())
                assert event["previous"] in {None, sequence}  # the chain is complete, or starts again
                assert event["sequence"] >= sequence
                sequence = event["sequence"]


async def test_two_rooms_on_one_connection_get_each_its_own_events(served: Served, backend: DemoBackend) -> None:
    async with served.socket() as client:
        await client.init()
        await subscribed(client, backend, DEPTH, "book")
        await subscribed(client, backend, TICKER, "price")
        seen: dict[str, list[int]] = {"book": [], "price": []}
        for _ in range(50):
            backend.depth.push()
            backend.ticker.push()
            for _ in range(2):
                message = await client.receive()
                seen[message["id"]].append(the(message, "depth" if message["id"] == "book" else "ticker")["sequence"])
        assert seen == {"book": list(range(2, 52)), "price": list(range(2, 52))}


async def test_after_an_id_is_used_again_nothing_of_its_first_subscription_comes(
    served: Served, backend: DemoBackend
) -> None:
    async with served.socket() as client:
        await client.init()
        await subscribed(client, backend)
        for _ in range(30):
            await client.send(type="complete", id="1")
            await client.subscribe("{ hello }")
            backend.depth.push()
            await asyncio.sleep(0)
            backend.depth.push()
            while (message := await client.receive())["type"] == "next" and "depth" in message["payload"]["data"]:
                pass  # the server wrote it before it read the complete
            assert message["payload"]["data"] == {"hello": "hello you"}
            assert (await client.receive())["type"] == "complete"
            await client.subscribe(DEPTH)
            assert the(await client.receive())["sequence"]


async def test_a_client_that_is_cut_off_in_the_middle_leaves_the_others_their_events(
    served: Served, app: Starlette, backend: DemoBackend
) -> None:
    clients = [served.socket() for _ in range(120)]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.__aenter__())
    for client in clients:
        await client.init()
        await client.subscribe(DEPTH)
    rooms = app.state.operations.rooms
    await eventually(lambda: [len(room.subscribers) for room in rooms] == [120], "all are in one room")
    await eventually(lambda: backend.depth.readers, "the room is open")
    backend.depth.push()
    for client in clients:
        assert the(await client.receive())["sequence"] == 1
    for number in range(2, 12):
        backend.depth.push("x" * 2_000)
        clients.pop().ws.transport.abort()
        for client in clients:
            assert the(await client.receive())["sequence"] == number
    await eventually(lambda: [len(room.subscribers) for room in rooms] == [110], "those that were cut off have left")
    for client in clients:
        client.ws.transport.abort()
    await eventually(lambda: not backend.depth.readers and not rooms, "nothing is left of the room")


@pytest.mark.parametrize("ending", ["end", "fault"])
async def test_the_end_of_a_room_comes_after_its_last_event(served: Served, backend: DemoBackend, ending: str) -> None:
    async with served.socket() as client:
        await client.init()
        await subscribed(client, backend)
        for _ in range(3):
            backend.depth.push()
        backend.depth.push(ending)
        assert [the(await client.receive())["sequence"] for _ in range(3)] == [2, 3, 4]
        assert (await client.receive())["type"] == ("complete" if ending == "end" else "error")


async def test_nothing_follows_the_close_of_a_server_that_drains(
    served: Served, app: Starlette, backend: DemoBackend
) -> None:
    async with served.socket() as client:
        await client.init()
        await subscribed(client, backend)
        closing = asyncio.create_task(app.state.connections.close_all())
        while not closing.done():
            backend.depth.push("x" * 1_000)
            await asyncio.sleep(0)
        backend.depth.push()
        assert (await client.closed())[0] == CloseCode.SERVICE_RESTART
        await eventually(lambda: not app.state.operations.rooms, "the subscription has ended")


async def test_an_expired_token_closes_between_two_events(backend: DemoBackend) -> None:
    backend.seconds_left = 0.5
    async with serving(demo_app(backend, PATIENT)) as served, served.socket() as client:
        await client.init("good")
        await subscribed(client, backend)
        closed = asyncio.create_task(client.closed())
        while not closed.done():
            backend.depth.push()
            await asyncio.sleep(0.001)
        assert (await closed)[0] == CloseCode.FORBIDDEN


async def test_who_stops_reading_is_given_few_events_and_then_one_snapshot(backend: DemoBackend) -> None:
    app = demo_app(backend, replace(PATIENT, queued_events_per_subscriber=2))
    async with serving(app) as served, served.socket(max_queue=1) as client:
        await client.init()
        await subscribed(client, backend)
        (room,) = app.state.operations.rooms
        (subscriber,) = room.subscribers
        client.ws.transport.pause_reading()
        overflows = app.state.metrics.overflows._value
        while not overflows.get():
            backend.depth.push("x" * 60_000)
            await asyncio.sleep(0)
            assert len(subscriber) <= 2
        client.ws.transport.resume_reading()
        events = [the(await client.receive())]
        while events[-1]["sequence"] < backend.depth.sequence:
            events.append(the(await client.receive()))
        assert [event["previous"] for event in events].count(None) == 1


async def event_lines(lines: AsyncIterator[str]) -> str:
    """Return the data of the next event of an event stream; its kind, if it has none."""
    kind = ""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for line in lines:
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data:") and kind:
                return line.removeprefix("data:").strip() or kind
    raise AssertionError("the stream has ended")


async def test_an_event_stream_keeps_its_order_and_its_connection_serves_the_next_request(
    served: Served, backend: DemoBackend
) -> None:
    headers = {"accept": "text/event-stream"}
    async with served.client() as client:
        async with client.stream("POST", "/graphql", json={"query": DEPTH}, headers=headers) as response:
            await eventually(lambda: backend.depth.readers, "the room is open")
            backend.depth.push()
            lines, sequence = response.aiter_lines(), 0
            for burst in range(12):
                for _ in range(burst + 1):  # more than the socket's buffers hold, while nobody reads
                    backend.depth.push("x" * (300_000 if burst % 3 else 10))
                    await asyncio.sleep(0)
                while sequence < backend.depth.sequence:
                    event = json.loads(await event_lines(lines))["data"]["depth"]
                    assert event["previous"] in {None, sequence}
                    assert event["sequence"] > sequence
                    sequence = event["sequence"]
            backend.depth.push()
            backend.depth.push("end")
            assert json.loads(await event_lines(lines))["data"]["depth"]["sequence"] == sequence + 1
            assert await event_lines(lines) == "complete"
            backend.depth.push()
            assert [line async for line in lines if line] == []
        answer = await client.post("/graphql", json={"query": "{ hello }"})
        assert answer.json()["data"] == {"hello": "hello you"}


async def test_nothing_follows_the_hint_to_connect_again_of_a_server_that_drains(
    served: Served, app: Starlette, backend: DemoBackend
) -> None:
    headers = {"accept": "text/event-stream"}
    async with (
        served.client() as client,
        client.stream("POST", "/graphql", json={"query": DEPTH}, headers=headers) as response,
    ):
        await eventually(lambda: backend.depth.readers, "the room is open")
        backend.depth.push()
        lines = response.aiter_lines()
        assert json.loads(await event_lines(lines))["data"]
        closing = asyncio.create_task(app.state.connections.close_all())
        while not closing.done():
            backend.depth.push()
            await asyncio.sleep(0)
        backend.depth.push()
        rest: list[str] = []
        with suppress(httpx.RemoteProtocolError):  # the end isn't marked, so that the client connects again
            async for line in lines:
                rest.append(line)  # noqa: PERF401  # what came before the end counts
        assert [line for line in rest if line][-1].startswith("retry: ")


async def test_no_task_is_woken_for_an_event_that_a_reader_takes_at_once(backend: DemoBackend) -> None:
    app = demo_app(backend, PATIENT)
    async with serving(app) as served, served.socket() as client, served.client() as browser:
        await client.init()
        await subscribed(client, backend)
        headers = {"accept": "text/event-stream"}
        async with browser.stream("POST", "/graphql", json={"query": DEPTH}, headers=headers) as response:
            lines = response.aiter_lines()
            assert json.loads(await event_lines(lines))["data"]
            (room,) = app.state.operations.rooms
            await eventually(lambda: all(each._is_waiting for each in room.subscribers), "all readers wait")
            waiters = [subscriber._waiter for subscriber in room.subscribers]
            assert len(waiters) == 2
            for number in range(2, 12):
                backend.depth.push()
                assert the(await client.receive())["sequence"] == number
                assert json.loads(await event_lines(lines))["data"]["depth"]["sequence"] == number
            assert [subscriber._waiter for subscriber in room.subscribers] == waiters


async def test_frames_are_never_deflated_even_for_clients_that_offer_it(served: Served, backend: DemoBackend) -> None:
    async with served.socket(compression="deflate") as client:
        assert client.ws.protocol.extensions == []
        await client.init()
        await subscribed(client, backend)
        backend.depth.push("x" * 10_000)
        assert the(await client.receive())["text"] == "x" * 10_000


async def test_a_deflated_frame_that_nobody_agreed_on_closes_the_socket_unread(
    served: Served, backend: DemoBackend
) -> None:
    bomb = zlib.compressobj(wbits=-15)
    data = bomb.compress(bytes(50_000_000)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    async with served.socket() as client:
        await client.init()
        frame = bytearray(Frame(Opcode.TEXT, data).serialize(mask=True))
        frame[0] |= 0x40  # the bit of permessage-deflate (RFC 7692, 6)
        client.ws.transport.write(bytes(frame))
        assert (await client.closed())[0] == ProtocolCloseCode.PROTOCOL_ERROR
