"""The limits on the size and time of what a peer sends."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from websockets.exceptions import InvalidStatus

from infra.web.connections.limits import Rejection
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.raw_http import HANDSHAKE, peer_of, post_bytes, status_of, statuses_of
from tests.support.serving import Served, serving
from tests.support.waiting import PATIENCE_SECONDS, eventually

QUICK = WebSettings(
    head_timeout_seconds=0.5,
    body_timeout_seconds=0.5,
    write_timeout_seconds=0.2,
    messages_per_second_per_address=1_000_000,
)
HELLO = b'{"query": "{ hello }"}'


def rejected(app: Starlette, reason: Rejection) -> float:
    registry = app.state.metrics.registry
    return registry.get_sample_value("r3edge_connections_rejected_total", {"reason": reason.value}) or 0.0


@pytest.fixture
async def served(backend: DemoBackend) -> AsyncIterator[Served]:
    settings = WebSettings(linger_seconds=PATIENCE_SECONDS)
    async with serving(demo_app(backend, settings), settings) as served:
        yield served


UNBOUNDED_REQUESTS = {
    "a header": (b"GET /graphql HTTP/1.1\r\nHost: x\r\nX-Big: ", b"a" * 4_096, {431}),
    "a header's name": (b"GET /graphql HTTP/1.1\r\nHost: x\r\n", b"a" * 4_096, {431}),
    "header lines": (b"GET /graphql HTTP/1.1\r\nHost: x\r\n", b"x-line: 1\r\n" * 400, {431}),
    "a URL": (b"GET /graphql?query=", b"a" * 4_096, {414}),
    "a method": (b"", b"G" * 4_096, {400}),
    "a chunk's extension": (post_bytes(b"", b"Transfer-Encoding: chunked") + b"5;", b"a" * 4_096, {413}),
    "trailers": (post_bytes(b"0\r\n", b"Transfer-Encoding: chunked"), b"x-line: 1\r\n" * 400, {413, 200}),
    "a handshake's header": (HANDSHAKE + b"X-Big: ", b"a" * 4_096, {431}),
    "a body": (post_bytes(b"", b"Content-Length: 999999999999"), b"a" * 4_096, {413}),
}


@pytest.mark.parametrize("what", UNBOUNDED_REQUESTS)
async def test_requests_without_an_end_are_rejected_after_a_bounded_amount(backend: DemoBackend, what: str) -> None:
    beginning, piece, statuses = UNBOUNDED_REQUESTS[what]
    settings = WebSettings(body_timeout_seconds=1.0)
    async with serving(demo_app(backend, settings), settings) as served:
        async with peer_of(served) as peer:
            await peer.send(beginning)
            assert await peer.flood(piece) < 32 * 1024 * 1024
            answer = await peer.everything()
            # An answer may be lost where the peer still sends when the connection is closed. On a busy machine the
            # time may be over before the amount is sent.
            assert not answer or status_of(answer) in statuses | {408}, answer[:200]
        async with served.client() as client:
            assert (await client.post("/graphql", json={"query": "{ hello }"})).status_code == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /graphql?query=" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Big: " + b"a" * 9_000 + b"\r\n\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"a: b\r\n" * 100 + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"a: b\r\n" * 97 + b"\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Big: " + b"a" * 8_000 + b"\r\n\r\n", 200),
        (b"NONSENSE\r\n\r\n", 400),
        (HANDSHAKE.replace(b"/graphql", b"/graphql?" + b"a" * 9_000) + b"\r\n", 414),
        (HANDSHAKE + b"a: b\r\n" * 120 + b"\r\n", 431),
        (HANDSHAKE.replace(b"websocket", b"h2c") + b"\r\n", 400),
    ],
)
async def test_requests_that_are_too_large_are_answered_with_their_status(
    served: Served, request_bytes: bytes, status: int
) -> None:
    async with peer_of(served) as peer:
        await peer.send(request_bytes.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1))
        assert status_of(await peer.everything()) == status


async def test_a_long_head_and_a_full_body_in_small_pieces_are_served(served: Served) -> None:
    filler = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 2_000) for number in range(7))
    body = json.dumps({"query": "{ hello }", "variables": {"x": "y" * 100_000}}).encode()
    whole = post_bytes(body, b"Connection: close").replace(b"Host:", filler + b"Host:", 1)
    async with peer_of(served) as peer:
        for begin in range(0, len(whole), 3_000):
            await peer.send(whole[begin : begin + 3_000])
        assert status_of(await peer.everything()) == 200


async def test_a_client_that_sends_far_too_much_before_it_reads_still_gets_the_status(served: Served) -> None:
    for beginning, piece, status in (
        (post_bytes(b"", b"Content-Length: 10000000"), b"a" * 10_000_000, 413),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"x: y\r\n" * 20_000, 431),
        (b"GET /graphql?query=", b"a" * 200_000, 414),
    ):
        async with peer_of(served) as peer:
            await peer.send(beginning)
            await peer.send(piece)
            assert status_of(await peer.reader.readuntil(b"\r\n\r\n")) == status


async def test_frames_that_come_with_the_handshake_are_read_like_all_others(served: Served) -> None:
    init = b'{"type":"connection_init"}'
    frame = bytes((0x81, 0x80 | len(init))) + b"\0\0\0\0" + init
    async with peer_of(served) as peer:
        await peer.send(HANDSHAKE + b"\r\n" + frame)
        assert status_of(await peer.reader.readuntil(b"\r\n\r\n")) == 101
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await peer.reader.readuntil(b"}")).endswith(b'{"type":"connection_ack"}')


@pytest.mark.parametrize("frame", [b"\xa2\x00", b"\x81\x02hi", b"\x09\x80\0\0\0\0"])
async def test_a_broken_frame_that_comes_with_the_handshake_ends_the_socket(served: Served, frame: bytes) -> None:
    async with peer_of(served) as peer:
        await peer.send(HANDSHAKE + b"\r\n" + frame)
        answer = await peer.everything()
    assert status_of(answer) == 101
    assert b"\x03\xea" in answer.partition(b"\r\n\r\n")[2]  # 1002


async def test_a_body_that_goes_on_after_its_answer_gets_no_second_one(served: Served) -> None:
    async with peer_of(served) as peer:
        await peer.send(post_bytes(b"", b"Content-Length: 999999999"))
        answer = await peer.reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            for _ in range(200):
                await peer.send(b"a" * 65_536)
        assert statuses_of(answer + await peer.everything()) == [413]


async def test_what_an_address_sends_in_bodies_is_read_at_its_rate(backend: DemoBackend) -> None:
    settings = WebSettings(messages_per_second_per_address=100)  # of 4 KiB
    app = demo_app(backend, settings)
    async with serving(app, settings) as served:
        body = json.dumps({"query": "{ hello }", "variables": {"x": "y" * 100_000}}).encode()
        began = asyncio.get_running_loop().time()
        for _ in range(5):
            async with peer_of(served) as peer:
                await peer.send(post_bytes(body, b"Connection: close"))
                assert status_of(await peer.everything()) == 200
        seconds = asyncio.get_running_loop().time() - began
    assert app.state.metrics.registry.get_sample_value("r3edge_connection_waits_total") > 0
    assert seconds > (4 * len(body) / 4096 - 100 / 4) / 100  # the last one and a quarter of a second are for nothing


async def test_pipelined_requests_are_measured_one_by_one(served: Served) -> None:
    async with peer_of(served) as peer:
        await peer.send(post_bytes(HELLO, b"X-Filler: " + b"f" * 7_000) * 12 + post_bytes(HELLO, b"Connection: close"))
        assert (await peer.everything()).count(b'{"hello":"hello you"}') == 13


async def test_a_modest_pipeline_is_answered_in_order(served: Served) -> None:
    async with peer_of(served) as peer:
        probe = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        missing = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        await peer.send(probe + missing + post_bytes(HELLO) + missing.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        assert statuses_of(await peer.everything()) == [200, 404, 200, 404]


async def test_too_many_pipelined_requests_are_rejected_after_the_others_are_answered(
    backend: DemoBackend,
) -> None:
    app = demo_app(backend)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(app) as served:
        async with peer_of(served) as peer:
            await peer.send(request * 500)
            assert statuses_of(await peer.everything()) == [200] * 17 + [429]
        assert rejected(app, Rejection.PIPELINE_TOO_LONG) == 1
        async with served.client() as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_the_bodies_of_waiting_requests_are_bounded_together(served: Served) -> None:
    async with peer_of(served) as peer:
        await peer.send(post_bytes(HELLO) * 14 + post_bytes(b"a" * 2_000_000))
        assert statuses_of(await peer.everything()) == [200] * 14 + [429]


async def test_a_stream_ends_with_its_client_though_a_request_waits_behind_it(backend: DemoBackend) -> None:
    stream = post_bytes(b'{"query": "subscription { depth { sequence } }"}', b"Accept: text/event-stream")
    async with serving(demo_app(backend)) as served:
        async with peer_of(served) as peer:
            await peer.send(stream + post_bytes(HELLO))
            await eventually(lambda: backend.depth.readers, "the stream is open")
        await eventually(lambda: backend.depth.push() and not backend.depth.readers, "the stream has ended")


async def test_a_peer_that_pipelines_endlessly_and_reads_nothing_is_disconnected(backend: DemoBackend) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    app = demo_app(backend)
    async with serving(app) as served, peer_of(served) as peer:
        peer.writer.transport.pause_reading()
        await peer.send_until_dropped(request * 500)
        assert rejected(app, Rejection.PIPELINE_TOO_LONG) == 1
        await eventually(lambda: app.state.limits.open_connections == 0, "it is gone")


@pytest.mark.parametrize(
    "slow", [b"", b"\r\n\r\n", b"GET /graphql HTTP/1.1\r\nHost:", post_bytes(b"", b"Content-Length: 40"), HANDSHAKE]
)
async def test_a_request_that_takes_too_long_to_arrive_is_rejected(backend: DemoBackend, slow: bytes) -> None:
    async with serving(demo_app(backend, QUICK), QUICK) as served, peer_of(served) as peer:
        await peer.send(slow)
        answer = await peer.everything()
        assert answer == b"" if not slow.strip() else status_of(answer) == 408


async def test_a_response_may_take_longer_than_a_request(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, QUICK), QUICK) as served, served.client() as client:
        asking = asyncio.create_task(client.post("/graphql", json={"query": "{ slow }"}))
        await eventually(lambda: backend.waiting, "the mutation waits")
        await asyncio.sleep(1)  # longer than all of the limits
        backend.gate.set()
        assert (await asking).status_code == 200


async def test_a_peer_that_reads_nothing_is_disconnected(backend: DemoBackend) -> None:
    request = b"GET /graphiql/static/graphiql.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    app = demo_app(backend, QUICK)
    async with serving(app, QUICK) as served, peer_of(served) as peer:
        peer.writer.transport.pause_reading()
        await peer.send(request * 15)
        await eventually(lambda: rejected(app, Rejection.UNRESPONSIVE) == 1, "it is counted")


async def test_a_peer_that_pings_and_does_not_read_is_disconnected(backend: DemoBackend) -> None:
    ping = b"\x89\xfd\0\0\0\0" + b"p" * 125
    async with serving(demo_app(backend, QUICK), QUICK) as served, peer_of(served) as peer:
        await peer.send(HANDSHAKE + b"\r\n")
        assert status_of(await peer.reader.readuntil(b"\r\n\r\n")) == 101
        peer.writer.transport.pause_reading()
        await peer.send_until_dropped(ping * 500)


async def test_a_message_of_ever_more_empty_frames_closes_the_socket(served: Served) -> None:
    async with peer_of(served) as peer:
        await peer.send(HANDSHAKE + b"\r\n")
        assert status_of(await peer.reader.readuntil(b"\r\n\r\n")) == 101
        await peer.send(b"\x01\x80\0\0\0\0")
        await peer.send(b"\x00\x80\0\0\0\0" * 1_200)
        assert b"Too many fragments" in await peer.everything()


async def test_connections_beyond_the_limit_of_an_address_are_answered_with_503_and_counted(
    backend: DemoBackend,
) -> None:
    settings = WebSettings(max_connections_per_address=3)
    app = demo_app(backend, settings)
    async with serving(app, settings) as served, peer_of(served) as first, peer_of(served), peer_of(served):
        for _ in range(2):
            async with peer_of(served) as refused:
                assert status_of(await refused.everything()) == 503
        assert rejected(app, Rejection.TOO_MANY_CONNECTIONS) == 2
        first.writer.close()
        await eventually(lambda: app.state.limits.open_connections == 2, "the first has left")
        async with served.client() as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_a_socket_counts_as_one_connection_until_its_end(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served:
        async with served.socket() as client:
            await client.init()
            assert app.state.limits.open_connections == 1
        await eventually(lambda: app.state.limits.open_connections == 0, "it has left")
        async with peer_of(served) as peer:
            await peer.send(HANDSHAKE.replace(b"Version: 13", b"Version: 12") + b"\r\n")
            assert status_of(await peer.everything()) == 400
        await eventually(lambda: app.state.limits.open_connections == 0, "so has one that was refused")


@pytest.mark.parametrize(
    "handshake",
    [
        HANDSHAKE + b"Content-Length: 5\r\n\r\nhello",
        HANDSHAKE + b"Content-Length: 5\r\n\r\n",
        HANDSHAKE + b"Transfer-Encoding: chunked\r\n\r\n",
        HANDSHAKE.replace(b"GET", b"POST") + b"\r\n",
        HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
    ],
    ids=["a body", "a body that never comes", "chunks", "POST", "HTTP/1.0"],
)
async def test_a_handshake_that_no_library_answers_is_refused_and_frees_its_place(
    backend: DemoBackend, handshake: bytes
) -> None:
    app = demo_app(backend)
    async with serving(app) as served:
        async with peer_of(served) as peer:
            await peer.send(handshake)
            assert status_of(await peer.everything()) == 400
        await eventually(lambda: app.state.limits.open_connections == 0, "its place is free")
        assert rejected(app, Rejection.BAD_HANDSHAKE) == 1


async def test_a_handshake_may_say_that_it_has_no_body(served: Served) -> None:
    async with peer_of(served) as peer:
        await peer.send(HANDSHAKE + b"Content-Length: 0\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert status_of(await peer.reader.readuntil(b"\r\n")) == 101


async def test_an_offer_of_another_protocol_is_ignored(served: Served) -> None:
    """As by `curl --http2`, and by Java's HttpClient: RFC 9110, 7.8."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
    async with peer_of(served) as peer:
        await peer.send(post_bytes(HELLO, offer) + post_bytes(HELLO, offer) + post_bytes(HELLO, b"Connection: close"))
        assert statuses_of(await peer.everything()) == [200, 200, 200]


@pytest.mark.parametrize(
    ("host", "allowed", "status"),
    [
        ("127.0.0.1:8000", (), 200),
        ("192.0.2.7", (), 200),
        ("[2001:db8::1]:8000", (), 200),
        ("localhost:8000", (), 200),
        ("app.localhost", (), 200),
        ("LOCALHOST.", (), 200),
        ("evil.example:8000", (), 421),
        ("localhost.evil.example", (), 421),
        ("127.0.0.1.evil.example", (), 421),
        ("evil.example@localhost", (), 421),
        ("", (), 421),
        ("api.example.com", ("api.example.com",), 200),
        ("API.Example.Com.:443", ("api.example.com",), 200),
        ("api.example.com.evil.example", ("api.example.com",), 421),
        ("a.example.com", ("*.example.com",), 200),
        ("example.com", ("*.example.com",), 421),
        ("evilexample.com", ("*.example.com",), 421),
        ("anything.example", ("*",), 200),
    ],
)
async def test_only_allowed_host_names_reach_the_engine(
    backend: DemoBackend, host: str, allowed: tuple[str, ...], status: int
) -> None:
    settings = replace(WebSettings(), allowed_hosts=allowed)
    async with serving(demo_app(backend, settings), settings) as served, served.client() as client:
        answer = await client.post("/graphql", json={"query": "{ hello }"}, headers={"host": host})
        assert answer.status_code == status
        if status == 421:
            assert "R3EDGE_ALLOWED_HOSTS" in answer.json()["errors"][0]["message"]
        assert (await client.get("/metrics", headers={"host": host})).status_code == status
        assert (await client.get("/healthz", headers={"host": host})).status_code == 200  # a probe may use any name


async def test_a_handshake_with_another_host_name_is_rejected(served: Served) -> None:
    for host in (b"evil.example", b"evil.example:8000"):
        async with peer_of(served) as peer:
            origin = b"Origin: http://" + host + b"\r\n\r\n"
            await peer.send(HANDSHAKE.replace(b"Host: 127.0.0.1", b"Host: " + host) + origin)
            assert status_of(await peer.everything()) == 421
    with pytest.raises(InvalidStatus):
        async with served.socket(host="127.0.0.1", port=served.port, origin="http://other.example"):
            pass


async def test_a_request_with_two_hosts_or_with_none_is_rejected(served: Served) -> None:
    for hosts in (b"", b"Host: 127.0.0.1\r\nHost: evil.example\r\n"):
        async with peer_of(served) as peer:
            await peer.send(b"GET /graphql HTTP/1.1\r\nConnection: close\r\n" + hosts + b"\r\n")
            assert status_of(await peer.everything()) == 400


async def test_only_trusted_proxies_forwarded_addresses_are_used(backend: DemoBackend) -> None:
    claimed = {"x-forwarded-for": "192.0.2.1, 198.51.100.7, 10.1.1.1"}
    for proxies, expected in (
        ((), "127.0.0.1"),
        (("127.0.0.1",), "10.1.1.1"),
        (("127.0.0.0/8", "10.0.0.0/8"), "198.51.100.7"),
        (("192.0.2.0/24",), "127.0.0.1"),
    ):
        settings = WebSettings(trusted_proxies=proxies)
        async with serving(demo_app(backend, settings), settings) as served, served.client() as client:
            answer = await client.post("/graphql", json={"query": "{ address }"}, headers=claimed)
            assert answer.json()["data"] == {"address": expected}


async def test_what_anonymous_clients_send_is_not_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for nonsense in (
        b"NONSENSE\r\n\r\n",
        b"GET /graphql?" + b"a" * 70_000,
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ):
        async with peer_of(served) as peer:
            await peer.send(nonsense)
            await peer.reader.read(1)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
