"""All requests of one address count: some wait their turn, more are refused, and health probes go beside them."""

import asyncio
import re
from collections import Counter

import pytest
import structlog
from starlette.applications import Starlette

from infra.web.access_summary import REFUSED_LINES
from infra.web.connections.limits import Rejection
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.raw_http import HANDSHAKE, peer_of, post_bytes, status_of
from tests.support.serving import Served, serving
from tests.support.waiting import eventually

FEW = 10
BURST = 60
MANY = 200
SETTINGS = WebSettings(requests_per_second_per_address=FEW)
NOTHING = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PROBE = NOTHING.replace(b"nothing", b"healthz")
KINDS = {
    "no such path": (NOTHING, 404),
    "another method": (NOTHING.replace(b"GET /nothing", b"PUT /graphql"), 405),
    "another content type": (post_bytes(b"{}").replace(b"application/json", b"text/plain"), 415),
    "another host": (NOTHING.replace(b"127.0.0.1", b"nobody.example"), 421),
    "no JSON": (post_bytes(b"{"), 400),
    "a query": (post_bytes(b'{"query": "{ hello }"}'), 200),
    "metrics": (NOTHING.replace(b"nothing", b"metrics"), 200),
    "a page": (NOTHING.replace(b"/nothing", b"/").replace(b"Host", b"Accept: text/html\r\nHost"), 200),
    "a file": (NOTHING.replace(b"nothing", b"LICENSES.txt"), 200),
    "a probe": (PROBE, 200),
    "a handshake": (HANDSHAKE + b"\r\n", 101),
}


async def first_status(served: Served, request: bytes) -> tuple[int, bool]:
    """Return the status of the answer, and whether its connection ends."""
    async with peer_of(served) as peer:
        await peer.send(request)
        head = await peer.reader.readuntil(b"\r\n\r\n")
        is_closed = b"connection: close" in head.lower()
        if is_closed:
            await peer.everything()
        return status_of(head), is_closed


async def flood(served: Served, request: bytes, count: int = BURST) -> Counter[tuple[int, bool]]:
    return Counter(await asyncio.gather(*(first_status(served, request) for _ in range(count))))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_request_of_an_address_counts_and_too_many_are_refused(backend: DemoBackend, kind: str) -> None:
    request, status = KINDS[kind]
    app = demo_app(backend, SETTINGS)
    async with serving(app, SETTINGS) as served:
        answers = await flood(served, request)
    assert set(answers) == {(status, False), (429, True)}
    assert answers[status, False] >= FEW  # those that waited were served
    assert _rejected(app) == answers[429, True]


async def test_a_refusal_says_when_to_come_back(backend: DemoBackend) -> None:
    async def answer() -> bytes:
        async with peer_of(served) as peer:
            await peer.send(NOTHING.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            return await peer.everything()

    async with serving(demo_app(backend, SETTINGS), SETTINGS) as served:
        answers = await asyncio.gather(*(answer() for _ in range(BURST)))
    refused = [answer for answer in answers if status_of(answer) == 429]
    assert refused
    assert all(b"retry-after: 1\r\n" in answer and b"application/json" in answer for answer in refused)
    assert all(b'"code": "RATE_LIMITED"' in answer for answer in refused)


async def test_health_probes_are_answered_during_a_flood_from_their_address(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, SETTINGS), SETTINGS) as served:
        flooding = asyncio.create_task(flood(served, NOTHING))
        probes = [await first_status(served, PROBE) for _ in range(FEW)]
        assert set(probes) == {(200, False)}
        assert (await flooding)[429, True] > 0


async def test_a_flood_of_health_probes_takes_nothing_from_requests(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, SETTINGS), SETTINGS) as served:
        flooding = asyncio.create_task(flood(served, PROBE))
        assert {await first_status(served, NOTHING) for _ in range(FEW)} == {(404, False)}
        assert (await flooding)[429, True] > 0


async def test_a_usual_burst_of_one_address_waits_and_is_never_refused(backend: DemoBackend) -> None:
    settings = WebSettings(requests_per_second_per_address=BURST)
    async with serving(demo_app(backend, settings), settings) as served:
        assert set(await flood(served, NOTHING)) == {(404, False)}


async def test_the_requests_of_a_flood_have_few_lines_in_the_log_and_one_with_their_count(
    backend: DemoBackend,
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(demo_app(backend)) as served:
            assert set(await flood(served, NOTHING, MANY)) == {(404, False)}
            await eventually(lambda: any(line["event"] == "http_summed" for line in logs), "they are summed up")
    lines = [line for line in logs if line["event"] == "http" and line["status"] == 404]
    summed = [line for line in logs if line["event"] == "http_summed"]
    counted = sum(line["requests"] for line in summed)
    assert len(lines) + counted == MANY
    assert len(lines) <= REFUSED_LINES * (len(summed) + 1)
    assert all(re.fullmatch(r"404:\d+", line["statuses"]) for line in summed)


def _rejected(app: Starlette) -> float:
    labels = {"reason": Rejection.TOO_MANY_REQUESTS.value}
    return app.state.metrics.registry.get_sample_value("r3edge_connections_rejected_total", labels) or 0.0
