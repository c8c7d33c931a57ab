"""Subscriptions over a WebSocket: shared by rooms, and private ones."""

import asyncio
import json
from dataclasses import replace

import pytest
from starlette.applications import Starlette

from infra.web.rooms.room import Room
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import serving
from tests.support.waiting import PATIENCE_SECONDS, eventually

DEPTH = "subscription { depth { sequence previous text } }"


PATIENT = WebSettings(
    send_timeout_seconds=PATIENCE_SECONDS,
    write_timeout_seconds=PATIENCE_SECONDS,
    close_timeout_seconds=PATIENCE_SECONDS,
)
"""Cuts no reader off who stalls for as long as a test takes."""


def tick(message: dict, field: str = "depth") -> int:
    assert message["type"] == "next", message
    return message["payload"]["data"][field]["sequence"]


async def both_are_in(app: Starlette) -> Room:
    """Wait until two subscribers have met in the only room, and return it."""
    rooms = app.state.operations.rooms
    await eventually(lambda: [len(room.subscribers) for room in rooms] == [2], "both are in one room")
    (room,) = rooms
    return room


async def test_two_subscribers_share_one_execution_whatever_the_layout_of_their_documents(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served, served.socket() as one, served.socket() as two:
        for client, query in ((one, DEPTH), (two, "subscription{depth{sequence,previous,text}} # mine")):
            await client.init()
            await client.subscribe(query, id='q"1' if client is two else "1")
        await both_are_in(app)
        await eventually(lambda: backend.depth.opened == 1, "the source is open")
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
        room = await both_are_in(app)
        await eventually(lambda: backend.depth.readers, "the room is open")
        await client.send(type="complete", id="1")
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
    app = demo_app(backend, replace(PATIENT, queued_events_per_subscriber=4))
    async with serving(app) as served, served.socket() as quick, served.socket(max_queue=1) as stalled:
        for client in (quick, stalled):
            await client.init()
            await client.subscribe(DEPTH)
        room = await both_are_in(app)
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
    app = demo_app(backend, replace(PATIENT, queued_events_per_subscriber=4))
    async with serving(app) as served, served.socket() as quick, served.socket(max_queue=1) as stalled:
        for client in (quick, stalled):
            await client.init()
            await client.subscribe("subscription { words { sequence text } }")
        await both_are_in(app)
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
    settings = WebSettings(send_timeout_seconds=0.3, close_timeout_seconds=PATIENCE_SECONDS)
    async with serving(demo_app(backend, settings)) as served, served.socket(max_queue=1) as client:
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
