"""Server-sent events: their content, and how a stream ends, which decides whether a client opens it again."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import Served, serving
from tests.support.waiting import PATIENCE_SECONDS, eventually

DEPTH = "subscription { depth { sequence } }"
JOURNAL = "subscription { journal { sequence text } }"
COMPLETE = ["event: complete", "data:", ""]
LOST = ["the connection is lost"]


@asynccontextmanager
async def streaming(served: Served, query: str, token: str | None = None) -> AsyncIterator[httpx.Response]:
    headers = {"accept": "text/event-stream", **({"authorization": f"Bearer {token}"} if token else {})}
    async with (
        served.client() as client,
        client.stream("POST", "/graphql", json={"query": query}, headers=headers) as it,
    ):
        yield it


async def lines_of(response: httpx.Response) -> list[str]:
    lines = []
    try:
        async for line in response.aiter_lines():
            lines.append(line)  # noqa: PERF401  # what came before the connection was lost counts
    except httpx.RemoteProtocolError:
        lines += LOST
    return lines


def errors_of(line: str) -> list[dict[str, Any]]:
    return json.loads(line.removeprefix("data: "))["errors"]


async def test_a_subscription_streams_as_server_sent_events(backend: DemoBackend) -> None:
    app = demo_app(backend)
    headers = {"accept": "text/event-stream"}
    async with serving(app) as served, served.client() as client:
        query = {"query": "subscription { depth { sequence } }"}
        async with client.stream("POST", "/graphql", json=query, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            await eventually(lambda: backend.depth.readers, "the room is open")
            backend.depth.push()
            lines = response.aiter_lines()
            seen = [await anext(lines) for _ in range(3)]
            backend.depth.push()
            backend.depth.push("end")
            seen += [line async for line in lines]
        assert seen == [
            "event: next", 'data: {"data":{"depth":{"sequence":1}}}', "",
            "event: next", 'data: {"data":{"depth":{"sequence":2}}}', "", "event: complete", "data:", "",
        ]  # fmt: skip
        async with client.stream("POST", "/graphql", json=query, headers=headers) as response:
            await eventually(lambda: backend.depth.readers, "the room is open again")
        await eventually(lambda: not backend.depth.readers, "leaving closes the source")
        assert not app.state.operations.rooms
        refused = await client.post(
            "/graphql", json={"query": "subscription { refused { sequence } }"}, headers=headers
        )
        assert '"code":"CURSOR_TOO_OLD"' in refused.text
        invalid = await client.post("/graphql", json={"query": "subscription { nothing }"}, headers=headers)
        assert (invalid.status_code, invalid.headers["content-type"][:16]) == (400, "application/json")
        single = await client.post("/graphql", json={"query": "{ hello }"}, headers=headers)
        assert single.text.startswith('event: next\ndata: {"data":{"hello":"hello you"}')


def assert_ends_with_a_retry(lines: list[str]) -> None:
    hint, empty, *end = lines
    assert (hint[:7], empty, end) == ("retry: ", "", LOST)
    assert 500 <= int(hint[7:]) < 3_000


async def test_a_shutdown_ends_streams_without_complete_so_that_clients_open_them_again(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, streaming(served, DEPTH) as response:
        await eventually(lambda: backend.depth.readers, "the room is open")
        served.server.should_exit = True
        assert_ends_with_a_retry(await lines_of(response))
    assert not backend.depth.readers


async def test_a_stream_that_is_opened_while_the_server_stops_ends_at_once(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served:
        await app.state.connections.close_all()
        async with streaming(served, DEPTH) as response:
            assert_ends_with_a_retry(await lines_of(response))
        assert not app.state.connections
        assert not app.state.operations.rooms


async def test_a_shutdown_lets_a_mutation_answer(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        async with streaming(served, 'mutation { orderSlowly(price: "1") }') as response:
            await eventually(lambda: backend.waiting == 1, "the mutation has begun")
            served.server.should_exit = True
            await eventually(lambda: not served.server.servers[0].is_serving(), "the server stops")
            backend.gate.set()
            _, data, _, *end = await lines_of(response)
        assert json.loads(data.removeprefix("data: "))["data"] == {"orderSlowly": True}
        assert end == COMPLETE


async def test_a_revoked_credential_ends_its_streams_for_good(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served, streaming(served, JOURNAL, "good") as response:
        await eventually(lambda: backend.journal.readers, "the stream is open")
        assert await app.state.connections.close_credential("credential-1") == 1
        _, data, _, *end = await lines_of(response)
        assert errors_of(data)[0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert end == COMPLETE
    assert not backend.journal.readers


async def test_a_credential_that_expires_ends_its_streams_for_good(backend: DemoBackend) -> None:
    backend.seconds_left = 0.1
    async with serving(demo_app(backend)) as served, streaming(served, JOURNAL, "good") as response:
        _, data, _, *end = await lines_of(response)
        assert errors_of(data)[0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert end == COMPLETE


@pytest.mark.parametrize(
    ("field", "text", "code", "end"),
    [("depth", "fault", "UNAVAILABLE", LOST), ("depth", "bug", "INTERNAL", COMPLETE),
     ("journal", "fault", "UNAVAILABLE", LOST), ("journal", "bug", "INTERNAL", COMPLETE)],
)  # fmt: skip
async def test_a_stream_that_fails_is_complete_only_if_a_retry_is_useless(
    backend: DemoBackend, field: str, text: str, code: str, end: list[str]
) -> None:
    feed = getattr(backend, field)
    async with (
        serving(demo_app(backend)) as served,
        streaming(served, f"subscription {{ {field} {{ sequence }} }}") as response,
    ):
        await eventually(lambda: feed.readers, "the stream is open")
        feed.push(text)
        lines = await lines_of(response)
        last = max(number for number, line in enumerate(lines) if line.startswith("data: "))
        assert errors_of(lines[last])[0]["extensions"]["code"] == code
        assert lines[last + 2 :] == end


async def test_a_failed_mutation_is_always_complete_so_that_no_client_repeats_it(
    backend: DemoBackend,
) -> None:
    settings = WebSettings(operation_timeout_seconds=0.1)
    async with serving(demo_app(backend, settings)) as served:
        async with streaming(served, 'mutation { orderSlowly(price: "1") }') as response:
            _, data, _, *end = await lines_of(response)
        assert errors_of(data)[0]["extensions"]["code"] == "UNAVAILABLE"
        assert end == COMPLETE
        backend.gate.set()
        await eventually(lambda: backend.placed, "the mutation has ended")


class SlowReader:
    """A client that reads a few kilobytes of the response, and the rest on demand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, served: Served, query: str) -> "SlowReader":
        """Ask for a stream and read no further than the head of the answer."""
        port = int(served.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        body = json.dumps({"query": query})
        writer.write(
            "POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\naccept: text/event-stream\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def rest(self) -> str:
        """Read to the end of the connection, without the lines of the chunked encoding."""
        text = re.sub(r"(^|\r\n)[0-9a-f]+\r\n", "", (await self.reader.read()).decode())
        self.leave()
        return text

    def leave(self) -> None:
        """Close the connection without a word."""
        self.writer.transport.abort()


async def test_a_slow_reader_gets_its_cursor_and_loses_nothing_before_it(backend: DemoBackend) -> None:
    settings = WebSettings(send_timeout_seconds=0.3, close_timeout_seconds=PATIENCE_SECONDS)
    async with serving(demo_app(backend, settings)) as served:
        slow = await SlowReader.open(served, JOURNAL)
        await eventually(lambda: backend.journal.readers, "the stream is open")
        for _ in range(400):
            backend.journal.push("x" * 60_000)
        await eventually(lambda: not backend.journal.readers, "the server has given the stream up")
        datas = [json.loads(line[6:]) for line in (await slow.rest()).splitlines() if line.startswith("data: ")]
        sequences = [data["data"]["journal"]["sequence"] for data in datas[:-1]]
        assert sequences == list(range(1, len(sequences) + 1))
        extensions = {"cursor": f"after-{len(sequences)}", "code": "SLOW_READER"}
        assert datas[-1]["errors"][0]["extensions"] == extensions


async def test_a_reader_that_reads_nothing_at_all_is_disconnected(backend: DemoBackend) -> None:
    app = demo_app(backend, WebSettings(send_timeout_seconds=0.1, close_timeout_seconds=0.2))
    async with serving(app) as served:
        stuck = await SlowReader.open(served, JOURNAL)
        await eventually(lambda: backend.journal.readers, "the stream is open")
        for _ in range(400):
            backend.journal.push("x" * 60_000)
        await eventually(lambda: not app.state.connections, "the server has closed it")
        assert not backend.journal.readers
        stuck.leave()


async def test_a_reader_that_reads_nothing_does_not_delay_a_shutdown(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served:
        stuck = await SlowReader.open(served, DEPTH.replace("sequence", "sequence text"))
        await eventually(lambda: backend.depth.readers, "the room is open")
        for _ in range(400):
            backend.depth.push("x" * 60_000)
            await asyncio.sleep(0)
        served.server.should_exit = True
        await eventually(lambda: not app.state.connections, "the server has closed it")
        stuck.leave()
