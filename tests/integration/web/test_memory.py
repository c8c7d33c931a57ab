"""Memory stays flat: nothing is left of events that were sent, subscriptions that ended and sockets that closed."""

import asyncio
import gc
import itertools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import Context, copy_context

import pytest
from prometheus_client import CollectorRegistry

from infra.web.context import ConnectionInfo
from infra.web.metrics import WebMetrics
from infra.web.operations import Operations
from infra.web.settings import WebSettings
from tests.support.demo_schema import SCHEMA, DemoBackend, demo_app
from tests.support.serving import Socket, serving
from tests.support.waiting import eventually

PRIVATE, SHARED = "subscription { journal { sequence text } }", "subscription { depth { sequence text } }"
STREAMS = pytest.mark.parametrize("document", [PRIVATE, SHARED], ids=["private", "room"])


async def growth(step: Callable[[], Awaitable[None]], steps: int, settling: int = 200) -> float:
    """Return how many objects more there are for each step, after some steps that fill what is filled once."""
    for _ in range(settling):
        await step()
    before = _objects()
    for _ in range(steps):
        await step()
    return (_objects() - before) / steps


_MAP = next(referent for referent in gc.get_referents(copy_context()) if type(referent).__name__ == "hamt")
_KEPT_A_WHILE = (asyncio.TimerHandle, Context, type(_MAP), *{type(referent) for referent in gc.get_referents(_MAP)})


def _objects() -> int:
    """Count the objects of the process, without those that the loop frees some time after a timer was cancelled."""
    gc.collect()
    return sum(not isinstance(tracked, _KEPT_A_WHILE) for tracked in gc.get_objects())


NOTHING = pytest.approx(0, abs=0.5)
"""Something comes and goes meanwhile; what is left of each step would be one at least."""


@pytest.fixture(autouse=True)
def _few_records() -> Iterator[None]:
    """Log no connection: pytest keeps every record until the end of the test."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@STREAMS
async def test_no_memory_is_left_of_thousands_of_events_of_one_subscription(
    backend: DemoBackend, document: str
) -> None:
    operations = Operations(SCHEMA, backend.context, WebSettings(), WebMetrics(CollectorRegistry()))
    context = await backend.context("good", ConnectionInfo("", ""))
    async with operations.subscribe(await operations.prepare(document, None), {}, context) as payloads:

        async def step() -> None:
            next_payload = asyncio.ensure_future(anext(payloads))
            await eventually(lambda: backend.journal.readers or backend.depth.readers, "the stream is open")
            _push(backend)
            await next_payload

        assert await growth(step, 3_000) == NOTHING
    await operations.aclose()


@STREAMS
async def test_no_memory_is_left_of_thousands_of_frames_on_a_socket(backend: DemoBackend, document: str) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as socket:
        await socket.init()
        await _open(backend, socket, "1", document)

        async def step() -> None:
            _push(backend)
            await socket.receive()

        assert await growth(step, 2_000) == NOTHING


@STREAMS
async def test_no_memory_is_left_of_thousands_of_server_sent_events(backend: DemoBackend, document: str) -> None:
    headers = {"accept": "text/event-stream"}
    async with (
        serving(demo_app(backend)) as served,
        served.client() as client,
        client.stream("POST", "/graphql", json={"query": document}, headers=headers) as response,
    ):
        await eventually(lambda: backend.journal.readers or backend.depth.readers, "the stream is open")
        events = _data(response.aiter_lines())

        async def step() -> None:
            _push(backend)
            await anext(events)

        assert await growth(step, 2_000) == NOTHING


@STREAMS
async def test_no_memory_is_left_of_subscriptions_that_come_and_go(backend: DemoBackend, document: str) -> None:
    numbers = itertools.count()
    async with serving(demo_app(backend)) as served, served.socket() as socket:
        await socket.init()

        async def step() -> None:
            number = str(next(numbers))
            await _open(backend, socket, number, document)
            await socket.send(id=number, type="complete")
            await eventually(lambda: not backend.journal.readers and not backend.depth.readers, "the stream is closed")

        assert await growth(step, 150, settling=50) == NOTHING


async def test_no_memory_is_left_of_sockets_that_come_and_go(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served:

        async def step() -> None:
            async with served.socket() as socket:
                await socket.init()
                await _open(backend, socket, "1", SHARED)
            await eventually(lambda: not backend.depth.readers, "the stream is closed")
            await eventually(lambda: not app.state.limits.open_connections, "the connection is gone")

        assert await growth(step, 100, settling=50) == NOTHING


async def test_different_documents_fill_a_bounded_memory(backend: DemoBackend) -> None:
    operations = Operations(SCHEMA, backend.context, WebSettings(), WebMetrics(CollectorRegistry()))
    context = await backend.context("good", ConnectionInfo("", ""))
    numbers = itertools.count()

    async def step() -> None:
        document = f"query Q{next(numbers)} {{ products(first: 2) {{ nodes {{ price }} }} }}"
        payload = await operations.execute(await operations.prepare(document, None), {}, context, None)
        assert "errors" not in payload

    assert await growth(step, 300, settling=600) == NOTHING


def _push(backend: DemoBackend) -> None:
    (backend.journal if backend.journal.readers else backend.depth).push()


async def _open(backend: DemoBackend, socket: Socket, id: str, document: str) -> None:
    await socket.send(id=id, type="subscribe", payload={"query": document})
    await eventually(lambda: backend.journal.readers or backend.depth.readers, "the stream is open")


async def _data(lines: AsyncIterator[str]) -> AsyncIterator[object]:
    async for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
